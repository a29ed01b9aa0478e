"""The WebSocket: live, resumable at the exact line, the same for everybody."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

from support.eventually import eventually
from support.history import check_history
from support.logs import Follower, close_code, joined
from support.own import StartOwn
from support.running import TERMINAL, Running, lines_of
from support.tokens import another_user

# Writes numbered lines of changing length, for as long as it takes to be watched.
PROGRAM = """
import sys, time
count, pause = int(sys.argv[1]), float(sys.argv[2])
for number in range(count):
    print(number, "x" * (number * 7919 % 97))
    if number % 500 == 499:
        sys.stdout.flush()
        time.sleep(pause)
"""


def expected(count: int) -> str:
    """What it writes."""
    return "".join(f"{number} {'x' * (number * 7919 % 97)}\n" for number in range(count))


async def write_lines(tailrace: Running, count: int, pause: float) -> str:
    return await tailrace.submit("python3", "-c", PROGRAM, str(count), str(pause), image="python:local")


async def cut_and_resume(tailrace: Running, cuts: int) -> None:
    execution = await write_lines(tailrace, 100_000, 0.04)
    reader = Follower(tailrace, execution)
    chance = random.Random(11)  # noqa: S311 - the same cuts every time
    live = 0
    for _ in range(cuts):
        await reader.read(frames=chance.randint(1, 12))
        live += reader.end is None and reader.statuses[-1] not in TERMINAL
        if reader.end is not None:
            # It ended sooner than it was cut often enough: the rest of the cuts go into the past.
            reader = Follower(tailrace, execution)
    # How many is a matter of how busy the machine is, since the program does not wait for us.
    assert live > cuts / 10, "almost all cuts came after the end"
    await reader.read()
    assert reader.text() == expected(100_000)
    assert not reader.gaps
    assert (await check_history(tailrace, execution))["status"] == "succeeded"


async def test_a_reader_that_is_cut_again_and_again_has_every_byte_once(tailrace: Running) -> None:
    await cut_and_resume(tailrace, 15)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_reader_that_is_cut_a_hundred_times_has_every_byte_once(tailrace: Running) -> None:
    await cut_and_resume(tailrace, 100)


async def test_every_cursor_gives_exactly_the_rest(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", "for i in $(seq 40); do echo $i; done")
    whole = lines_of(await tailrace.frames(execution))
    last = whole[-1][0]
    assert [seq for seq, _, _ in whole] == list(range(1, last + 1))
    for after in (1, 2, 17, last - 1, last):
        frames = await tailrace.frames(execution, f"after={after}")
        assert frames[0]["after"] == after
        assert lines_of(frames) == whole[after:]
        assert frames[-1]["after"] == last
    for count in (0, 1, 5, last, last + 1000):
        frames = await tailrace.frames(execution, f"tail={count}")
        assert lines_of(frames) == whole[max(0, last - count) :]
    for query in ("", "after=", "after=0", "tail=&after="):
        assert lines_of(await tailrace.frames(execution, query)) == whole


async def test_streams_can_be_chosen_and_keep_their_seqs(tailrace: Running) -> None:
    program = "for i in $(seq 5); do echo out $i; echo err $i >&2; sleep 0.05; done"
    execution = await tailrace.submit("sh", "-c", program)
    live = await tailrace.frames(execution, "streams=stderr")
    whole = {seq: (letter, text) for seq, letter, text in lines_of(await tailrace.frames(execution))}
    for frames in (live, await tailrace.frames(execution, "streams=stderr")):
        found = lines_of(frames)
        assert [text for _, _, text in found] == [f"err {number}" for number in range(1, 6)]
        assert all(whole[seq] == ("e", text) for seq, _, text in found)
    both = lines_of(await tailrace.frames(execution, "streams=stdout,system"))
    for query in ("streams=stdout&streams=system", "streams=&streams=system,stdout"):
        assert lines_of(await tailrace.frames(execution, query)) == both
    assert lines_of(await tailrace.frames(execution, "streams=")) == lines_of(await tailrace.frames(execution))
    assert {letter for _, letter, _ in both} == {"o", "s"}


LEVELS = """
import sys, time
for number in range(40):
    level = "ERROR" if number % 8 == 3 else "INFO"
    print(f"{level}: number {number}", file=sys.stderr, flush=True)
    if level == "ERROR":
        print("  and why", file=sys.stderr, flush=True)
    print(f"\\x1b[1mstep\\x1b[0m {number}", flush=True)
    time.sleep(0.05)
"""


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("grep=step%20%5Cd%24&ansi=strip", lambda text: text.startswith("step ") and len(text) == 6),
        ("level=error", lambda text: text.startswith("ERROR") or "and why" in text),
        ("grep=NUMBER&ignore_case=true&invert=true&streams=stderr", lambda text: "and why" in text),
    ],
)
async def test_a_socket_can_be_narrowed_and_resumed_at_any_frame(
    tailrace: Running, query: str, wanted: Callable[[str], bool]
) -> None:
    execution = await tailrace.submit("python3", "-c", LEVELS, image="python:local")
    live = await tailrace.frames(execution, query)
    stripped = lines_of(await tailrace.frames(execution, "ansi=strip&streams=stdout,stderr"))
    expected = [line for line in stripped if wanted(line[2])]
    assert len(expected) >= 5
    assert lines_of(live, "o", "e") == expected
    assert live[-1]["after"] == (await tailrace.execution(execution))["log"]["lines"]
    later = await tailrace.frames(execution, query)
    assert lines_of(later, "o", "e") == expected
    for frame in later:
        if frame["type"] == "lines":
            cursor = frame["first"] + len(frame["lines"]) - 1
            rest = await tailrace.frames(execution, f"{query}&after={cursor}")
            assert lines_of(rest, "o", "e") == [line for line in expected if line[0] > cursor]


async def test_a_socket_begins_at_a_time(tailrace: Running, finished: str) -> None:
    whole = lines_of(await tailrace.frames(finished))
    assert lines_of(await tailrace.frames(finished, "since=1h")) == whole
    assert lines_of(await tailrace.frames(finished, "since=2100-01-01T00:00:00Z")) == []


async def test_the_frames_of_a_life(tailrace: Running) -> None:
    program = """echo '{"progress": 30, "phase": "half"}' >> /tailrace/events; echo hi; sleep 1; exit 4"""
    execution = await tailrace.submit("sh", "-c", program)
    reader = Follower(tailrace, execution)
    await reader.read()
    record = await check_history(tailrace, execution)
    assert reader.end == {
        "type": "end",
        "status": "failed",
        "cause": "exit_nonzero",
        "exit_code": 4,
        "lines": record["log"]["lines"],
        "bytes": 3,
        "after": record["log"]["lines"],
    }
    assert reader.text() == "hi\n"
    history = [event["to"] for event in await tailrace.events(execution)]
    # The first is from `hello`: events up to that one are not told again.
    assert reader.statuses == history[history.index(reader.statuses[0]) :]
    assert [(frame["percent"], frame["phase"]) for frame in reader.progress] == [(30, "half")]


async def test_a_socket_that_is_open_before_anything_happens_sees_all_of_it(tailrace: Running) -> None:
    blockers = [await tailrace.submit("sleep", "600") for _ in range(8)]
    for blocker in blockers:
        await tailrace.reaches(blocker, "running")
    execution = await tailrace.submit("echo", "hi")
    reader = Follower(tailrace, execution)
    reading = asyncio.create_task(reader.read())
    await eventually(lambda: reader.statuses == ["queued"])
    await asyncio.gather(*(tailrace.cancel(blocker, force=True) for blocker in blockers))
    await reading
    assert reader.statuses == ["queued", "preparing", "running", "succeeded"]
    assert reader.text() == "hi\n"


async def refusal(tailrace: Running, path: str, headers: dict[str, str]) -> int:
    """The code with which a socket is closed before any frame."""
    url = tailrace.url.replace("http", "ws", 1)
    async with connect(f"{url}/v1/executions/{path}", additional_headers=headers, compression=None) as refused:
        return await close_code(refused)


@pytest.fixture(scope="module")
async def finished(tailrace: Running) -> str:
    execution = await tailrace.submit("echo", "hi")
    await tailrace.ended(execution)
    return execution


@pytest.mark.parametrize(
    "query",
    [
        "after=-1",
        "after=x",
        "after=1.5",
        "after=99999999999999999999999",
        "after=%C2%B2",
        "tail=-5",
        "tail=all",
        "streams=stdout,nonsense",
        "nonsense=1",
        "after=0&nonsense=",
        "grep=(a",
        f"grep=({'%C3%A9' * 200}",
        "level=loud",
        "since=yesterday",
        "ansi=rainbow",
        "before=5",
        "follow=true",
    ],
)
async def test_a_bad_question_is_refused_by_4400(tailrace: Running, finished: str, query: str) -> None:
    assert await refusal(tailrace, f"{finished}/tail?{query}", tailrace.headers) == 4400


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}],
    ids=["none", "wrong", "another scheme", "empty"],
)
async def test_without_a_valid_token_the_code_is_4401(
    tailrace: Running, finished: str, headers: dict[str, str]
) -> None:
    assert await refusal(tailrace, f"{finished}/tail", headers) == 4401


@pytest.mark.parametrize("execution", [str(uuid4()), "nonsense", "0"], ids=["unknown", "nonsense", "0"])
async def test_what_does_not_exist_is_4404(tailrace: Running, execution: str) -> None:
    assert await refusal(tailrace, f"{execution}/tail", tailrace.headers) == 4404


async def test_what_belongs_to_somebody_else_is_4404_too(tailrace: Running, finished: str) -> None:
    mallory = await another_user(tailrace, "mallory")
    assert await refusal(tailrace, f"{finished}/tail", mallory.headers) == 4404
    for path in ("", "/logs", "/events", "/attempts", "/outputs", "/outputs.zip"):
        assert (await mallory.request("GET", f"/v1/executions/{finished}{path}")).status_code == 404
    assert (await mallory.cancel(finished)).status_code == 404
    own = await mallory.submit("echo", "mine")
    assert (await check_history(mallory, own))["owner"] == "mallory"
    assert [line[2] for line in lines_of(await mallory.frames(own), "o")] == ["mine"]
    assert [line[2] for line in lines_of(await tailrace.frames(own), "o")] == ["mine"]  # an admin sees it


async def watch(tailrace: Running, execution: str, ready: asyncio.Semaphore) -> bytes:
    """All bytes of a log, as one watcher gets them."""
    reader = Follower(tailrace, execution)
    ready.release()
    await reader.read()
    return orjson.dumps(reader.lines)


async def test_fifty_watchers_see_the_same_bytes(tailrace: Running) -> None:
    execution = await write_lines(tailrace, 5_000, 0.1)
    ready = asyncio.Semaphore(0)
    seen = await asyncio.gather(*(watch(tailrace, execution, ready) for _ in range(50)))
    assert len(set(seen)) == 1
    assert seen[0] == await watch(tailrace, execution, ready)
    reader = Follower(tailrace, execution)
    await reader.read()
    assert reader.text() == expected(5_000)


def small_socket(tailrace: Running) -> socket.socket:
    """A connection whose buffers are full at once."""
    url = urlsplit(tailrace.url)
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect((url.hostname, url.port))
    small.setblocking(False)
    return small


def connect_small(tailrace: Running, execution: str) -> connect:
    url = f"{tailrace.url.replace('http', 'ws', 1)}/v1/executions/{execution}/tail"
    sock = small_socket(tailrace)
    return connect(url, sock=sock, additional_headers=tailrace.headers, compression=None, max_size=2**24)


async def test_a_reader_that_stands_still_neither_slows_others_nor_loses_anything(tailrace: Running) -> None:
    execution = await write_lines(tailrace, 60_000, 0.01)
    async with connect_small(tailrace, execution) as stalled:
        # It takes one frame and then nothing more, while all buffers on the way fill up.
        assert orjson.loads(await stalled.recv())["type"] == "hello"
        stalled.transport.pause_reading()
        quick = Follower(tailrace, execution)
        await quick.read()
        assert quick.text() == expected(60_000)
        stalled.transport.resume_reading()
        lines = [line async for line in rest_of(stalled)]
    assert joined(lines, "o") == expected(60_000)
    assert (await check_history(tailrace, execution))["status"] == "succeeded"


async def test_a_reader_that_stands_still_for_too_long_is_cut_and_may_come_back(own: StartOwn) -> None:
    installation = await own(TAILRACE_STALLED_AFTER="1")
    execution = await write_lines(installation, 60_000, 0.0)
    reader = Follower(installation, execution)
    async with connect_small(installation, execution) as stalled:
        assert orjson.loads(await stalled.recv())["type"] == "hello"
        stalled.transport.pause_reading()
        await installation.ended(execution)
        await eventually(lambda: api_connections(installation) <= 1)  # the one that asks is the other
        stalled.transport.abort()
    await reader.read()
    assert reader.text() == expected(60_000)


def api_connections(installation: Running) -> int:
    """How many connections clients have to the API, as the kernel of this machine sees it."""
    port = f":{urlsplit(installation.url).port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(local.endswith(port) and state == "01" for _, local, _, state, *_ in rows)


async def rest_of(connection: ClientConnection) -> AsyncIterator[list[Any]]:
    """The lines of a socket that goes on."""
    async for message in connection:
        frame = orjson.loads(message)
        if frame["type"] == "lines":
            for line in frame["lines"]:
                yield line


async def test_a_client_that_talks_is_listened_to_and_ignored(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", "sleep 1; echo hi")
    async with tailrace.tail(execution) as talking:
        for _ in range(100):
            await talking.send("hello?")
        lines = [line async for line in rest_of(talking)]
    assert [line[2] for line in lines if line[1] == "o"] == ["hi"]
