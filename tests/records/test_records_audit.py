"""Who did what goes by age alone, and by the setting of the worker that lets go."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, select

from app.audit.tables import AuditEntry
from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.db.orm import clock
from support.migrations import NewDatabase
from support.records import opened
from worker.retention import RetentionKeeper


async def test_what_is_older_than_the_setting_goes(new_database: NewDatabase, redis_url: str, tmp_path: Path) -> None:
    url = await new_database()
    for days, left in ((0, ["old", "young"]), (7, ["young"])):
        async with opened(url, redis_url, tmp_path, retention_audit_days=days) as process:
            if not days:
                async with transaction(process.database) as connection:
                    for actor, age in (("old", 8), ("young", 6)):
                        row = {"actor": actor, "action": "act", "status": 200, "at": clock() - timedelta(days=age)}
                        await connection.execute(insert(AuditEntry).values(**row))
            await RetentionKeeper(process).sweep()
            assert await actors(process) == left


async def actors(process: Process) -> list[str]:
    async with reading(process.database) as connection:
        return list((await connection.execute(select(AuditEntry.actor).order_by(AuditEntry.actor))).scalars())


async def test_what_was_refused_goes_before_all_else(new_database: NewDatabase, redis_url: str, tmp_path: Path) -> None:
    async with opened(await new_database(), redis_url, tmp_path, retention_refused_days=7) as process:
        rows = [("done", 200, 8), ("refused", 404, 8), ("refused lately", 403, 6)]
        async with transaction(process.database) as connection:
            for actor, status, age in rows:
                row = {"actor": actor, "action": "act", "status": status, "at": clock() - timedelta(days=age)}
                await connection.execute(insert(AuditEntry).values(**row))
        await RetentionKeeper(process).sweep()
        assert await actors(process) == ["done", "refused lately"]
