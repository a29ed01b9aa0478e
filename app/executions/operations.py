"""WHAT CAN BE ASKED of an execution in which status: every pair has an answer. Pure; every use case looks here."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from app.errors import Conflict
from app.executions.states import PauseMode, Status


class Operation(StrEnum):
    """What clients can ask of an execution."""

    CANCEL = "cancel"
    FORCE_CANCEL = "cancel (force)"
    FREEZE = "pause (freeze)"
    CHECKPOINT = "pause (checkpoint)"
    RESUME = "resume"
    HOLD = "hold"
    RELEASE = "release"
    RERUN = "rerun"
    ARCHIVE = "archive"
    RESTORE = "restore"
    DELETE = "delete"
    DESCRIBE = "PATCH name, note, labels"
    ADJUST = "PATCH limits"


class Standing(StrEnum):
    """A status as operations tell them apart: `paused` is two."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    FROZEN = "paused (freeze)"
    SAVED = "paused (checkpoint)"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELED = "canceled"
    CRASHED = "crashed"

    @classmethod
    def of(cls, status: Status, mode: PauseMode | None) -> Standing:
        """That of a record; `mode` counts while it is paused."""
        if status is Status.PAUSED:
            return cls.SAVED if mode is PauseMode.CHECKPOINT else cls.FROZEN
        return cls(status)


class Answer(StrEnum):
    """`done`: it is done, or begun; `same`: it is so already, and nothing changes; `refused`: 409."""

    DONE = "done"
    SAME = "same"
    REFUSED = "refused"


_COLUMNS = """
                           que pre run fro sav sto | suc fai tim can cra
CANCEL                      +   +   +   +   +   +  |  -   -   -   =   -
FORCE_CANCEL                +   +   +   +   +   +  |  -   -   -   =   -
FREEZE                      -   -   +   =   -   -  |  -   -   -   -   -
CHECKPOINT                  -   -   +   -   =   -  |  -   -   -   -   -
RESUME                      =   =   =   +   +   -  |  -   -   -   -   -
HOLD                        +   -   -   -   -   -  |  -   -   -   -   -
RELEASE                     +   =   =   =   =   =  |  -   -   -   -   -
RERUN                       -   -   -   -   -   -  |  +   +   +   +   +
ARCHIVE                     -   -   -   -   -   -  |  +   +   +   +   +
RESTORE                     =   =   =   =   =   =  |  +   +   +   +   +
DELETE                      +   +   +   +   +   +  |  +   +   +   +   +
DESCRIBE                    +   +   +   +   +   +  |  +   +   +   +   +
ADJUST                      +   +   +   +   +   +  |  -   -   -   -   -
"""
_MARKS = {"+": Answer.DONE, "=": Answer.SAME, "-": Answer.REFUSED}
ANSWERS: Mapping[Operation, Mapping[Standing, Answer]] = {
    Operation[name]: {
        standing: _MARKS[mark] for standing, mark in zip(Standing, [m for m in marks if m in _MARKS], strict=True)
    }
    for name, *marks in (row.split() for row in _COLUMNS.strip().splitlines()[1:])
}

# What to do instead, by operation and where that is not enough by standing.
_ONLY_ENDED = "Wait until it has ended, or cancel it."
_HINTS: Mapping[Operation, str] = {
    Operation.CANCEL: "What has ended cannot be canceled.",
    Operation.FORCE_CANCEL: "What has ended cannot be canceled.",
    Operation.FREEZE: "Only what runs can be paused.",
    Operation.CHECKPOINT: "Only what runs can be paused.",
    Operation.RESUME: "Only what is paused can be resumed. Submit it again with POST …/rerun.",
    Operation.HOLD: "Only what is queued can be held.",
    Operation.RELEASE: "Only what is held in the queue can be released.",
    Operation.RERUN: f"{_ONLY_ENDED} To run it twice at once, submit it again.",
    Operation.ARCHIVE: _ONLY_ENDED,
    Operation.ADJUST: "The limits of what has ended are history. POST …/rerun takes others.",
}
_HINTS_HERE: Mapping[tuple[Operation, Standing], str] = {
    **{
        (operation, Standing.QUEUED): "It has not been started. POST …/hold keeps it in the queue."
        for operation in (Operation.FREEZE, Operation.CHECKPOINT)
    },
    **{
        (operation, Standing.PREPARING): "Try again when it runs."
        for operation in (Operation.FREEZE, Operation.CHECKPOINT)
    },
    (Operation.FREEZE, Standing.SAVED): "It has saved its checkpoint, and no process of it runs.",
    (Operation.CHECKPOINT, Standing.FROZEN): "A frozen program cannot save anything. Resume it first.",
    (Operation.RESUME, Standing.STOPPING): "It is being stopped. Submit it again with POST …/rerun once it has ended.",
    (Operation.HOLD, Standing.RUNNING): "POST …/pause pauses what runs.",
}


def is_due(operation: Operation, status: Status, mode: PauseMode | None = None) -> bool:
    """Whether there is something to do; False when it is so already. Raises `Conflict`, which names the status.

    `mode` is how it is paused, if it is.
    """
    standing = Standing.of(status, mode)
    answer = ANSWERS[operation][standing]
    if answer is Answer.REFUSED:
        hint = _HINTS_HERE.get((operation, standing), _HINTS.get(operation, ""))
        raise Conflict(f"Its status is {standing}, which does not allow this: {operation}.", hint=hint)
    return answer is Answer.DONE
