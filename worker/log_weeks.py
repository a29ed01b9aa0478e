"""The weeks in which logs expire: each is a partition of `log_segments`, dropped as a whole when it is over.

How Postgres locks here is measured in ADR 0011: adding a week holds up nobody who reads a log, dropping one waits for
those who do, `PATIENCE` at most, and tries again at the next sweep.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import select, text

from app.db.engine import Connection
from app.logs.store import TODAY
from app.logs.tables import PARTITION_PREFIX, LogSegment

WEEK = timedelta(weeks=1)
# Below the server's time for finding deadlocks, so that it is never a reader who gives way.
PATIENCE = "100ms"

_AWAITED = text("""
    SELECT EXISTS (SELECT FROM log_heads WHERE moving AND expires >= :begins AND expires < :ends)
""")
_NAMES = text("""
    SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = CAST(:parent AS regclass) ORDER BY relname
""")
_NAME = f"{PARTITION_PREFIX}%Y_%m_%d"


def week_of(day: date) -> date:
    """The Monday of its week."""
    return day - timedelta(days=day.weekday())


async def read_today(connection: Connection) -> date:
    """The day by the database's clock, in UTC."""
    day: date = (await connection.execute(select(TODAY))).scalar_one()
    return day


async def list_weeks(connection: Connection) -> list[date]:
    """The Mondays of the weeks that there are."""
    names = (await connection.execute(_NAMES, {"parent": LogSegment.__tablename__})).scalars()
    return [week for name in names if (week := _week_named(name)) is not None]


def _week_named(name: str) -> date | None:
    try:
        return datetime.strptime(name, _NAME).date()  # noqa: DTZ007 - a day, no time
    except ValueError:
        return None  # what is kept for ever


async def add_week(connection: Connection, week: date) -> bool:
    """Make room for what expires in this week. Raises what a lock raises that is not had in time."""
    name = f"{week:{_NAME}}"
    await _be_quick(connection)
    # Made first and attached then: as `PARTITION OF` it would lock out everybody who reads a log.
    await connection.execute(
        text(f"CREATE TABLE {name} (LIKE log_segments INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)")
    )
    await connection.execute(
        text(f"ALTER TABLE log_segments ATTACH PARTITION {name} FOR VALUES FROM ('{week}') TO ('{week + WEEK}')")
    )
    return True


async def drop_week(connection: Connection, week: date) -> bool:
    """Let go of what expired in this week, unless something is to be moved out of it. Raises what a lock raises that
    is not had in time.
    """
    await _be_quick(connection)
    # Whoever archives looks like a reader (`app/logs/keeping.py`): from here on nobody asks for anything in this week.
    await connection.execute(text("LOCK TABLE ONLY log_segments IN ACCESS EXCLUSIVE MODE"))
    if (await connection.execute(_AWAITED, {"begins": week, "ends": week + WEEK})).scalar_one():
        return False
    await connection.execute(text(f"DROP TABLE {week:{_NAME}}"))
    return True


async def _be_quick(connection: Connection) -> None:
    await connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}'"))
