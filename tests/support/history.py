"""What must hold of every execution that has ended, whatever it was: record, events and attempts agree."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

from app.executions.states import NEXT, STATUS_OF, TERMINAL, Cause, Status
from support.running import Running

Json = dict[str, Any]

ONCE_PER_ATTEMPT = (
    "Started from ",
    "Stop: ",
    "The program is told",
    "SIGTERM is sent",
    "SIGKILL is sent",
    "Collected ",
    "Ended, ",
)


async def check_history(installation: Running, execution: str, *, log_complete: bool | None = True) -> Json:
    """The record of an execution that has ended, after everything about it was found to agree.

    `log_complete`: what the record has to say of its log; None if it may say either.
    """
    record = await installation.ended(execution)
    _check_record(record)
    assert log_complete is None or record["log"]["complete"] is log_complete
    _check_events(record, await installation.events(execution))
    _check_attempts(record, await installation.attempts(execution))
    _check_story(record, (await installation.log_text(execution, streams="system")).splitlines())
    return record


def moment(text: str) -> datetime:
    """A time of the API."""
    at = datetime.fromisoformat(text)
    assert at.tzinfo is not None, text
    return at


def _check_record(record: Json) -> None:
    assert Status(record["status"]) in TERMINAL
    assert STATUS_OF[Cause(record["cause"])] == record["status"]
    assert record["message"][0].isupper(), record["message"]
    assert bool(record["hint"]) == (record["cause"] != "ok")
    assert record["phase"] is None
    assert record["waiting_on"] is None
    _check_times(record)


def _check_times(record: Json) -> None:
    # One that was queued anew had been started before.
    queued = ("queued_at",) if record["attempt"] == 1 else ()
    times = [record[name] for name in ("created_at", *queued, "started_at", "finished_at") if record[name]]
    assert [moment(at) for at in times] == sorted(map(moment, times))
    assert record["queue_seconds"] >= 0
    if record["started_at"] is None:
        assert record["run_seconds"] is None
    else:
        ran = moment(record["finished_at"]) - moment(record["started_at"])
        assert abs(record["run_seconds"] - ran.total_seconds()) < 0.01


def _check_events(record: Json, events: list[Json]) -> None:
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["from"], events[0]["to"]) == (None, "queued")
    for before, after in pairwise(events):
        assert after["from"] == before["to"]
        assert Status(after["to"]) in {after["from"], *NEXT[Status(after["from"])]}, events
        assert moment(before["at"]) <= moment(after["at"])
        assert before["cause"] is None
    last = events[-1]
    assert (last["to"], last["cause"]) == (record["status"], record["cause"])
    assert last["message"] == record["message"]
    assert all(event["actor"] for event in events)


def _check_attempts(record: Json, attempts: list[Json]) -> None:
    assert [attempt["number"] for attempt in attempts] == list(range(1, record["attempt"] + 1))
    for attempt in attempts:
        assert attempt["finished_at"] is not None
        steps = ("claimed_at", "started_at", "stop_written_at", "signaled_at", "killed_at", "finished_at")
        times = [moment(attempt[step]) for step in steps if attempt[step]]
        assert times == sorted(times), attempt
    if attempts:
        last = attempts[-1]
        assert (last["exit_code"], last["cause"]) == (record["exit_code"], record["cause"])
        started = [attempt["started_at"] for attempt in attempts if attempt["started_at"]]
        assert bool(started) == (record["started_at"] is not None)
        logs = [attempt["log"] for attempt in attempts]
        assert [log["after"] for log in logs[1:]] == [log["last"] for log in logs[:-1]]
        assert logs[-1]["last"] == record["log"]["lines"]


def _check_story(record: Json, lines: list[str]) -> None:
    """Nothing in the log's own lines is told twice."""
    told = {
        "Queued by ": 1,
        **{f"Attempt {number} is prepared by ": 1 for number in range(1, record["attempt"] + 1)},
        **dict.fromkeys(ONCE_PER_ATTEMPT, record["attempt"]),
    }
    for beginning, most in told.items():
        assert sum(line.startswith(beginning) for line in lines) <= most, lines
