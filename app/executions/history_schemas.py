"""What clients get to see of what happened to an execution: its events and its attempts."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.executions import examples
from app.executions.attempts import AttemptRecord
from app.executions.model import Event
from app.executions.states import Cause, Status


class EventView(BaseModel):
    """What happened to it: a change of the status, or what left that as it is; `message` then says what was done."""

    number: int
    from_: Status | None = Field(serialization_alias="from")
    to: Status
    cause: Cause | None
    message: str | None
    actor: str
    attempt: int
    at: datetime

    @classmethod
    def of(cls, event: Event) -> Self:
        """From the history."""
        return cls(
            number=event.number,
            from_=event.from_status,
            to=event.to_status,
            cause=event.cause,
            message=event.message,
            actor=event.actor,
            attempt=event.attempt,
            at=event.at,
        )


class EventList(BaseModel):
    """The history, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.EVENT_LIST]})

    items: list[EventView]


class AttemptLog(BaseModel):
    """Its lines in the log: those behind `after`, up to `last`, which is null until it has ended."""

    after: int
    last: int | None


class AttemptView(BaseModel):
    """One container of an execution."""

    number: int
    worker_id: UUID
    engine_id: str
    container_name: str | None
    container_id: str | None
    claimed_at: datetime
    started_at: datetime | None
    stop_written_at: datetime | None = Field(description="When the program was told to stop, by the file `stop`")
    signaled_at: datetime | None = Field(description="When it got its stop signal")
    killed_at: datetime | None = Field(description="When it got SIGKILL")
    exited_at: datetime | None = Field(description="When the container exited, by its engine's clock")
    finished_at: datetime | None
    exit_code: int | None
    oom_killed: bool | None
    cause: Cause | None
    message: str | None
    may_have_run: bool | None = Field(description="Whether its program may have started; null until it has ended")
    log: AttemptLog
    checkpoint_files: int
    checkpoint_bytes: int

    @classmethod
    def of(cls, attempt: AttemptRecord, log: AttemptLog) -> Self:
        """From its record."""
        same = {name: getattr(attempt, name) for name in cls.model_fields if name != "log"}
        return cls(**same, log=log)


class AttemptList(BaseModel):
    """The attempts, first to last."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ATTEMPT_LIST]})

    items: list[AttemptView]

    @classmethod
    def of(cls, attempts: list[AttemptRecord]) -> Self:
        """From the records of attempts. The log of each begins where that of the one before ended."""
        ends = [attempt.last_seq or 0 for attempt in attempts]
        return cls(
            items=[
                AttemptView.of(attempt, AttemptLog(after=after, last=attempt.last_seq))
                for attempt, after in zip(attempts, [0, *ends], strict=False)
            ]
        )
