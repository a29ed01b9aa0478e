"""The command line as a process: signals, pipes, bytes."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from support.eventually import eventually
from support.fault_proxy import fault_proxy
from support.running import Running

PROGRAM = str(Path(sys.executable).with_name("tailrace"))


async def start(tailrace: Running, *arguments: str, **variables: str) -> Process:
    """One command, with its output for us to read."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TAILRACE_")}
    environment = {**ours, "TAILRACE_URL": tailrace.url, "TAILRACE_TOKEN": tailrace.token, **variables}
    return await asyncio.create_subprocess_exec(PROGRAM, *arguments, env=environment, stdout=PIPE, stderr=PIPE)


async def line(stream: asyncio.StreamReader | None, what: str) -> str:
    """Read on to a line that has this in it."""
    assert stream is not None
    seen = []
    async with asyncio.timeout(90):
        async for read in stream:
            seen.append(read.decode())
            if what in seen[-1]:
                return seen[-1]
    raise AssertionError(f"no {what!r} in {seen}")


async def of(process: Process) -> tuple[int | None, bytes, str]:
    """Its end, and what is left to read."""
    async with asyncio.timeout(90):
        out, err = await process.communicate()
    return process.returncode, out, err.decode()


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_ctrl_c_asks_the_program_and_its_last_words_are_heard(
    tailrace: Running, asked: signal.Signals
) -> None:
    script = 'trap "echo saved; exit 0" TERM; echo ready; while :; do sleep 0.1; done'
    process = await start(tailrace, "run", "--story", "--limit", "grace=60", "busybox:local", "--", "sh", "-c", script)
    execution = (await line(process.stderr, "— ")).split()[-1]
    await line(process.stdout, "ready")
    process.send_signal(asked)
    code, out, err = await of(process)
    assert (code, out) == (130, b"saved\n")
    assert "Asking it to stop" in err
    record = await tailrace.ended(execution)
    assert (record["status"], record["cause"]) == ("canceled", "canceled_by_user")


async def test_the_second_ctrl_c_kills_what_does_not_listen(tailrace: Running) -> None:
    script = 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
    process = await start(tailrace, "run", "--limit", "grace=600", "busybox:local", "--", "sh", "-c", script)
    await line(process.stdout, "ready")
    process.send_signal(signal.SIGINT)
    await line(process.stderr, "Asking it to stop")
    process.send_signal(signal.SIGINT)
    code, _, err = await of(process)
    assert code == 130
    assert "Killing it" in err


async def test_the_third_ctrl_c_leaves_it_as_it_is(tailrace: Running) -> None:
    address = ("127.0.0.1", int(tailrace.url.rpartition(":")[2]))
    async with fault_proxy(("127.0.0.1", 0), address) as proxy:
        script = 'trap "" TERM; echo ready; sleep 600'
        url = f"http://127.0.0.1:{proxy.port}"
        process = await start(tailrace, "run", "busybox:local", "--", "sh", "-c", script, TAILRACE_URL=url)
        await line(process.stdout, "ready")
        # Neither the request to stop nor the one to kill gets through, so it is the third that ends it.
        await proxy.hang()
        for number in (signal.SIGINT, signal.SIGTERM):
            before = threads_of(process)
            process.send_signal(number)
            await eventually(lambda before=before: threads_of(process) > before)
        process.send_signal(signal.SIGINT)
        code, _, err = await of(process)
    said, execution = err.rsplit(maxsplit=1)
    assert (code, said) == (130, "— Left to itself:")
    assert (await tailrace.execution(execution))["status"] == "running"
    await tailrace.cancel(execution, force=True)


def threads_of(process: Process) -> int:
    """How many it has: each Ctrl-C is passed on by one of its own."""
    return sum(1 for _ in Path(f"/proc/{process.pid}/task").iterdir())


async def test_ctrl_c_typed_into_a_terminal_reaches_the_program(tailrace: Running) -> None:
    master, slave = os.openpty()
    ours = {name: value for name, value in os.environ.items() if not name.startswith("TAILRACE_")}
    script = 'trap "echo saved; exit 0" TERM; echo ready; while :; do sleep 0.1; done'
    # A session of its own, whose terminal this is: what is typed there becomes a signal.
    taking = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", taking, PROGRAM, "run", "busybox:local", "--", "sh", "-c", script,
        env={**ours, "TAILRACE_URL": tailrace.url, "TAILRACE_TOKEN": tailrace.token, "TERM": "xterm"},
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    os.set_blocking(master, False)
    shown = b""

    def has(what: bytes) -> bool:
        nonlocal shown
        with suppress(BlockingIOError, OSError):
            shown += os.read(master, 65536)
        return what in shown

    try:
        await eventually(lambda: has(b"ready"), within=60)
        os.write(master, b"\x03")
        await eventually(lambda: has(b"saved"), within=60)
        async with asyncio.timeout(60):
            assert await process.wait() == 130
    finally:
        os.close(master)
    assert b"Asking it to stop. Ctrl-C again kills it." in shown


async def test_all_that_happens_is_followed(tailrace: Running) -> None:
    process = await start(tailrace, "events", "-f", "--status", "canceled", "-o", "json")
    mark = uuid4().hex

    async def told() -> str:
        """Somebody has to be there first: again until it is heard."""
        while True:
            execution = await tailrace.submit("true", name=mark, hold=True)
            await tailrace.cancel(execution)
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    return await line(process.stdout, mark)

    async with asyncio.timeout(60):
        happening = json.loads(await told())
    assert (happening["status"], happening["name"], happening["cursor"] > 0) == ("canceled", mark, True)
    process.send_signal(signal.SIGINT)
    code, _, err = await of(process)
    assert (code, err) == (130, "")
    after = str(happening["cursor"] - 1)
    process = await start(tailrace, "events", "-f", "--status", "canceled", "--after", after)
    assert "queued → canceled" in await line(process.stdout, mark)
    process.send_signal(signal.SIGTERM)
    await of(process)


async def test_ctrl_c_ends_the_watching_and_nothing_else(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", "echo ready; sleep 600", limits={"grace": 1})
    process = await start(tailrace, "logs", "-f", execution)
    await line(process.stdout, "ready")
    process.send_signal(signal.SIGINT)
    assert await of(process) == (130, b"", "")
    assert (await tailrace.execution(execution))["status"] == "running"
    await tailrace.cancel(execution, force=True)


async def test_a_pipe_that_nobody_reads_leaves_it_alone(tailrace: Running) -> None:
    script = "i=0; while [ $i -lt 200000 ]; do echo line $i; i=$((i+1)); done"
    process = await start(tailrace, "run", "busybox:local", "--", "sh", "-c", script)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"line 0\n"
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
    code, _, err = await of(process)
    assert code == 141
    execution = err.split()[-1]
    assert "Traceback" not in err
    assert (await tailrace.ended(execution))["status"] == "succeeded"


async def test_bytes_that_are_no_text_pass_through_raw(tailrace: Running) -> None:
    process = await start(tailrace, "run", "busybox:local", "--", "printf", r"\377\376x\n", LANG="C", LC_ALL="C")
    code, out, _ = await of(process)
    assert (code, out) == (0, "��x\n".encode())
    code, out, _ = await of(await start(tailrace, "logs", "--raw", "@last"))
    assert (code, out) == (0, b"\xff\xfex\n")


async def test_json_goes_into_a_parser(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", "exit 3")
    await tailrace.ended(execution)
    parser = 'import json, sys; print(json.load(sys.stdin)["exit_code"])'
    pipeline = f"'{PROGRAM}' show {execution} -o json | '{sys.executable}' -c '{parser}'"
    environment = {**os.environ, "TAILRACE_URL": tailrace.url, "TAILRACE_TOKEN": tailrace.token}
    shell = await asyncio.create_subprocess_exec("sh", "-c", pipeline, stdout=PIPE, stderr=PIPE, env=environment)
    assert await of(shell) == (0, b"3\n", "")
