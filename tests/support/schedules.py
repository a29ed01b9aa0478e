"""Schedules whose firings a test lets come due, by the database's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, select, text, update
from uuid_utils.compat import uuid7

from app.auth.service import Caller
from app.auth.tables import Token
from app.auth.tokens import Scope, hash_token, new_token
from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.executions.record import Record, record_of, select_records
from app.executions.tables import Execution
from app.schedules import service
from app.schedules.firing import fire_due
from app.schedules.model import Overlap, Rule, Run, ScheduleRecord
from app.schedules.service import Wanted
from app.schedules.tables import Schedule
from app.schedules.targets import Target

HOUR = timedelta(hours=1)
SCOPES = frozenset({Scope.READ, Scope.SUBMIT})


@dataclass(frozen=True)
class Schedules:
    """One owner with a valid token, and a pool of their own."""

    process: Process
    caller: Caller
    pool: str

    @classmethod
    async def of(cls, process: Process, pool: str, *, scopes: frozenset[Scope] = SCOPES) -> Schedules:
        caller = Caller(f"owner-{uuid4().hex}", scopes)
        row = {"id": uuid7(), "hash": hash_token(new_token()), "name": "test", "owner": caller.owner}
        async with transaction(process.database) as connection:
            await connection.execute(insert(Token).values(**row, scopes=sorted(scopes)))
        return cls(process, caller, pool)

    def submission(self, **fields: Any) -> dict[str, Any]:
        return {"execution": {"image": "busybox:local", "pool": self.pool, **fields}}

    async def add(self, *bodies: dict[str, Any], **fields: Any) -> UUID:
        """One that fires every hour at the minute and second of now, first in an hour; `rule` may say otherwise."""
        now = await service.read_now(self.process)
        wanted: dict[str, Any] = {
            "name": uuid4().hex,
            "note": None,
            "labels": {},
            "rule": Rule(every=3600, offset=int(now.timestamp()) % 3600),
            "time_input": None,
            "overlap": Overlap.SKIP,
            "catch_up": 1,
            "enabled": True,
            **fields,
        }
        targets = [Target.model_validate(body) for body in bodies or [self.submission()]]
        record = await service.add(self.process, self.caller, Wanted(**wanted, targets=targets))
        return record.id

    async def record(self, schedule: UUID) -> ScheduleRecord:
        return await service.get(self.process, self.caller, schedule)

    async def come_due(self, schedule: UUID, *, hours_ago: int = 0) -> datetime:
        """Let the firing of just now, or of so many hours before, be the next; its logical time."""
        record = await self.record(schedule)
        assert record.rule.every == 3600
        offset = timedelta(seconds=record.rule.offset)
        at = (record.now - offset).replace(minute=0, second=0, microsecond=0) + offset - hours_ago * HOUR
        await self.change(schedule, next_at=at, due_at=at)
        return at

    async def change(self, schedule: UUID, **columns: Any) -> None:
        """Make something of it so, whoever would do that."""
        async with transaction(self.process.database) as connection:
            await connection.execute(update(Schedule).where(Schedule.id == schedule).values(**columns))

    async def look_again(self, schedule: UUID) -> None:
        """As if the time had come to look at a firing that waits."""
        await self.change(schedule, due_at=text("next_at"))

    async def fire(self, schedule: UUID) -> None:
        """All that is due."""
        while (await fire_due(self.process, schedule)).more:
            pass

    async def runs(self, schedule: UUID) -> list[Run]:
        """Oldest first."""
        runs, more = await service.get_runs(self.process, self.caller, schedule, limit=200, before=None, status=None)
        assert not more
        return runs[::-1]

    async def executions(self, schedule: UUID) -> list[Record]:
        """What it has submitted, oldest first."""
        statement = select_records().where(Execution.schedule_id == schedule).order_by(Execution.id)
        async with reading(self.process.database) as connection:
            return [record_of(row) for row in (await connection.execute(statement)).mappings()]

    async def names_in_order(self, schedule: UUID) -> list[str]:
        """What came of its firings, oldest first, in a word each."""
        return [run.reason or run.status for run in await self.runs(schedule)]

    async def exists(self, schedule: UUID) -> bool:
        async with reading(self.process.database) as connection:
            found = await connection.execute(select(Schedule.id).where(Schedule.id == schedule))
            return found.scalar_one_or_none() is not None
