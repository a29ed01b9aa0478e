"""What the log says of an execution."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.artifacts.model import Artifact
from app.executions.model import Event, Limits
from app.executions.states import Cause, Status
from support.values import NOON, a_record
from worker.ending import Kept
from worker.engine.layers import PullProgress
from worker.sentences import of_kept, of_move, of_notice, of_pull, of_pulled, of_start, size

RECORD = a_record(pool="gpu", limits=Limits(timeout=90), not_before=NOON + timedelta(seconds=2.5))


def moved(status: Status, *, before: Status | None = Status.RUNNING, actor: str = "ann", message: str = "") -> Event:
    return Event(
        number=3,
        from_status=before,
        to_status=status,
        cause=None,
        message=message or None,
        actor=actor,
        attempt=1,
        at=NOON,
    )


@pytest.mark.parametrize(
    ("event", "after", "text"),
    [
        (moved(Status.QUEUED, before=None), None, "Queued by ann in pool gpu."),
        (moved(Status.PREPARING, actor="worker a/1"), None, "Attempt 1 is prepared by worker a/1."),
        (moved(Status.STOPPING), None, "Stop: ann asked for it."),
        (moved(Status.STOPPING, actor="system", message="It ran."), None, "Stop: it ran."),
        (moved(Status.STOPPING, actor="system"), None, "Stop: its time is over."),
        (moved(Status.PAUSED, message="ann asked for it."), None, "Paused: ann asked for it."),
        (
            moved(Status.RUNNING, before=Status.PAUSED, message="ann asked for it."),
            None,
            "Resumed: ann asked for it.",
        ),
        (moved(Status.RUNNING, message="ann asked to pause (freeze)."), None, "ann asked to pause (freeze)."),
        (moved(Status.QUEUED, message="It went away."), None, "Queued again. It went away."),
        (moved(Status.QUEUED, message="It is lost."), Cause.HOST_LOST, "Queued again. It is lost."),
        (
            moved(Status.QUEUED, message="not said twice"),
            Cause.OOM_KILLED,
            "Queued again after oom_killed, for attempt 2, which waits for 2.5 s.",
        ),
    ],
)
def test_a_move_is_one_sentence(event: Event, after: Cause | None, text: str) -> None:
    assert of_move(event, RECORD, after=after) == text


def test_another_attempt_that_need_not_wait_is_not_said_to() -> None:
    text = of_move(moved(Status.QUEUED), replace(RECORD, not_before=None), after=Cause.SIGNALED)
    assert text == "Queued again after signaled, for attempt 2."


@pytest.mark.parametrize("status", [Status.RUNNING, *(status for status in Status if status.value.endswith("ed"))])
def test_start_and_end_are_told_beforehand(status: Status) -> None:
    if status not in {Status.QUEUED, Status.PAUSED}:
        assert of_move(moved(status), RECORD) is None


def test_the_image_is_named_as_asked_for_and_as_it_is() -> None:
    assert of_start(RECORD, "sha256:" + "0123456789abcdef" * 4) == "Started from busybox:local (sha256:0123456789ab)."
    assert of_start(RECORD, None) == "Started from busybox:local."


def test_a_pull_is_told_in_layers_and_bytes() -> None:
    progress = PullProgress()
    assert of_pulled("a:1", progress, seconds=0.04) == "Pulled a:1 in 0.0 s: 0 layers, 0 B."
    progress.hear({"id": "x", "status": "Downloading", "progressDetail": {"current": 1536, "total": 2048}})
    assert of_pull("a:1", progress) == "Pulling a:1: 0 of 1 layer, 1.5 KiB of 2.0 KiB."


@pytest.mark.parametrize(("left", "said"), [(9.6, "10"), (0.2, "0"), (-3.0, "0")])
def test_the_time_that_is_left_is_never_negative(left: float, said: str) -> None:
    assert f" {said} s " in of_notice(until_kill=left)


def a_file(amount: int) -> Artifact:
    return Artifact(path="x", bytes=amount, sha256="", media_type="", executable=False)


def test_only_what_was_collected_is_told() -> None:
    nothing = Kept(outputs=[], outputs_partial=False, checkpoint=[], log_complete=True, warnings=[])
    assert of_kept(nothing) is None
    assert of_kept(replace(nothing, outputs=[a_file(3), a_file(4)])) == "Collected 2 outputs of 7 B."
    assert of_kept(replace(nothing, checkpoint=[a_file(2048)])) == "Collected 1 checkpoint file of 2.0 KiB."


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (999, "999 B"), (1024, "1.0 KiB"), (2**20, "1.0 MiB"), (5 * 2**30, "5.0 GiB"), (2**50, "1024.0 TiB")],
)
def test_sizes_have_units(amount: int, text: str) -> None:
    assert size(amount) == text
