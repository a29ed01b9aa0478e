"""THE STATUS MACHINE: statuses, causes, and which move may follow which. Pure; the database repeats these rules."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """Where an execution stands. The last five are terminal and never left."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELED = "canceled"
    CRASHED = "crashed"


class Cause(StrEnum):
    """Why an execution ended. A closed set and part of the API: clients decide on retries by it."""

    OK = "ok"

    EXIT_NONZERO = "exit_nonzero"
    SIGNALED = "signaled"
    OOM_KILLED = "oom_killed"
    COMMAND_NOT_FOUND = "command_not_found"
    COMMAND_NOT_EXECUTABLE = "command_not_executable"
    SPEC_REJECTED = "spec_rejected"
    OUTPUT_MISSING = "output_missing"
    DISK_LIMIT = "disk_limit"
    IMAGE_NOT_FOUND = "image_not_found"
    IMAGE_DENIED = "image_denied"

    QUEUE_TIMEOUT = "queue_timeout"
    PULL_TIMEOUT = "pull_timeout"
    RUN_TIMEOUT = "run_timeout"
    IDLE_TIMEOUT = "idle_timeout"

    CANCELED_BY_USER = "canceled_by_user"
    CANCELED_BY_SYSTEM = "canceled_by_system"
    SELF_CANCELED = "self_canceled"

    IMAGE_PULL_FAILED = "image_pull_failed"
    HOST_LOST = "host_lost"
    ENGINE_ERROR = "engine_error"
    INTERRUPTED = "interrupted"
    OUTCOME_UNKNOWN = "outcome_unknown"


class StopReason(StrEnum):
    """Why the program was asked to stop; the first one pending decides how the exit is read."""

    CANCEL = "cancel"
    TIMEOUT = "timeout"
    PAUSE = "pause"


class StopClock(StrEnum):
    """Which clock ran out, where a timeout is the reason: the limit of this name."""

    TIMEOUT = "timeout"
    IDLE_TIMEOUT = "idle_timeout"


class PauseMode(StrEnum):
    """How an execution is paused: its container is frozen and keeps its slot, or saved its checkpoint and is gone."""

    FREEZE = "freeze"
    CHECKPOINT = "checkpoint"


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.CANCELED, Status.CRASHED})
ACTIVE = frozenset(Status) - TERMINAL

NEXT: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset(
        {Status.PREPARING, Status.CANCELED, Status.TIMED_OUT, Status.FAILED, Status.CRASHED},
    ),
    Status.PREPARING: frozenset(
        {Status.RUNNING, Status.QUEUED, Status.STOPPING, Status.FAILED, Status.TIMED_OUT, Status.CRASHED},
    ),
    Status.RUNNING: frozenset({Status.PAUSED, Status.STOPPING, Status.QUEUED}) | TERMINAL,
    Status.PAUSED: frozenset(
        {Status.RUNNING, Status.QUEUED, Status.STOPPING, Status.CANCELED, Status.TIMED_OUT, Status.CRASHED},
    ),
    Status.STOPPING: frozenset({Status.QUEUED, Status.PAUSED}) | TERMINAL,
    **{status: frozenset[Status]() for status in TERMINAL},
}

STATUS_OF: Mapping[Cause, Status] = {
    Cause.OK: Status.SUCCEEDED,
    Cause.EXIT_NONZERO: Status.FAILED,
    Cause.SIGNALED: Status.FAILED,
    Cause.OOM_KILLED: Status.FAILED,
    Cause.COMMAND_NOT_FOUND: Status.FAILED,
    Cause.COMMAND_NOT_EXECUTABLE: Status.FAILED,
    Cause.SPEC_REJECTED: Status.FAILED,
    Cause.OUTPUT_MISSING: Status.FAILED,
    Cause.DISK_LIMIT: Status.FAILED,
    Cause.IMAGE_NOT_FOUND: Status.FAILED,
    Cause.IMAGE_DENIED: Status.FAILED,
    Cause.QUEUE_TIMEOUT: Status.TIMED_OUT,
    Cause.PULL_TIMEOUT: Status.TIMED_OUT,
    Cause.RUN_TIMEOUT: Status.TIMED_OUT,
    Cause.IDLE_TIMEOUT: Status.TIMED_OUT,
    Cause.CANCELED_BY_USER: Status.CANCELED,
    Cause.CANCELED_BY_SYSTEM: Status.CANCELED,
    Cause.SELF_CANCELED: Status.CANCELED,
    Cause.IMAGE_PULL_FAILED: Status.CRASHED,
    Cause.HOST_LOST: Status.CRASHED,
    Cause.ENGINE_ERROR: Status.CRASHED,
    Cause.INTERRUPTED: Status.CRASHED,
    Cause.OUTCOME_UNKNOWN: Status.CRASHED,
}


def sources(target: Status) -> frozenset[Status]:
    """The statuses from which `target` may be entered: the WHERE clause of a move."""
    return frozenset(status for status, following in NEXT.items() if target in following)


def causes_of(status: Status) -> frozenset[Cause]:
    """The causes that may stand beside a terminal status."""
    return frozenset(cause for cause, end in STATUS_OF.items() if end is status)
