"""What clients get to see of sums, and how they ask."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from app.executions.query import Choice, Shelf, Time
from app.executions.states import Status
from app.stats.model import FINE_FOR, HOUR, MINUTE, Count, Flow, Group, Scope, Waits
from app.stats.service import Numbers

MAX_STEPS = 1500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ScopeQuery(BaseModel):
    """Of which executions."""

    model_config = ConfigDict(extra="forbid")

    owner: Choice = Field(default=[], description="Whose; without the scope `admin` only your own")
    pool: Choice = Field(default=[], description="In any of these pools")

    def scope(self) -> Scope:
        """The same for whoever counts."""
        return Scope(owners=frozenset(self.owner), pools=frozenset(self.pool))


def _by(value: object) -> object:
    return [part for each in value for part in str(each).split(",")] if isinstance(value, list) else value


class CountsQuery(ScopeQuery):
    """What is counted."""

    group_by: Annotated[list[Group], BeforeValidator(_by), Field(max_length=len(Group))] = Field(
        default=[Group.STATUS], description="One or several, repeated or separated by commas"
    )
    method: Choice = Field(default=[], description="Of any of these methods, in any version")
    archived: Shelf = Field(default=Shelf.FALSE, description="Those in the archive too (`any`), or only (`true`)")

    @override
    def scope(self) -> Scope:
        return replace(super().scope(), methods=frozenset(self.method))

    def groups(self) -> list[Group]:
        """Each once, in the order that was asked for."""
        return list(dict.fromkeys(self.group_by))


class StatsQuery(ScopeQuery):
    """Of which time. It is widened to whole steps, which begin at multiples of their length since 1970, in UTC."""

    from_: Time | None = Field(default=None, alias="from", description="Default: a day before `to`")
    to: Time | None = Field(default=None, description="Default: now")
    step: int = Field(
        default=HOUR,
        ge=MINUTE,
        le=366 * 24 * HOUR,
        multiple_of=MINUTE,
        description="Seconds, whole minutes; whole hours for what is older than two days",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        since, until = self.span(datetime.now(UTC))
        if since >= until:
            raise PydanticCustomError("empty_span", "must be before `to`", {"at": "from"})
        if (until - since) / timedelta(seconds=self.step) > MAX_STEPS:
            raise PydanticCustomError(
                "too_many_steps",
                "must be longer: there would be more than {most} steps",
                {"at": "step", "most": MAX_STEPS},
            )
        if self.step % HOUR and datetime.now(UTC) - since > FINE_FOR:
            raise PydanticCustomError(
                "too_fine",
                "must be a multiple of 3600: what is older than two days is kept by the hour",
                {"at": "step"},
            )
        return self

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """From when until when, in whole steps."""
        step = timedelta(seconds=self.step)
        until = self.to or now
        since = self.from_ if self.from_ is not None else until - timedelta(days=1)
        return EPOCH + (since - EPOCH) // step * step, EPOCH - (EPOCH - until) // step * step


class CountView(BaseModel):
    """How many executions there are of one group; only what they are counted by is there."""

    status: Status | None = None
    owner: str | None = None
    pool: str | None = None
    method: str | None = Field(default=None, description="Left out for those that are of none")
    n: int

    @classmethod
    def of(cls, count: Count) -> Self:
        """From a sum."""
        return cls.model_validate({**count.group, "n": count.n})


class CountList(BaseModel):
    """Groups that have any."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"items": [{"status": "running", "n": 2}, {"status": "succeeded", "n": 40}], "total": 42}]
        }
    )

    items: list[CountView]
    total: int


class QueueStats(BaseModel):
    """Those that are queued now. `oldest_seconds` is how long the first of those that could be started has waited."""

    queued: int
    oldest_seconds: float | None


class WaitStats(BaseModel):
    """How long those that were claimed had waited in the queue."""

    mean: float
    max: float

    @classmethod
    def of(cls, waits: Waits | None) -> Self | None:
        """Null if none was."""
        if waits is None or waits.mean is None or waits.longest_claimed is None:
            return None
        return cls(mean=round(waits.mean, 3), max=round(waits.longest_claimed, 3))


class StepStats(BaseModel):
    """What happened in the step that begins at that time; `ended` has the statuses in which any ended."""

    at: datetime
    submitted: int = 0
    started: int = 0
    ended: dict[Status, int] = Field(default_factory=dict)
    waited_seconds: WaitStats | None = Field(
        default=None, description="How long those had waited that workers took from the queue in it; null if none was"
    )
    queue_age_seconds: float | None = Field(
        default=None,
        description="How long the one that waited longest had waited, at the worst moment of the step; "
        "null if nothing waited, or nothing was measured yet",
    )

    def add(self, flow: Flow) -> None:
        """What happened in it."""
        match flow.what:
            case "submitted":
                self.submitted += flow.n
            case "started":
                self.started += flow.n
            case status:
                self.ended[Status(status)] = flow.n


class Stats(BaseModel):
    """How executions stand, and what came and went. `started` counts attempts; archiving and deleting undo nothing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "from": "2026-11-21T09:00:00Z",
                    "to": "2026-11-21T11:00:00Z",
                    "step": 3600,
                    "counts": {"queued": 1, "running": 2, "succeeded": 40},
                    "queue": {"queued": 1, "oldest_seconds": 0.8},
                    "steps": [
                        {
                            "at": "2026-11-21T09:00:00Z",
                            "submitted": 0,
                            "started": 0,
                            "ended": {},
                            "waited_seconds": None,
                            "queue_age_seconds": None,
                        },
                        {
                            "at": "2026-11-21T10:00:00Z",
                            "submitted": 43,
                            "started": 42,
                            "ended": {"succeeded": 40},
                            "waited_seconds": {"mean": 0.4, "max": 6.2},
                            "queue_age_seconds": 6.2,
                        },
                    ],
                }
            ]
        }
    )

    from_: datetime = Field(serialization_alias="from")
    to: datetime
    step: int
    counts: dict[Status, int]
    queue: QueueStats
    steps: list[StepStats]

    @classmethod
    def of(cls, numbers: Numbers, *, since: datetime, until: datetime, step: int) -> Self:
        """From the sums; with every step, also those in which nothing happened."""
        counts = dict.fromkeys(Status, 0) | {Status(each.group[Group.STATUS]): each.n for each in numbers.counts}
        steps = {
            at: StepStats(
                at=at,
                waited_seconds=WaitStats.of(numbers.waits.get(at)),
                queue_age_seconds=None if age is None else round(age, 3),
            )
            for at, age in numbers.queue_ages.items()
        }
        for flow in numbers.flows:
            steps[flow.at].add(flow)
        return cls(
            from_=since,
            to=until,
            step=step,
            counts=counts,
            queue=QueueStats(queued=counts[Status.QUEUED], oldest_seconds=numbers.queue_age),
            steps=list(steps.values()),
        )
