"""Frames of all executions, and who gets which."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from app.batches.model import ended_of
from app.events.protocol import (
    FRAMES,
    Subject,
    batch_frame,
    execution_frame,
    hello_frame,
    pack_progress,
    progress_frame,
    resync_frame,
    unpack_progress,
)
from app.events.store import BatchEnded, Happened, Progressed
from app.events.wanted import Wanted
from app.executions.model import Event
from app.executions.states import Cause, Status
from support.values import NOON, an_id

SUBJECT = Subject("ann", "gpu", {"team": "a", "kind": "x=y"})
ENDED = Event(
    number=4,
    from_status=Status.RUNNING,
    to_status=Status.FAILED,
    cause=Cause.EXIT_NONZERO,
    message="Exit code 3.",
    actor="worker here/1",
    attempt=1,
    at=NOON,
)


# As the database gives it, with what is no field of a record. It stays as it is: later versions read what is kept.
BATCH = ended_of(
    {
        "record": {
            **dict.fromkeys(("note", "max_parallel", "stop_reason", "stop_by", "stop_message", "stop_requested_at")),
            **dict.fromkeys(("delete_requested_at", "delete_requested_by", "rerun_of"), None),
            "id": str(an_id(3)),
            "owner": "ann",
            "name": "sweep",
            "labels": {"team": "a"},
            "size": 3,
            "fail_fast": False,
            "has_needs": False,
            "children": {"succeeded": 2, "failed": 1},
            "created_at": "2026-01-01T09:00:00.5+00:00",
            "finished_at": "2026-01-01T10:00:00+00:00",
        },
        "pools": ["gpu", "default"],
        "methods": [],
    }
)


def frame_of(event: Event) -> bytes:
    return execution_frame(9, an_id(1), event, SUBJECT, name="n", image="i", created_at=NOON, exit_code=3)


def happened(event: Event = ENDED) -> Happened:
    return Happened(9, SUBJECT, event, frame_of(event), an_id(1))


@pytest.mark.parametrize(
    ("kind", "frame"),
    [
        ("hello", hello_frame(5)),
        ("execution", frame_of(ENDED)),
        ("progress", progress_frame(an_id(1), 5, None, NOON)),
        ("batch", batch_frame(5, BATCH)),
        ("resync", resync_frame(5)),
    ],
)
def test_a_frame_has_the_fields_of_its_type(kind: str, frame: bytes) -> None:
    content = orjson.loads(frame)
    assert content["type"] == kind
    assert content.keys() == FRAMES[kind].__annotations__.keys()


def test_only_an_end_has_an_exit_code() -> None:
    began = Event(**{**{name: getattr(ENDED, name) for name in ENDED.__slots__}, "to_status": Status.STOPPING})
    assert (orjson.loads(frame_of(ENDED))["exit_code"], orjson.loads(frame_of(began))["exit_code"]) == (3, None)


def test_progress_travels_with_who_may_see_it() -> None:
    odd = Subject('a"\nb', "p", {"k\n": "v\n"})
    frame = progress_frame(an_id(2), 50, "line\nbreak", datetime(2026, 1, 1, tzinfo=UTC))
    assert unpack_progress(pack_progress(odd, frame)) == (odd, frame)


@pytest.mark.parametrize(
    ("filters", "taken"),
    [
        ({}, True),
        ({"owner": "ann"}, True),
        ({"owner": "bob"}, False),
        ({"pools": frozenset({"gpu", "default"})}, True),
        ({"pools": frozenset({"default"})}, False),
        ({"statuses": frozenset({Status.FAILED})}, True),
        ({"statuses": frozenset({Status.RUNNING})}, True),
        ({"statuses": frozenset({Status.QUEUED})}, False),
        ({"labels": {"team": "a"}}, True),
        ({"labels": {"team": "a", "kind": "x=y"}}, True),
        ({"labels": {"team": "b"}}, False),
        ({"labels": {"other": "a"}}, False),
        ({"owner": "bob", "statuses": frozenset({Status.FAILED})}, False),
    ],
)
def test_all_filters_must_hold(filters: dict[str, Any], *, taken: bool) -> None:
    assert Wanted(**filters).takes(happened()) is taken


@pytest.mark.parametrize(
    ("filters", "taken"),
    [
        ({}, True),
        ({"owner": "bob"}, False),
        ({"pools": frozenset({"gpu"})}, True),
        ({"pools": frozenset({"cpu"})}, False),
        ({"statuses": frozenset({Status.FAILED})}, True),
        ({"statuses": frozenset({Status.RUNNING, Status.SUCCEEDED})}, False),
        ({"labels": {"team": "a"}}, True),
        ({"labels": {"team": "b"}}, False),
    ],
)
def test_a_batch_is_of_the_status_that_it_ended_with_and_of_all_its_pools(
    filters: dict[str, Any], *, taken: bool
) -> None:
    assert Wanted(**filters).takes(BatchEnded(5, BATCH, batch_frame(5, BATCH))) is taken


@pytest.mark.parametrize(("status", "taken"), [("running", True), ("stopping", True), ("queued", False)])
def test_progress_is_of_what_runs(status: str, *, taken: bool) -> None:
    progress = Progressed(SUBJECT, progress_frame(an_id(1), 5, None, NOON))
    assert Wanted(statuses=frozenset({Status(status)})).takes(progress) is taken
    assert Wanted().takes(progress)
    assert not Wanted(owner="bob").takes(progress)
