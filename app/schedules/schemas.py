"""What clients get to see of schedules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from app.schedules import examples
from app.schedules.model import Overlap, Rule, Run, RunStatus, ScheduleRecord, SkipReason, is_zone
from app.schedules.rules import due_time
from app.schedules.targets import shown


class NextFiring(BaseModel):
    """When it fires next."""

    at: datetime = Field(description="Its logical time")
    due_at: datetime = Field(description="When that is: later by the jitter")
    waiting: bool = Field(description="It is due, and waits for what was submitted before")

    @classmethod
    def of(cls, record: ScheduleRecord) -> Self | None:
        """From the record."""
        if record.next_at is None or record.due_at is None:
            return None
        return cls(at=record.next_at, due_at=record.due_at, waiting=record.waiting)


class ScheduleLinks(BaseModel):
    """Paths on this host."""

    self: str
    runs: str
    fire: str
    preview: str
    executions: str

    @classmethod
    def of(cls, schedule: UUID) -> Self:
        """All links of one schedule."""
        own = f"/v1/schedules/{schedule}"
        below = {name: f"{own}/{name}" for name in cls.model_fields}
        return cls(**below | {"self": own, "executions": f"/v1/executions?schedule={schedule}&archived=any"})


class ScheduleView(BaseModel):
    """A rule, and what it submits. Of variables and secrets the names only."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SCHEDULE]})

    id: UUID
    name: str
    note: str | None
    labels: dict[str, str]
    owner: str
    rule: Rule
    targets: list[dict[str, Any]] = Field(description="As they were given; values of `env` and `secrets` are `***`")
    time_input: str | None
    overlap: Overlap
    catch_up: int
    enabled: bool
    paused_reason: str | None = Field(description="Why it does not fire, if nobody has asked for that")
    failures: int = Field(description="Firings in a row that failed")
    next: NextFiring | None = Field(description="Null if it is not enabled, and if its rule is over")
    last_at: datetime | None = Field(description="The logical time that it has come to")
    created_at: datetime
    updated_at: datetime
    links: ScheduleLinks

    @classmethod
    def of(cls, record: ScheduleRecord) -> Self:
        """From the record."""
        different = {"targets", "next", "links"}
        return cls(
            **{name: getattr(record, name) for name in cls.model_fields if name not in different},
            targets=shown(record.targets),
            next=NextFiring.of(record),
            links=ScheduleLinks.of(record.id),
        )


class ScheduleList(BaseModel):
    """One page. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SCHEDULE_LIST]})

    items: list[ScheduleView]
    next: UUID | None

    @classmethod
    def of(cls, records: list[ScheduleRecord], *, more: bool) -> Self:
        """From the records of a page."""
        return cls(items=[ScheduleView.of(each) for each in records], next=records[-1].id if more else None)


class Made(BaseModel):
    """What a firing submitted; it may be deleted by now."""

    execution: UUID | None = None
    batch: UUID | None = None


class RunView(BaseModel):
    """What came of a firing."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RUN]})

    at: datetime = Field(description="Its logical time")
    status: RunStatus
    manual: bool = Field(description="Somebody asked for it")
    reason: SkipReason | None = Field(description="Why it was skipped; `missed` may stand for several, from `at` on")
    message: str | None
    problem: dict[str, Any] | None = Field(description="Why it failed, as the API would have said it")
    made: list[Made]
    noted_at: datetime

    @classmethod
    def of(cls, run: Run) -> Self:
        """From the record."""
        same = {name: getattr(run, name) for name in cls.model_fields if name != "made"}
        return cls(**same, made=[Made.model_validate(each) for each in run.made])


class RunList(BaseModel):
    """One page, by logical time. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RUN_LIST]})

    items: list[RunView]
    next: datetime | None

    @classmethod
    def of(cls, runs: list[Run], *, more: bool) -> Self:
        """From the records of a page."""
        return cls(items=[RunView.of(run) for run in runs], next=runs[-1].at if more else None)


class Firing(BaseModel):
    """A firing to come."""

    at: datetime = Field(description="Its logical time")
    local: datetime = Field(description="The same, in the time zone of the rule")
    due_at: datetime = Field(description="When that is: later by the jitter, which only an existing schedule has")


class Preview(BaseModel):
    """The next firings of a rule, whether it is enabled or not."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.PREVIEW]})

    items: list[Firing]

    @classmethod
    def of(cls, rule: Rule, times: list[datetime], schedule: UUID | None = None) -> Self:
        """Of these logical times."""
        zone = ZoneInfo(rule.time_zone) if is_zone(rule.time_zone) else UTC
        firings = [
            Firing(at=at, local=at.astimezone(zone), due_at=due_time(rule, schedule, at) if schedule else at)
            for at in times
        ]
        return cls(items=firings)
