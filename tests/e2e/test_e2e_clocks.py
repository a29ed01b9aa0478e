"""Every clock of an execution ends it by its own name, moves while it runs, and outlives the worker that kept it."""

import json
import signal
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from support.eventually import eventually
from support.history import check_history, moment
from support.own import StartOwn
from support.programs import MARGIN, the_attempt, until_it_says
from support.registry import silent_registry
from support.running import Running
from tailrace import Record

# Says what it finds of its time whenever that has changed.
TELL = """
    last=; while :; do
        now="$(cat /tailrace/deadline) $([ -f /tailrace/warning ] && echo warned || echo calm)"
        [ "$now" = "$last" ] || echo "$now"
        last=$now; sleep 0.1
    done
"""


async def change(installation: Running, execution: str, **limits: Any) -> Record:
    return await (await installation.api.get(execution)).change(limits=limits)


async def finds(installation: Running, execution: str, word: str, deadline: str) -> None:
    """Wait until the program has found this deadline, and whether it is warned of it."""
    wanted = f"{moment(deadline).timestamp():.3f} {word}"

    async def found() -> bool:
        return (await installation.log_text(execution)).splitlines()[-1:] == [wanted]

    await eventually(found, within=90)


async def test_who_writes_nothing_for_too_long_is_stopped(tailrace: Running) -> None:
    """Bytes count, not lines, and not those of other streams than its own."""
    program = "for i in 1 2 3 4 5 6 7 8; do printf . >&2; sleep 1; done; echo; echo quiet now; sleep 600"
    execution = await tailrace.submit("sh", "-c", program, limits={"idle_timeout": 5, "grace": 1})
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"]) == ("timed_out", "idle_timeout")
    assert record["message"] == "Wrote nothing for its idle_timeout of 5 s."
    assert (record["stop"]["reason"], record["stop"]["by"]) == ("timeout", "system")
    # It was not cut short before, and had its time after that. What it says is timed where it is read.
    (quiet,) = [line for line in await tailrace.lines(execution, stream="stdout") if line.text == "quiet now"]
    assert quiet.at is not None
    assert (moment(record["stop"]["requested_at"]) - quiet.at).total_seconds() > 4
    assert record["run_seconds"] < 8 + 5 + MARGIN
    stopped = next(event for event in await tailrace.events(execution) if event["to"] == "stopping")
    assert stopped["message"] == "It has written nothing for its idle_timeout of 5 s."


async def test_an_idle_program_may_be_tried_again(tailrace: Running) -> None:
    program = "[ $TAILRACE_ATTEMPT = 2 ] && exit 0; sleep 600"
    execution = await tailrace.submit(
        "sh", "-c", program, limits={"idle_timeout": 3, "grace": 0}, max_attempts=2, on_timeout="retry"
    )
    record = await check_history(tailrace, execution)
    assert (record["status"], record["attempt"]) == ("succeeded", 2)
    attempts = await tailrace.attempts(execution)
    assert [attempt["cause"] for attempt in attempts] == ["idle_timeout", "ok"]


async def test_a_deadline_that_moves_is_found_by_the_program_and_warned_of_in_time(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", TELL, limits={"timeout": 5000, "warn_before": 1000, "grace": 1})
    record = await tailrace.reaches(execution, "running")
    await finds(tailrace, execution, "calm", record["deadline"])
    near = await change(tailrace, execution, timeout=900)
    assert moment(record["deadline"]) - moment(near["deadline"]) == timedelta(seconds=4100)
    await finds(tailrace, execution, "warned", near["deadline"])
    far = await change(tailrace, execution, timeout=3000)
    await finds(tailrace, execution, "calm", far["deadline"])
    await change(tailrace, execution, timeout=1)
    ended = await check_history(tailrace, execution)
    assert (ended["status"], ended["cause"]) == ("timed_out", "run_timeout")
    assert ended["message"] == "Ran longer than its timeout of 1 s."
    said = [event["message"] for event in await tailrace.events(execution) if event["from"] == event["to"]]
    assert said == [
        "admin changed limits.timeout from 5000 to 900.",
        "admin changed limits.timeout from 900 to 3000.",
        "admin changed limits.timeout from 3000 to 1.",
    ]
    told = (await tailrace.log_text(execution, streams="system")).splitlines()
    assert [line for line in told if "changed" in line] == said
    # Should it have run for less than a second by the last change, it was warned of that too.
    warned = [int(line.split()[-2]) for line in told if line.startswith("The program is warned")]
    assert len([seconds for seconds in warned if seconds > 1]) == 1


async def test_a_warning_comes_so_many_seconds_ahead(tailrace: Running) -> None:
    program = "while [ ! -f /tailrace/warning ]; do sleep 0.1; done; cat /tailrace/warning; echo; date +%s"
    execution = await tailrace.submit("sh", "-c", program, limits={"timeout": 303, "warn_before": 300})
    record = await tailrace.reaches(execution, "running", "succeeded")
    ended = await check_history(tailrace, execution)
    warning, now = (await tailrace.log_text(execution)).splitlines()
    assert 300 - MARGIN < json.loads(warning)["seconds"] <= 300
    if record["deadline"] is not None:
        assert f'"deadline":{moment(record["deadline"]).timestamp()}' in warning
        assert 300 - MARGIN < moment(record["deadline"]).timestamp() - int(now) <= 301
    assert ended["run_seconds"] >= 3


async def test_the_grace_of_one_that_stops_can_be_cut_short(tailrace: Running) -> None:
    execution = await tailrace.submit(
        "sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done", limits={"grace": 600}
    )
    await until_it_says(tailrace, execution, "deaf")
    await tailrace.cancel(execution)
    await change(tailrace, execution, grace=1)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["exit_code"]) == ("canceled", 137)
    assert (await the_attempt(tailrace, execution))["killed_at"] is not None


async def test_what_waits_for_too_long_ends_in_the_queue(tailrace: Running) -> None:
    pool = f"pool-{uuid4().hex[:8]}"
    await tailrace.api.pools.create(name=pool)
    execution = await tailrace.submit("true", pool=pool, limits={"queue_timeout": 1})
    held = await tailrace.submit("true", pool=pool, limits={"queue_timeout": 1}, hold=True)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["attempt"]) == ("timed_out", "queue_timeout", 0)
    assert record["message"] == "Waited in the queue for its queue_timeout of 1 s."
    assert record["queue_seconds"] >= 1
    assert (await tailrace.execution(held))["status"] == "queued"
    await (await tailrace.api.get(held)).release()
    assert (await check_history(tailrace, held))["cause"] == "queue_timeout"


async def test_the_time_to_pull_can_be_cut_short(tailrace: Running) -> None:
    async with silent_registry() as registry:
        execution = await tailrace.submit(image=f"{registry}/app:1", limits={"pull_timeout": 80_000})

        async def pulls() -> bool:
            return bool((await tailrace.execution(execution))["phase"] == "pulling")

        await eventually(pulls, within=60)
        await change(tailrace, execution, pull_timeout=1)
        record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"]) == ("timed_out", "pull_timeout")
    assert "`limits.pull_timeout` of 1 s" in record["message"]


async def test_it_is_not_started_before_its_time(tailrace: Running) -> None:
    at = datetime.now(UTC) + timedelta(seconds=4)
    execution = await tailrace.submit("true", not_before=at.isoformat())
    record = await tailrace.execution(execution)
    assert moment(record["not_before"]) == at
    assert (record["status"], record["waiting_on"]) == ("queued", "not_before")
    record = await check_history(tailrace, execution)
    assert record["status"] == "succeeded"
    assert moment(record["started_at"]) >= at


async def test_clocks_outlive_their_worker(own: StartOwn) -> None:
    installation = await own()
    limits = {"timeout": 5000, "warn_before": 4990, "grace": 1}
    silent = await installation.submit("sh", "-c", "echo once; exec sleep 600", limits={**limits, "idle_timeout": 12})
    talking = await installation.submit("sh", "-c", TELL, limits=limits)
    await installation.reaches(talking, "running")
    await until_it_says(installation, silent, "once")
    await installation.stop("worker", signal.SIGKILL)
    near = await change(installation, talking, timeout=4000)
    await installation.start("worker", "worker")
    await finds(installation, talking, "warned", near["deadline"])
    record = await check_history(installation, silent)
    assert (record["status"], record["cause"], record["attempt"]) == ("timed_out", "idle_timeout", 1)
    # What it was silent before the new worker came counts.
    waited = moment(record["stop"]["requested_at"]) - moment(record["started_at"])
    assert 12 <= waited.total_seconds() < 12 + MARGIN
    await change(installation, talking, timeout=1)
    assert (await check_history(installation, talking))["cause"] == "run_timeout"
