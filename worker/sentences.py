"""What the log says of an execution, sentence by sentence."""

from __future__ import annotations

from app.executions.model import Event, Outcome
from app.executions.record import Record
from app.executions.states import Cause, Status
from worker.ending import Kept
from worker.engine.layers import PullProgress
from worker.outcome import SYSTEM
from worker.stages import StageName

NOTHING_SAVED = (
    "It stopped for a pause as if it had saved a checkpoint, but none was kept: "
    "it goes on from an earlier one, or from the beginning."
)
SHORT_ID = len("sha256:") + 12
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def of_move(event: Event, record: Record, *, after: Cause | None = None) -> str | None:
    """A move of the status, or what was done without one; `after` is how the attempt before it ended. None for the
    start and for ends: those are told beforehand.
    """
    if event.from_status is event.to_status:
        return event.message
    match event.to_status:
        case Status.QUEUED:
            return _queued(event, record, after)
        case Status.PREPARING:
            return f"Attempt {event.attempt} is prepared by {event.actor}."
        case Status.PAUSED | Status.RUNNING:
            return _paused(event)
        case Status.STOPPING:
            return _stopping(event)
        case _:
            return None


def _paused(event: Event) -> str | None:
    """A pause or its end; nothing of any other move to `running`."""
    if event.to_status is Status.PAUSED:
        return f"Paused: {event.message}"
    return f"Resumed: {event.message}" if event.from_status is Status.PAUSED else None


def _stopping(event: Event) -> str:
    if event.actor != SYSTEM:
        return f"Stop: {event.actor} asked for it."
    why = event.message or "Its time is over."
    return f"Stop: {why[0].lower()}{why[1:]}"


def _queued(event: Event, record: Record, after: Cause | None) -> str:
    if event.from_status is None:
        return f"Queued by {event.actor} in pool {record.pool}."
    # The end of an attempt was told by whoever saw it; nobody sees that of a host that is lost.
    if after is None or after is Cause.HOST_LOST:
        return f"Queued again. {event.message or ''}".rstrip()
    waits = (record.not_before - event.at).total_seconds() if record.not_before else 0.0
    at_least = f", which waits for {waits:.1f} s" if waits > 0 else ""
    return f"Queued again after {after}, for attempt {event.attempt + 1}{at_least}."


def of_start(record: Record, image_id: str | None) -> str:
    """The program runs."""
    exactly = f" ({image_id[:SHORT_ID]})" if image_id else ""
    return f"Started from {record.spec.image}{exactly}."


def of_stage(stage: StageName) -> str:
    """A stage begins."""
    return f"The {'main command' if stage is StageName.MAIN else stage} begins."


def of_pull(image: str, progress: PullProgress) -> str:
    """How far a pull is."""
    return (
        f"Pulling {image}: {progress.done} of {count(progress.layers, 'layer')}, "
        f"{size(progress.loaded)} of {size(progress.size)}."
    )


def of_pulled(image: str, progress: PullProgress, *, seconds: float) -> str:
    """A pull has ended well."""
    return f"Pulled {image} in {seconds:.1f} s: {count(progress.layers, 'layer')}, {size(progress.size)}."


def of_notice_to_save(*, until_missed: float) -> str:
    """The program can read that it is to be paused."""
    return f"The program is asked to save a checkpoint and stop, and has {max(0.0, until_missed):.0f} s for it."


def of_notice(*, until_kill: float) -> str:
    """The program can read that it is to stop."""
    return f"The program is told, and has {max(0.0, until_kill):.0f} s until it is killed."


def of_kept(kept: Kept) -> str | None:
    """What was collected; None when there was nothing."""
    parts = [
        f"{count(len(files), what)} of {size(sum(file.bytes for file in files))}"
        for files, what in ((kept.outputs, "output"), (kept.checkpoint, "checkpoint file"))
        if files
    ]
    return f"Collected {' and '.join(parts)}." if parts else None


def of_end(outcome: Outcome) -> str:
    """How the attempt ended."""
    return f"Ended: {outcome.message}" if outcome.saved else f"Ended, {outcome.cause}: {outcome.message}"


def count(number: int, noun: str) -> str:
    """A number of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def of_disk(used: int, most: int) -> str:
    """Why it is killed."""
    return f"It has {size(used)} on disk, of at most {size(most)}: SIGKILL is sent."


def size(amount: float) -> str:
    """Bytes, for people."""
    *smaller, largest = UNITS
    for unit in smaller:
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} {largest}"
