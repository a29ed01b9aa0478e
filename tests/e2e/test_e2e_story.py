"""The story that a log tells of its execution, in lines of ours between those of the program."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise

import pytest

from app.crash_points import CrashPoint
from support.crashes import crashing_worker, dies
from support.eventually import eventually
from support.history import check_history
from support.migrations import NewDatabase
from support.own import StartOwn
from support.programs import until_it_says
from support.registry import serving, silent_registry
from support.running import Running, running
from support.tokens import another_user

WORKER = r"worker \S+/\d+"
QUEUED = r"Queued by admin in pool default\."
PREPARED = rf"Attempt 1 is prepared by {WORKER}\."
STARTED = r"Started from busybox:local \(sha256:[0-9a-f]{12}\)\."


async def story(installation: Running, execution: str) -> list[str]:
    return (await installation.log_text(execution, streams="system")).splitlines()


def to_the_millisecond(at: datetime | None) -> str:
    """A time as the API writes it, with all that a record of the log can hold of it."""
    assert at is not None
    return at.isoformat(timespec="milliseconds").removesuffix("+00:00")


def check(lines: list[str], *patterns: str) -> None:
    """One line per pattern, in this order."""
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), (line, lines)


async def test_a_short_life_is_told_in_four_lines_with_the_times_of_what_they_tell(tailrace: Running) -> None:
    execution = await tailrace.submit("echo", "hi")
    record = await check_history(tailrace, execution)
    check(await story(tailrace, execution), QUEUED, PREPARED, STARTED, r"Ended, ok: Finished with exit code 0\.")
    lines = await tailrace.lines(execution, stream=["stdout", "system"])
    assert [line.seq for line in lines] == [1, 2, 3, 4, 5]
    events = [event["at"] for event in await tailrace.events(execution)]
    assert [to_the_millisecond(line.at) for line in lines[:2]] == [event[:23] for event in events[:2]]
    assert [line.text for line in lines[3:]] == ["hi", "Ended, ok: Finished with exit code 0."]
    assert (record["log"]["lines"], record["log"]["bytes"]) == (5, len("hi\n"))


async def test_who_queued_it_is_told_and_where(tailrace: Running) -> None:
    ada = await another_user(tailrace, "ada")
    execution = await ada.submit("true")
    await check_history(ada, execution)
    assert (await story(ada, execution))[0] == "Queued by ada in pool default."


async def test_what_was_held_and_released_is_told(tailrace: Running) -> None:
    ada = await another_user(tailrace, "ada")
    execution = await ada.submit("true", hold=True)
    # Had it been claimed, it would be over when this one is.
    await check_history(ada, await ada.submit("true"))
    assert (await ada.execution(execution))["waiting_on"] == "hold"
    await (await ada.api.get(execution)).release()
    await check_history(ada, execution)
    queued, released, prepared, *_ = await story(ada, execution)
    assert (queued, released) == ("Queued by ada in pool default.", "Released by ada.")
    assert re.fullmatch(PREPARED, prepared)


async def test_a_cancellation_is_told_rung_by_rung(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", "trap '' TERM; echo ready; sleep 600", limits={"grace": 4})
    await until_it_says(tailrace, execution, "ready")
    await tailrace.cancel(execution)
    await tailrace.cancel(execution)
    await check_history(tailrace, execution)
    check(
        await story(tailrace, execution),
        *(QUEUED, PREPARED, STARTED),
        r"Stop: admin asked for it\.",
        r"The program is told, and has [0-4] s until it is killed\.",
        r"SIGTERM is sent\.",
        r"SIGKILL is sent\.",
        r"Ended, canceled_by_user: Canceled by admin\.",
    )


async def test_a_timeout_is_told_with_the_clock_that_ran_out(tailrace: Running) -> None:
    execution = await tailrace.submit("sleep", "600", limits={"timeout": 1, "grace": 60})
    await check_history(tailrace, execution)
    check(
        await story(tailrace, execution),
        *(QUEUED, PREPARED, STARTED),
        r"Stop: it has run for its timeout of 1 s\.",
        r"The program is told, and has \d+ s until it is killed\.",
        r"SIGTERM is sent\.",
        r"Ended, run_timeout: .*",
    )


async def test_a_stop_before_the_start_is_told_too(tailrace: Running) -> None:
    async with silent_registry() as registry:
        execution = await tailrace.submit(image=f"{registry}/app:1")
        await eventually(lambda: told(tailrace, execution, f"Pulling {registry}/app:1."))
        await tailrace.cancel(execution)
        await check_history(tailrace, execution)
    check(
        await story(tailrace, execution),
        *(QUEUED, PREPARED, rf"Pulling {registry}/app:1\.", r"Stop: admin asked for it\."),
        r"Ended, canceled_by_user: Canceled by admin before the program was started\.",
    )


async def told(installation: Running, execution: str, beginning: str) -> bool:
    return any(line.startswith(beginning) for line in await story(installation, execution))


async def test_a_pull_is_told_layer_by_layer(tailrace: Running) -> None:
    async with serving() as registry:
        image = f"{registry.host}/layered:1"
        registry.last_gate.clear()
        execution = await tailrace.submit(image=image)
        await eventually(lambda: told(tailrace, execution, f"Pulling {image}: 2 of 3 layers, "), within=60)
        assert (await tailrace.execution(execution))["phase"] == "pulling"
        registry.last_gate.set()
        await check_history(tailrace, execution, log_complete=None)
        lines = await story(tailrace, execution)
        assert lines[2] == f"Pulling {image}."
        # At first, and then now and then: not with every message of the engine.
        between = [line for line in lines if line.startswith(f"Pulling {image}: ")]
        assert all(re.search(r": \d of 3 layers, \d.* of \d.*\.$", line) for line in between), lines
        assert len(between) < 10
        (pulled,) = [line for line in lines if line.startswith("Pulled ")]
        assert re.fullmatch(rf"Pulled {image} in \d+\.\d s: 3 layers, 3\.\d MiB\.", pulled)


async def test_what_is_collected_and_what_the_program_warns_of_is_told(tailrace: Running) -> None:
    program = """
        echo '{"warning": "low on tea"}' >> /tailrace/events
        head -c 2048 /dev/zero > /tailrace/outputs/a; echo > /tailrace/outputs/b; echo > /tailrace/checkpoint/c
        printf 'no newline'
    """
    execution = await tailrace.submit("sh", "-c", program)
    await check_history(tailrace, execution)
    check(
        await story(tailrace, execution),
        *(QUEUED, PREPARED, STARTED, r"Warning: low on tea"),
        r"Collected 2 outputs of 2\.0 KiB and 1 checkpoint file of 1 B\.",
        r"Ended, ok: .*",
    )
    seqs = {line.text.split(" ")[0]: line.seq for line in await tailrace.lines(execution, stream="stdout,system")}
    assert seqs["no"] < seqs["Collected"] < seqs["Ended,"], "what the program said last comes before what became of it"


async def test_another_attempt_is_told_with_its_reason(tailrace: Running) -> None:
    program = '[ "$TAILRACE_ATTEMPT" = 2 ] || exit 3'
    execution = await tailrace.submit("sh", "-c", program, max_attempts=2, retry_on=[3])
    await check_history(tailrace, execution)
    check(
        await story(tailrace, execution),
        *(QUEUED, PREPARED, STARTED, r"Ended, exit_nonzero: Exit code 3\."),
        r"Queued again after exit_nonzero, for attempt 2, which waits for [01]\.\d s\.",
        *(PREPARED.replace("Attempt 1", "Attempt 2"), STARTED),
        r"Ended, ok: .*",
    )
    queued, prepared = [line.at for line in await tailrace.lines(execution, stream="system")][4:6]
    assert queued is not None
    assert prepared is not None
    assert (prepared - queued).total_seconds() >= 0.4, "the times are those of the waiting"


async def test_what_happened_while_no_worker_lived_is_told_by_the_next(own: StartOwn) -> None:
    installation = await own()
    execution = await installation.submit("sh", "-c", "trap '' TERM; echo ready; sleep 600", limits={"grace": 1})
    await until_it_says(installation, execution, "ready")
    await installation.stop("worker", signal.SIGKILL)
    await installation.cancel(execution)
    asked_at = (await installation.events(execution))[-1]["at"]
    await installation.start("worker", "worker")
    await check_history(installation, execution)
    lines = await story(installation, execution)
    assert lines[3] == "Stop: admin asked for it."
    assert lines[4].startswith("Taken over by ")
    assert lines[-2:] == ["SIGKILL is sent.", "Ended, canceled_by_user: Canceled by admin."]
    told_at = {line.text: line.at for line in await installation.lines(execution, stream="system")}
    assert to_the_millisecond(told_at["Stop: admin asked for it."]) == asked_at[:23]


@pytest.fixture(scope="module")
async def deadly(
    images: None, new_database: NewDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """One whose workers may die."""
    directory = tmp_path_factory.mktemp("deadly")
    async with running(directory, database_url=await new_database(), redis_url=redis_url) as installation:
        yield installation


@pytest.mark.parametrize(
    "point",
    [
        CrashPoint.CLAIMED,
        pytest.param(CrashPoint.START_NOTED, marks=pytest.mark.slow),
        CrashPoint.NOTICE_COMMITTED,
        pytest.param(CrashPoint.LOG_COMMITTED, marks=pytest.mark.slow),
        CrashPoint.COLLECTED,
        CrashPoint.FINISHED,
    ],
)
async def test_wherever_a_worker_dies_every_move_and_step_is_told_once(deadly: Running, point: CrashPoint) -> None:
    installation = deadly
    await installation.stop("worker")
    program = "trap 'echo > /tailrace/outputs/x; exit 9' TERM; echo ready; while :; do sleep 0.1; done"
    execution = await installation.submit("sh", "-c", program, limits={"grace": 60, "timeout": 1})
    await crashing_worker(installation, point)
    await dies(installation, "worker")
    await installation.start("worker", "worker")
    record = await check_history(installation, execution)
    lines = [line for line in await story(installation, execution) if not line.startswith("Taken over by ")]
    attempts = record["attempt"]
    beginnings = ["Queued by ", "Attempt 1 is prepared by "]
    if attempts == 2:
        beginnings += ["Queued again. The worker that prepared it went away", "Attempt 2 is prepared by "]
    beginnings += ["Started from ", "Stop: it has run", "The program is told", "SIGTERM is sent", "Collected 1 output"]
    beginnings += ["Ended, run_timeout: "]
    assert [line[: len(start)] for line, start in zip(lines, beginnings, strict=True)] == beginnings, lines


async def test_lines_of_ours_never_come_after_the_end(tailrace: Running) -> None:
    executions = [await tailrace.submit("sh", "-c", f"exit {number % 3}") for number in range(8)]
    await asyncio.gather(*(check_history(tailrace, execution) for execution in executions))
    for execution in executions:
        lines = await tailrace.lines(execution, stream=["stdout", "stderr", "system"])
        assert lines[-1].text.startswith("Ended, ")
        assert all(before.seq + 1 == after.seq for before, after in pairwise(lines))
