"""Value types of an execution: what was asked (`Spec`), within which limits, and how it stands. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ByteSize, ConfigDict, Field, PlainSerializer, WithJsonSchema

from app.executions.states import TERMINAL, Cause, PauseMode, Status, StopClock, StopReason
from app.files.model import FileSource
from app.secrets.model import SecretRef, Via

MIB = 2**20
GIB = 2**30

Size = Annotated[
    ByteSize,
    PlainSerializer(int, return_type=int),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*([KMGTP]i?B?|B)?\s*$"},
            ],
            "description": "Bytes, or a string with a unit such as `512MiB`",
        },
    ),
]


def _size(default: int, *, at_least: int, at_most: int, description: str) -> Any:
    return Field(default=ByteSize(default), ge=at_least, le=at_most, description=description)


class ImagePolicy(StrEnum):
    """When the image is pulled."""

    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"


class Network(StrEnum):
    """What the container can reach."""

    NONE = "none"
    BRIDGE = "bridge"


class Archive(StrEnum):
    """What is kept of an execution that is archived, beside its record."""

    ALL = "all"
    OUTPUTS = "outputs"
    RECORD = "record"


class Stored(BaseModel):
    """A value that a record keeps as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, kept: Any) -> Self:
        """As it was kept. What only a newer version knows, while versions change, is left out."""
        return cls.model_validate(kept, extra="ignore")


class Limits(Stored):
    """What one execution may use. Times are whole seconds, sizes bytes."""

    queue_timeout: int | None = Field(
        default=None,
        ge=1,
        le=366 * 86_400,
        strict=True,
        description="Waiting in the queue while it may be started, seconds. Default: as long as it takes",
    )
    pull_timeout: int = Field(default=600, ge=1, le=86_400, strict=True, description="Pulling the image, seconds")
    timeout: int = Field(default=3600, ge=1, le=31 * 86_400, strict=True, description="Running time, seconds")
    idle_timeout: int | None = Field(
        default=None,
        ge=1,
        le=31 * 86_400,
        strict=True,
        description="Running without any output on stdout or stderr, seconds. Default: as long as it likes",
    )
    warn_before: int | None = Field(
        default=None,
        ge=1,
        le=86_400,
        strict=True,
        description="So many seconds ahead of its deadline the program finds the file `warning`. Default: it does not",
    )
    grace: int = Field(
        default=10, ge=0, le=3600, strict=True, description="From the request to stop until SIGKILL, seconds"
    )
    notice: int | None = Field(
        default=None,
        ge=0,
        le=3600,
        strict=True,
        description="From the request to stop until the stop signal, seconds, below `grace`. "
        "Default: 0, or three quarters of `grace` once the program said that it checkpoints",
    )
    cpus: float = Field(default=1.0, ge=0.01, le=1024, strict=True, allow_inf_nan=False, description="CPU cores")
    memory: Size = _size(512 * MIB, at_least=6 * MIB, at_most=2**50, description="Memory, swap included")
    pids: int = Field(default=256, ge=1, le=2**22, strict=True, description="Processes and threads")
    shm: Size = _size(64 * MIB, at_least=0, at_most=2**50, description="Shared memory")
    file_size: Size = _size(10 * GIB, at_least=0, at_most=2**50, description="Largest single file written")
    disk: Size = _size(
        10 * GIB,
        at_least=MIB,
        at_most=2**50,
        description="All that it may have on disk: what it writes in its container, outputs and checkpoint together; "
        "each file counts as 4 KiB at least",
    )
    log_bytes: Size = _size(
        64 * MIB, at_least=64 * 1024, at_most=16 * GIB, description="Log kept; each record is charged its bytes + 32"
    )
    output_bytes: Size = _size(GIB, at_least=0, at_most=2**50, description="Outputs collected, all files together")
    output_files: int = Field(default=10_000, ge=0, le=1_000_000, strict=True, description="Output files collected")
    checkpoint_bytes: Size = _size(GIB, at_least=0, at_most=2**50, description="Checkpoint kept, all files together")

    def notice_seconds(self, *, announced: bool) -> float:
        """Seconds from the request to stop until the stop signal."""
        if self.notice is not None:
            return min(self.notice, self.grace)
        return self.grace * 0.75 if announced else 0.0


class ExitMeaning(StrEnum):
    """What an exit code of the program means, where its submission says so."""

    SUCCESS = "success"
    FAIL = "fail"
    RETRY = "retry"
    CANCELED = "canceled"
    CHECKPOINT = "checkpoint"


class MethodRef(Stored):
    """The method that an execution is of, in the version and by the profile that it was submitted with."""

    name: str
    version: str
    profile: str | None = None


class Stage(Stored):
    """A command that runs before or after the main command, in the same container; `timeout` in seconds."""

    command: tuple[str, ...]
    timeout: int = 300


class DeclaredOutput(Stored):
    """Files that the program is to leave: a path below its outputs, or a pattern for several."""

    path: str
    required: bool = True
    media_type: str | None = None
    title: str | None = None


class Spec(Stored):
    """What to run, as resolved at acceptance; never changed afterwards."""

    image: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    env: dict[str, str] = {}
    inputs: dict[str, Any] = {}
    workdir: str | None = None
    user: str | None = None
    stop_signal: str = "SIGTERM"
    network: Network = Network.NONE
    # Of the engine, by its name there; its own default if none.
    runtime: str | None = None
    image_policy: ImagePolicy = ImagePolicy.MISSING
    # What a schedule fired it for: a rerun is for the same time.
    logical_time: datetime | None = None
    # The names only; where the values are, `app/secrets` knows.
    secrets: tuple[str, ...] = ()
    # Of the owner's, as they were when it was accepted; those values are beside the others.
    named_secrets: dict[str, SecretRef] = {}
    method: MethodRef | None = None
    archive: Archive = Archive.ALL
    setup: Stage | None = None
    teardown: Stage | None = None
    exit_codes: dict[str, ExitMeaning] = {}
    outputs: tuple[DeclaredOutput, ...] = ()
    keep_workspace: bool = False
    files: dict[str, FileSource] = {}

    @property
    def has_stages(self) -> bool:
        """Whether anything runs around its main command."""
        return self.setup is not None or self.teardown is not None

    @property
    def confided(self) -> tuple[str, ...]:
        """What its values are kept under, until it ends."""
        return (*self.secrets, *self.named_secrets)

    @property
    def secret_files(self) -> tuple[str, ...]:
        """Those that the program gets as files."""
        return tuple(key for key, each in self.named_secrets.items() if each.via is Via.FILE)

    def file_said_at(self, path: str) -> str:
        """Which field of its submission says that this file is to be there: `files`, or an input of its method."""
        name = path.partition("/")[0]
        is_input = self.method is not None and self.inputs.get(name) == f"/tailrace/inputs/{path}"
        return f"inputs.{name}" if is_input else f"files.{path}"

    def meaning_of(self, exit_code: int | None) -> ExitMeaning | None:
        """What it says of an exit code, if anything."""
        return self.exit_codes.get(str(exit_code))


# Ends that are the program's own doing: for these `retry_on` may name the exit code.
OWN_EXITS = frozenset({Cause.EXIT_NONZERO, Cause.SIGNALED, Cause.OOM_KILLED})
# What was wanted is never tried again.
RETRIABLE = frozenset(Cause) - {Cause.OK, Cause.CANCELED_BY_USER, Cause.CANCELED_BY_SYSTEM, Cause.SELF_CANCELED}


class Then(StrEnum):
    """What becomes of an execution whose attempt was ended by something other than its program."""

    FAIL = "fail"
    RETRY = "retry"


class Retries(Stored):
    """What the submitter allows to be run again. Attempts whose program provably never started need no permission.

    `max_attempts` counts attempts that may have started, `retry_on` holds causes and exit codes.
    """

    max_attempts: int = 1
    retry_on: tuple[Cause | int, ...] = ()
    on_timeout: Then = Then.FAIL
    on_interrupted: Then = Then.FAIL

    def allows(self, cause: Cause, exit_code: int | None) -> bool:
        """Whether another attempt may follow this end, as far as its reason goes."""
        return (
            cause in self.retry_on
            or (exit_code is not None and cause in OWN_EXITS and exit_code in self.retry_on)
            or (self.on_timeout is Then.RETRY and cause in {Cause.RUN_TIMEOUT, Cause.IDLE_TIMEOUT})
            or (self.on_interrupted is Then.RETRY and cause in {Cause.INTERRUPTED, Cause.HOST_LOST})
        )


NO_RETRIES = Retries()


# The limits that are times: they can be moved while they run.
CLOCKS = frozenset({"queue_timeout", "pull_timeout", "timeout", "idle_timeout", "warn_before", "grace", "notice"})


class Lane(StrEnum):
    """A queue within that of a pool: nothing of the next is started while something of the one before may start."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Stop:
    """A request to stop, as it stands on the record. `deadline` is when SIGKILL comes; `final`: no attempt follows.

    `clock` is which one asked, where a timeout is the reason; what an older version wrote was the `timeout`. `why` is a
    sentence, if there is more to say.
    """

    reason: StopReason
    by: str
    requested_at: datetime
    deadline: datetime
    force: bool
    final: bool
    clock: StopClock | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that was asked for, or stands since `paused_at`. `resume_by` has asked for its end."""

    mode: PauseMode
    by: str
    requested_at: datetime
    paused_at: datetime | None
    resume_by: str | None

    @property
    def freezes(self) -> bool:
        """Whether the container is wanted frozen."""
        return self.mode is PauseMode.FREEZE and self.resume_by is None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ends: the terminal status follows from the cause.

    `saved`: its program saved a checkpoint and stopped, as it was asked to: only the attempt ends. `meaning` is what
    its submission says of the exit code, for an end of the program's own that is a failure.
    """

    cause: Cause
    message: str
    exit_code: int | None = None
    oom_killed: bool = False
    saved: bool = False
    meaning: ExitMeaning | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of an execution's append-only history: a move, or what was done without one."""

    number: int
    from_status: Status | None
    to_status: Status
    cause: Cause | None
    message: str | None
    actor: str
    attempt: int
    at: datetime
    # Whose other children this end may concern; known where it was made.
    batch: UUID | None = None

    @property
    def ends(self) -> bool:
        """Whether this was the last event there can be."""
        return self.to_status in TERMINAL

    @property
    def moves(self) -> bool:
        """Whether it changed the status; else its message says what was done."""
        return self.from_status is not self.to_status


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act on one execution: whoever holds a later epoch has taken it over."""

    execution: UUID
    epoch: int
