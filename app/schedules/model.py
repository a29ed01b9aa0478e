"""Value types of schedules: the rule, what overlapping firings do, a schedule and its runs as they stand. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from app.auth.tokens import Scope, remembered
from app.executions.model import Stored
from app.executions.vocabulary import Moment

CRON_CHARS = 200
ZONE_CHARS = 64
LONGEST_INTERVAL = 366 * 86_400
LONGEST_JITTER = 3600
# What crontab(5) of Debian knows by name; there is no boot that `@reboot` could mean.
ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = 5
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*")
# The context of a rule that is read.
_KEPT = object()
# Names under which a host keeps what is no zone, or one of its own; those below `right/` count leap seconds.
_NO_ZONES = {"localtime", "posixrules", "Factory", "posix", "right"}


def is_zone(name: str) -> bool:
    """Whether this host knows the time zone."""
    if name.partition("/")[0] in _NO_ZONES or not _ZONE.fullmatch(name):
        return False
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return False
    return True


def _expression(value: str) -> str:
    expression = ALIASES.get(value.strip().lower(), value)
    fields = len(expression.split())
    if fields != _FIELDS:
        names = ", ".join(f"`{name}`" for name in ALIASES)
        raise PydanticCustomError(
            "bad_cron", f"must have five fields: minute, hour, day of month, month, day of week; or be one of {names}"
        )
    try:
        CronSim(expression, datetime(2000, 1, 1))  # noqa: DTZ001 - only its words are judged
    except CronSimError as error:
        message = "cannot be understood: {why}"
        raise PydanticCustomError("bad_cron", message, {"why": str(error)[:1].lower() + str(error)[1:]}) from None
    return value


def _zone(value: str, info: ValidationInfo) -> str:
    if info.context is not _KEPT and not is_zone(value):
        raise PydanticCustomError(
            "unknown_time_zone", "must be a time zone of the IANA database, such as `Europe/Berlin` or `UTC`"
        )
    return value


CronExpression = Annotated[
    str,
    StringConstraints(min_length=1, max_length=CRON_CHARS),
    AfterValidator(_expression),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": CRON_CHARS}),
]
TimeZone = Annotated[str, StringConstraints(max_length=ZONE_CHARS), AfterValidator(_zone)]


class Rule(Stored):
    """When a schedule fires: by a cron expression in a time zone, or every so many seconds on the grid of the epoch."""

    cron: CronExpression | None = Field(
        default=None, description="Minute, hour, day of month, month, day of week, as in crontab(5); or `@daily` …"
    )
    time_zone: TimeZone = Field(default="UTC", description="Of the IANA database; in which `cron` is meant")
    every: int | None = Field(
        default=None, ge=1, le=LONGEST_INTERVAL, strict=True, description="Seconds from one firing to the next"
    )
    offset: int = Field(
        default=0, ge=0, lt=LONGEST_INTERVAL, strict=True, description="With `every`: so many seconds after its grid"
    )
    start: Moment | None = Field(default=None, description="It does not fire before")
    end: Moment | None = Field(default=None, description="It does not fire then or later")
    jitter: int = Field(
        default=0,
        ge=0,
        le=LONGEST_JITTER,
        strict=True,
        description="Each firing is later by up to so many seconds, always the same ones; its logical time is not",
    )

    @classmethod
    @override
    def read(cls, kept: Any) -> Self:
        """As it was kept. A host that does not know its time zone must be able to read it, too."""
        return cls.model_validate(kept, extra="ignore", context=_KEPT)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.cron is None) == (self.every is None):
            at, other = ("every", "cron") if self.cron else ("cron", "every")
            message = "must be given, or `{other}` instead, and not both"
            raise PydanticCustomError("not_one_way", message, {"at": at, "other": other})
        if self.cron is None and self.time_zone != "UTC":
            raise PydanticCustomError("needs_cron", "goes with `cron` only", {"at": "time_zone"})
        if self.every is None and self.offset:
            raise PydanticCustomError("needs_every", "goes with `every` only", {"at": "offset"})
        if self.every is not None and self.offset >= self.every:
            raise PydanticCustomError("not_below_every", "must be below `every`", {"at": "offset"})
        if self.start and self.end and self.end <= self.start:
            raise PydanticCustomError("not_after_start", "must be later than `start`", {"at": "end"})
        return self


class Overlap(StrEnum):
    """What a firing does while something that the schedule has submitted has not ended."""

    SKIP = "skip"
    QUEUE = "queue"
    REPLACE = "replace"
    ALLOW = "allow"


class RunStatus(StrEnum):
    """What came of a firing."""

    FIRED = "fired"
    SKIPPED = "skipped"
    FAILED = "failed"


class SkipReason(StrEnum):
    """Why nothing was submitted although the rule said so."""

    MISSED = "missed"
    OVERLAP = "overlap"
    NOTHING_MATCHES = "nothing_matches"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRecord:
    """A schedule as it stands; `now` is the database's time when it was read.

    `next_at` is the logical time of the next firing, `due_at` when that is looked at: later by its jitter, and for as
    long as it is `waiting` for earlier ones to end. Both are None while it is not enabled, and when the rule is over.
    `failures` counts firings in a row; `paused_reason` is of a pause that we made. `sealed` are the secrets.
    `scopes`: what who set the targets might, and no more is done for them; of old ones only whether it was an admin is
    known, by `as_admin`.
    """

    id: UUID
    owner: str
    name: str
    note: str | None
    labels: dict[str, str]
    rule: Rule
    targets: Sequence[Mapping[str, Any]]
    sealed: bytes | None
    as_admin: bool
    scopes: Sequence[str] | None
    time_input: str | None
    overlap: Overlap
    catch_up: int
    enabled: bool
    paused_reason: str | None
    failures: int
    next_at: datetime | None
    due_at: datetime | None
    waiting: bool
    last_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime
    now: datetime

    @property
    def most(self) -> frozenset[Scope]:
        """What may be done for it in its owner's name."""
        return remembered(self.scopes, as_admin=self.as_admin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of one firing, or of several that were missed: of those from `at` on, its logical time.

    `made` names executions and batches, which may be deleted by now: `{"execution": id}` or `{"batch": id}`.
    """

    at: datetime
    status: RunStatus
    manual: bool = False
    reason: SkipReason | None = None
    message: str | None = None
    problem: Mapping[str, Any] | None = None
    made: Sequence[Mapping[str, str]] = ()
    noted_at: datetime | None = None
