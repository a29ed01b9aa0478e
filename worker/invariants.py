"""What holds of every execution at every moment, as rules over what is written of it. Pure.

A rule yields a sentence per violation. `evidence.py` collects what the rules need, `verify.py` is the command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from app.artifacts.model import Kind
from app.executions.model import OWN_EXITS, ExitMeaning, Outcome, Retries
from app.executions.states import NEXT, STATUS_OF, TERMINAL, Cause, PauseMode, Status
from app.usage.model import SAMPLES_AT_MOST
from worker.outcome import SAVED_AND_STOPPED
from worker.phases import COPYING
from worker.retry import Tries, may_try_again

ON_A_WORKER = frozenset({Status.PREPARING, Status.RUNNING, Status.STOPPING})
# All in seconds. Beyond its own time limits, and while its worker and the engine are well.
PREPARING_AT_MOST = 300.0
OVERDUE_AT_MOST = 60.0
# Until somebody else of the same engine has taken over.
UNATTENDED_AT_MOST = 90.0
# Until a sweep has come by that removes what was to be deleted.
DELETED_WITHIN = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One row of the history."""

    number: int
    from_status: Status | None
    to_status: Status
    cause: Cause | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One attempt. `ran`: its program may have started."""

    number: int
    ran: bool
    finished_at: datetime | None
    cause: Cause | None
    exit_code: int | None
    message: str | None
    last_seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogShape:
    """The head of a log, and how its chunks and segments lie: how many follow each other with a hole or overlap, and
    where first. `expired`: nothing is kept of it any more.
    """

    epoch: int
    next_seq: int
    truncated: bool
    last: int
    overlaps: int
    holes: int
    holes_in_head: int
    broken_at: int | None
    expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The worker that holds it. `unheard_for` seconds; `colleagues` have long been there to take over."""

    unheard_for: float
    engine_ok: bool
    colleagues: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What the record counts of its outputs, or of its checkpoint; `sets` are files and bytes that are on record of
    each attempt that left some.
    """

    kind: Kind
    files: int
    bytes: int
    expired: bool
    sets: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is kept of how an attempt was measured; `stray` samples are not at its stride, `above_peak`: it used more at
    last than ever.
    """

    attempt: int
    samples: int
    stray: int
    above_peak: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is written of one execution, as of the moment `seen_at`."""

    id: UUID
    status: Status
    phase: str | None
    cause: Cause | None
    epoch: int
    attempt: int
    worker_id: UUID | None
    pause_mode: PauseMode | None
    retries: Retries
    exit_codes: Mapping[str, ExitMeaning] = field(default_factory=dict)
    pull_timeout: int
    stop_deadline: datetime | None
    deadline: datetime | None
    finished_at: datetime | None
    events: Sequence[Moved]
    attempts: Sequence[Tried]
    log: LogShape | None
    holder: Holder | None
    files: Sequence[Files]
    measured: Sequence[Measured]
    # For so many seconds it could have been deleted, as somebody asked.
    deletable_for: float | None
    seen_at: datetime

    @property
    def held(self) -> bool:
        """Whether a worker has to hold it: of what is paused, what is frozen."""
        return self.status in ON_A_WORKER or (self.status is Status.PAUSED and self.pause_mode is PauseMode.FREEZE)

    @property
    def between_attempts(self) -> bool:
        """Whether its last attempt has ended and another may follow."""
        return self.status is Status.QUEUED or (self.status is Status.PAUSED and not self.held)


def check_end(facts: Facts) -> Iterator[str]:
    """Who has ended has one end, with a cause; who has not has none."""
    ended = facts.status in TERMINAL
    if ended != (facts.cause is not None) or (facts.cause is not None and STATUS_OF[facts.cause] is not facts.status):
        yield f"it is {facts.status} with cause {facts.cause}"
    if ended != (facts.finished_at is not None):
        yield f"it is {facts.status}, finished at {facts.finished_at}"


def check_history(facts: Facts) -> Iterator[str]:
    """The history is a path that the status machine allows, from the submission to the status on the record. What
    changes no status may be told in between.
    """
    if not facts.events:
        yield "it has no history"
        return
    first, last = facts.events[0], facts.events[-1]
    if [event.number for event in facts.events] != list(range(1, len(facts.events) + 1)):
        yield f"its events are numbered {[event.number for event in facts.events]}"
    if (first.from_status, first.to_status) != (None, Status.QUEUED):
        yield f"its history begins with {first.from_status} → {first.to_status}"
    for before, after in pairwise(facts.events):
        if after.from_status is not before.to_status:
            yield f"event {after.number} leaves {after.from_status}, where event {before.number} did not lead"
        if after.from_status is not None and after.to_status not in {after.from_status, *NEXT[after.from_status]}:
            yield f"event {after.number}, {after.from_status} → {after.to_status}, is not a move"
        if after.at < before.at:
            yield f"event {after.number} was before event {before.number}"
    if (last.to_status, last.cause) != (facts.status, facts.cause):
        yield f"it is {facts.status}, {facts.cause}, but its history ends with {last.to_status}, {last.cause}"


def check_attempts(facts: Facts) -> Iterator[str]:
    """Attempts are numbered without holes, and only the last one of what a worker holds is open."""
    numbers = [attempt.number for attempt in facts.attempts]
    if numbers != list(range(1, facts.attempt + 1)):
        yield f"it is at attempt {facts.attempt}, and has {numbers}"
    is_open = [attempt.number for attempt in facts.attempts if attempt.finished_at is None]
    if is_open != [facts.attempt] * facts.held:
        yield f"it is {facts.status} at attempt {facts.attempt}, and open are {is_open}"


def check_retries(facts: Facts) -> Iterator[str]:
    """Another attempt follows only for a recorded reason that policy allows."""
    started = in_vain = 0
    for attempt in facts.attempts if facts.between_attempts else facts.attempts[:-1]:
        meaning = facts.exit_codes.get(str(attempt.exit_code))
        saved = attempt.cause is None and (
            meaning is ExitMeaning.CHECKPOINT or (meaning is None and attempt.exit_code == SAVED_AND_STOPPED)
        )
        started += attempt.ran and not saved
        in_vain += not attempt.ran and attempt.cause is not None
        if not attempt.message:
            yield f"attempt {attempt.number + 1} follows attempt {attempt.number} without a reason"
        elif attempt.cause is None:
            if attempt.ran and not saved:
                yield f"attempt {attempt.number} was given back, although its program may have run"
        elif not may_try_again(
            Outcome(
                attempt.cause,
                attempt.message,
                attempt.exit_code,
                meaning=meaning if attempt.cause in OWN_EXITS else None,
            ),
            facts.retries,
            Tries(started, in_vain),
            ran=attempt.ran,
            final=False,
        ):
            yield f"attempt {attempt.number + 1} follows {attempt.cause}, exit code {attempt.exit_code}, unasked"


def check_log(facts: Facts) -> Iterator[str]:
    """Lines are numbered without holes or duplicates; only the cap makes holes, and not in the head of the log."""
    log = facts.log
    if log is None:
        yield "it has no log"
        return
    written = log.next_seq - 1
    if log.overlaps:
        yield f"its log says things twice, from line {log.broken_at} on"
    if log.holes_in_head or (log.holes and not log.truncated):
        yield f"lines are missing from its log, the first of them before line {log.broken_at}"
    if log.last > written or (log.last < written and not (log.truncated or log.expired)):
        yield f"its log goes to {log.last}, its head to {written}"
    seqs = [attempt.last_seq for attempt in facts.attempts if attempt.last_seq is not None]
    if any(after < before for before, after in pairwise([0, *seqs, written])):
        yield f"the logs of its attempts end at {seqs}, all of it at {written}"


def check_lease(facts: Facts) -> Iterator[str]:
    """What a worker has to hold is held; whoever holds the record, and nobody else, holds the log."""
    if facts.held and facts.worker_id is None:
        yield f"it is {facts.status}, and no worker holds it"
    if facts.between_attempts and facts.worker_id is not None:
        yield f"it is {facts.status}, and worker {facts.worker_id} holds it"
    if facts.log is not None and facts.log.epoch != facts.epoch:
        yield f"its epoch is {facts.epoch}, and {facts.log.epoch} that of its log"
    if facts.epoch < facts.attempt:
        yield f"its epoch is {facts.epoch} at attempt {facts.attempt}"


def check_attended(facts: Facts) -> Iterator[str]:
    """Nothing stays with a worker that is gone while others of the same engine could take over."""
    holder = facts.holder
    if facts.held and holder is not None and holder.colleagues and holder.unheard_for > UNATTENDED_AT_MOST:
        yield f"nothing was heard of its worker for {holder.unheard_for:.0f} s, and nobody took over"


def check_pace(facts: Facts) -> Iterator[str]:
    """Nothing is prepared, runs or stops for ever."""
    if not facts.events or facts.holder is None or facts.holder.unheard_for > UNATTENDED_AT_MOST:
        return
    if not facts.holder.engine_ok:
        return
    stands = (facts.seen_at - facts.events[-1].at).total_seconds()
    if facts.phase in COPYING:
        return
    if facts.status is Status.PREPARING and stands > facts.pull_timeout + PREPARING_AT_MOST:
        yield f"it is prepared for {stands:.0f} s now"
    if facts.status is Status.RUNNING and _is_overdue(facts, facts.deadline):
        yield "it runs on after its deadline, and nobody stops it"
    if facts.status is Status.STOPPING and _is_overdue(facts, facts.stop_deadline):
        yield "it was to be killed long ago"


def check_files(facts: Facts) -> Iterator[str]:
    """What the record counts is what some attempt left; of what has expired nothing is on record."""
    for each in facts.files:
        if each.expired and each.sets:
            yield f"its files ({each.kind}) have expired, and {sum(files for files, _ in each.sets)} are on record"
        if not each.expired and each.files and (each.files, each.bytes) not in each.sets:
            yield f"it counts {each.files} files ({each.kind}) of {each.bytes} B, and no attempt left those"


def check_usage(facts: Facts) -> Iterator[str]:
    """Of how an attempt was measured a bounded number is kept, evenly, and its peaks are that."""
    for each in facts.measured:
        if each.samples > SAMPLES_AT_MOST:
            yield f"of attempt {each.attempt} {each.samples} samples are kept"
        if each.stray:
            yield f"of attempt {each.attempt} {each.stray} samples are kept that should have gone"
        if each.above_peak:
            yield f"attempt {each.attempt} used more at last than at its peak"


def check_deletion(facts: Facts) -> Iterator[str]:
    """What was to be deleted as soon as it has ended, and is needed by nobody, is deleted."""
    if facts.deletable_for is not None and facts.deletable_for > DELETED_WITHIN:
        yield f"it was to be deleted, and is still there after {facts.deletable_for:.0f} s"


def _is_overdue(facts: Facts, deadline: datetime | None) -> bool:
    return deadline is not None and (facts.seen_at - deadline).total_seconds() > OVERDUE_AT_MOST


RULES: Mapping[str, Callable[[Facts], Iterator[str]]] = {
    "end": check_end,
    "history": check_history,
    "attempts": check_attempts,
    "retries": check_retries,
    "log": check_log,
    "lease": check_lease,
    "attended": check_attended,
    "pace": check_pace,
    "files": check_files,
    "usage": check_usage,
    "deletion": check_deletion,
}
