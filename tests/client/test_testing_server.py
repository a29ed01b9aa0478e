"""The fake server as users' tests have it: what it lets them do beside what the real one does."""

import asyncio
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tailrace import (
    AsyncClient,
    Client,
    ConnectionFailed,
    Invalid,
    Line,
    NotFound,
    ServerError,
    Unauthorized,
    WaitTimeout,
)
from tailrace.testing import Ends, Job, Server, Stopped


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with server.client() as client:
        yield client


def test_what_has_no_program_succeeds(client: Client) -> None:
    assert client.run("anything:1").wait(5, check=True).exit_code == 0


def test_programs_end_as_python_programs_do(server: Server, client: Client) -> None:
    def exits(job: Job) -> None:
        sys.exit(int(job.command[0]))

    def fails(job: Job) -> None:
        raise ValueError("no more data")

    def needs_too_much(job: Job) -> None:
        raise MemoryError

    def loses_its_host(job: Job) -> None:
        raise Ends("host_lost", "It burned down.")

    for name, behaviour in {"e": exits, "f": fails, "m": needs_too_much, "h": loses_its_host}.items():
        server.program(name, behaviour)
    assert client.run("e", ["7"]).wait(5).exit_code == 7
    failed = client.run("f")
    assert failed.wait(5).exit_code == 1
    assert [line.text for line in failed.logs(stream="stderr")][-1] == "ValueError: no more data"
    killed = client.run("m").wait(5)
    assert (killed.cause, killed.exit_code, killed.oom_killed) == ("oom_killed", 137, True)
    lost = client.run("h").wait(5)
    assert (lost.status, lost.cause, lost.message, lost.exit_code) == ("crashed", "host_lost", "It burned down.", None)


def test_a_generator_yields_its_lines(server: Server, client: Client) -> None:
    @server.program("*")
    def counts(job: Job) -> Iterator[object]:
        try:
            yield from range(3)
            job.step("counted")
            while True:
                yield "again"
        except Stopped as stopped:
            yield f"stopped: {stopped.reason}"
            return 5

    with server.hold("counted") as held:
        handle = client.run("any")
        assert held.reached() == [handle.id]
        handle.cancel()
    assert (handle.wait(5).cause, handle.record.exit_code) == ("canceled_by_user", 5)
    lines = [line.text for line in handle.logs()]
    assert (lines[:3], lines[-1]) == (["0", "1", "2"], "stopped: cancel")


def test_the_queue_can_be_held(server: Server, client: Client) -> None:
    with server.hold():
        handles = [client.run("any") for _ in range(3)]
        assert [handle.refresh().queue_position for handle in handles] == [1, 2, 3]
        with pytest.raises(WaitTimeout):
            handles[0].wait(0)
    assert {handle.wait(5).status for handle in handles} == {"succeeded"}


def test_who_does_not_come_is_missed(server: Server) -> None:
    with server.hold("never") as held, pytest.raises(AssertionError, match="0 of 1 came to the step `never`"):
        held.reached(within=0)


def test_time_passes_without_waiting(server: Server, client: Client) -> None:
    @server.program("sleeps")
    def sleeps(job: Job) -> None:
        try:
            job.sleep(int(job.env["SECONDS"]))
        except Stopped:
            # It does not stop, and is killed.
            job.sleep(60)

    record = client.run("sleeps", env={"SECONDS": "3000"}).wait(5)
    assert (record.cause, round(record.run_seconds or 0, -1)) == ("ok", 3000)
    late = client.run("sleeps", env={"SECONDS": "4000"}).wait(5)
    assert (late.cause, late.exit_code, round(late.run_seconds or 0, -1)) == ("run_timeout", 137, 3610)

    server.program("stands", lambda job: job.wait_for_stop())
    handle = client.run("stands", limits={"timeout": 600})
    next(iter(handle.logs(follow=True, stream="system", after=2)))
    server.advance(601)
    assert handle.wait(5).cause == "run_timeout"
    later = client.run("any", not_before=datetime.now(UTC) + timedelta(days=2))
    assert later.record.waiting_on == "not_before"
    server.advance(2 * 86_400)
    assert later.wait(5).status == "succeeded"


def test_requests_fail_on_demand(server: Server, client: Client) -> None:
    server.fail_next(times=2)
    assert client.run("any").wait(5).status == "succeeded"
    assert [exchange.status for exchange in server.requests][:3] == [503, 503, 201]
    server.fail_next(500, path="/v1/me", times=3)
    client.list().first()
    with pytest.raises(ServerError):
        client.me()
    assert client.me().owner == "admin"


def test_an_answer_that_is_lost_loses_no_run(server: Server, client: Client) -> None:
    server.fail_next(None, path="/v1/executions")
    handle = client.run("any", ["x"])
    assert [record.id for record in client.list()] == [handle.id]
    first, second = (exchange for exchange in server.requests if exchange.method == "POST")
    assert (first.status, second.status, first.json) == (None, 201, {"image": "any", "command": ["x"]})


def test_tails_that_are_cut_go_on(server: Server, client: Client) -> None:
    @server.program("counts")
    def counts(job: Job) -> None:
        for n in range(6):
            job.say(n)
            job.step(f"said {n}")

    lines: list[Line] = []
    with server.hold("said 1") as one, server.hold("said 4") as four:
        handle = client.run("counts")
        for line in handle.logs(follow=True):
            lines.append(line)
            for held, number in ((one, 1), (four, 4)):
                if len(lines) == number + 1:
                    held.reached()
                    assert server.cut_tails() == 1
                    held.__exit__(None, None, None)
    assert [line.text for line in lines] == ["0", "1", "2", "3", "4", "5"]


def test_users_see_what_is_theirs(server: Server, client: Client) -> None:
    with server.client("ann") as ann, server.client("bob") as bob:
        hers = ann.run("any")
        assert (ann.me().owner, "admin" in ann.me().scopes) == ("ann", False)
        assert [record.id for record in client.list(owner="ann")] == [hers.id]
        assert bob.list().all() == []
        with pytest.raises(NotFound):
            bob.get(hers.id)
        with pytest.raises(Invalid):
            bob.list(owner="ann").all()
    assert [record.owner for record in server.executions()] == ["ann"]
    with Client(server.url, "nonsense") as nobody, pytest.raises(Unauthorized):
        nobody.me()


def test_what_it_does_not_have_it_says(client: Client) -> None:
    with pytest.raises(ServerError, match="has no `GET /v1/schedules`") as missing:
        client.schedules.list().all()
    assert (missing.value.status, missing.value.code) == (501, "not_faked")


def test_a_program_that_never_ends_holds_up_nobody() -> None:
    with Server() as server, server.client(patience=0) as client:
        server.program("endless", lambda job: job.step("here"))
        with server.hold("here") as held:
            handle = client.run("endless")
            held.reached()
            server.close()
            with pytest.raises(ConnectionFailed):
                handle.refresh()


def test_many_run_at_once(server: Server, client: Client) -> None:
    server.program("*", lambda job: job.step("together"))
    with server.hold("together") as held:
        batch = client.map("any", [[str(n)] for n in range(50)])
        assert len(held.reached(32)) == 32
    assert batch.wait(20, check=True).progress.total == 50


async def test_the_same_without_blocking(server: Server) -> None:
    server.program("echo", lambda job: job.say(*job.command))
    async with server.async_client() as client:
        handles = await asyncio.gather(*(client.run("echo", [str(n)]) for n in range(3)))
        told = [[line.text async for line in handle.logs(follow=True)] for handle in handles]
        await asyncio.gather(*(handle.wait(5, check=True) for handle in handles))
    assert told == [["0"], ["1"], ["2"]]
    assert isinstance(client, AsyncClient)


async def test_another_process_finds_it(server: Server) -> None:
    """Such as the command line."""
    server.program("echo", lambda job: job.say("hi"))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from tailrace.cli import main; main()",
        "run",
        "echo",
        env={**os.environ, **server.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaint = await process.communicate()
    assert said == b"hi\n", complaint.decode()
    assert server.requests[0].json["image"] == "echo"
