"""SQL of uploaded files, and of who refers to them.

Whoever refers to a file holds it (`hold`) from before they look until their commit; whoever removes one locks it first,
and looks at who refers to it after that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Interval,
    RowMapping,
    Uuid,
    any_,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from app.artifacts import removals
from app.db.engine import Connection
from app.db.orm import clock
from app.executions.tables import Execution
from app.files.model import FileRecord, prefix_of
from app.files.tables import ExecutionFile, File, Upload

# One statement may carry 32767 parameters.
ROWS_PER_INSERT = 10_000
# So many executions that have had a file are looked at one by one.
LOOKED_AT = 1000
# A file that is in use when its days are over is looked at daily, so many times `most` in one sweep.
LOOK_AGAIN_AFTER = timedelta(days=1)
LOOKS = 20
# As the index of statuses has it.
ACTIVE = "status IN ('queued', 'preparing', 'running', 'paused', 'stopping') AND archived_at IS NULL"
# Uploads of an owner who may have only so much are noted one after the other.
_SPACE = text("""
    SELECT (SELECT coalesce(sum(bytes), 0) FROM files WHERE owner = :owner) + (
        SELECT coalesce(sum(bytes), 0) FROM uploads
        WHERE owner = :owner AND until >= clock_timestamp() AND id IS DISTINCT FROM CAST(:but AS uuid)
    ) + (
        SELECT coalesce(sum(
            CASE WHEN outputs_expired_at IS NULL THEN outputs_bytes ELSE 0 END
            + CASE WHEN checkpoint_expired_at IS NULL THEN checkpoint_bytes ELSE 0 END
        ), 0) FROM executions WHERE owner = :owner AND imported IS NOT NULL
    )
""")
_LOCK_SPACE = text("SELECT pg_advisory_xact_lock(hashtextextended('files ' || :owner, 0))")


async def add(connection: Connection, file: FileRecord) -> FileRecord:
    """Note a file whose bytes are stored; the record, with the time that it has from now on."""
    columns = {name: getattr(file, name) for name in FileRecord.__slots__ if name != "created_at"}
    added = insert(File).values({**columns, "labels": dict(file.labels), "created_at": clock()})
    return _record_of((await connection.execute(added.returning(*File.__table__.c))).mappings().one())


async def find(connection: Connection, file: UUID, *, owner: str | None) -> FileRecord | None:
    """One file, if it is this owner's; None is everybody."""
    statement = select(File.__table__).where(File.id == file, *_of(owner))
    row = (await connection.execute(statement)).mappings().one_or_none()
    return _record_of(row) if row else None


async def list_page(
    connection: Connection,
    *,
    limit: int,
    before: UUID | None,
    owner: str | None,
    begins: str | None = None,
    labels: Mapping[str, str | None] | None = None,
) -> list[FileRecord]:
    """The newest so many of this owner whose name begins so, older than that one; labels as filters have them."""
    statement = select(File.__table__).where(*_of(owner)).order_by(File.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(File.id < before)
    if begins is not None:
        statement = statement.where(File.name.startswith(begins, autoescape=True))
    for key, value in (labels or {}).items():
        statement = statement.where(File.labels.has_key(key) if value is None else File.labels.contains({key: value}))
    return [_record_of(row) for row in (await connection.execute(statement)).mappings()]


async def lock_space(connection: Connection, owner: str) -> None:
    """Nothing else of this owner is noted until the transaction ends, as far as they may have only so much."""
    await connection.execute(_LOCK_SPACE, {"owner": owner})


async def count_bytes(connection: Connection, owner: str, *, but: UUID | None = None) -> int:
    """What this owner has together: files, what came with imports, and what is under way `but` this upload."""
    return int((await connection.execute(_SPACE, {"owner": owner, "but": but})).scalar_one())


async def take_space(connection: Connection, upload: UUID, owner: str, size: int, *, within: timedelta) -> None:
    """So many bytes are under way in all of this one, for so long."""
    taken = {"bytes": size, "until": clock() + literal(within, Interval())}
    statement = insert_or_not(Upload).values(id=upload, owner=owner, **taken)
    await connection.execute(statement.on_conflict_do_update(index_elements=[Upload.id], set_=taken))
    await connection.execute(delete(Upload).where(Upload.owner == owner, Upload.until < clock()))


async def keep_space(connection: Connection, upload: UUID, *, within: timedelta) -> None:
    """It is still under way."""
    until = clock() + literal(within, Interval())
    await connection.execute(update(Upload).where(Upload.id == upload).values(until=until))


async def give_space_back(connection: Connection, upload: UUID) -> None:
    """It is on record, or not to be."""
    await connection.execute(delete(Upload).where(Upload.id == upload))


async def hold(connection: Connection, files: Collection[UUID], *, owner: str | None) -> dict[UUID, FileRecord]:
    """Those of these that there are, of this owner; they are not removed until the transaction ends."""
    statement = select(File.__table__).where(_any(files), *_of(owner)).order_by(File.id)
    rows = await connection.execute(statement.with_for_update(read=True, key_share=True))
    return {row["id"]: _record_of(row) for row in rows.mappings()}


async def find_all(connection: Connection, files: Collection[UUID]) -> dict[UUID, FileRecord]:
    """Those of these that there are, whoever's."""
    rows = await connection.execute(select(File.__table__).where(_any(files)))
    return {row["id"]: _record_of(row) for row in rows.mappings()}


async def refer(connection: Connection, referred: Mapping[UUID, Collection[UUID]]) -> None:
    """Note which files these executions, which are on record, have among their inputs. The files are held."""
    rows = [{"execution_id": execution, "file_id": file} for execution, files in referred.items() for file in {*files}]
    for start in range(0, len(rows), ROWS_PER_INSERT):
        statement = insert_or_not(ExecutionFile).values(rows[start : start + ROWS_PER_INSERT])
        await connection.execute(statement.on_conflict_do_nothing())


async def lock(connection: Connection, file: UUID, *, owner: str | None) -> FileRecord | None:
    """One file, to which nobody begins to refer until the transaction ends."""
    statement = select(File.__table__).where(File.id == file, *_of(owner)).with_for_update()
    row = (await connection.execute(statement)).mappings().one_or_none()
    return _record_of(row) if row else None


async def find_using(connection: Connection, file: UUID) -> UUID | None:
    """An execution that has it among its inputs and has not ended.

    Of those that have had it some are looked at: where there are more, all that have not ended are fewer.
    """
    had = select(ExecutionFile.execution_id).where(ExecutionFile.file_id == file).limit(LOOKED_AT + 1)
    executions = list((await connection.execute(had)).scalars())
    active = select(Execution.id).where(text(ACTIVE)).limit(1)
    if len(executions) <= LOOKED_AT:
        statement = active.where(Execution.id == any_(literal(executions, ARRAY(Uuid))))
    else:
        # A value, and no EXISTS: that would be looked for from the other end.
        has = select(true()).where(ExecutionFile.execution_id == Execution.id, ExecutionFile.file_id == file)
        statement = active.where(has.scalar_subquery())
    return (await connection.execute(statement)).scalar_one_or_none()


async def remove(connection: Connection, files: Collection[UUID]) -> None:
    """Let go of these, which are locked; their bytes go afterwards."""
    await removals.ask(connection, {prefix_of(file): file for file in files})
    await connection.execute(delete(File).where(File.id.in_(files)))


async def expire(connection: Connection, days: int | None, *, most: int) -> list[UUID]:
    """Remove files that are older than that and that no execution on record refers to; those that were."""
    if days is None:
        return []
    since = func.now() - timedelta(days=days)
    old = select(File.id).where(File.kept_since <= since).order_by(File.kept_since)
    referred = select(ExecutionFile.file_id).where(ExecutionFile.file_id == File.id).exists()
    for _ in range(LOOKS):
        locked = list((await connection.execute(old.limit(most).with_for_update(skip_locked=True))).scalars())
        if not locked:
            break
        # Not together with the lock: who comes to refer to one before it is had is not seen by that.
        unused = list((await connection.execute(select(File.id).where(File.id.in_(locked), ~referred))).scalars())
        again = update(File).where(File.id.in_(set(locked) - set(unused)))
        await connection.execute(again.values(kept_since=since + LOOK_AGAIN_AFTER))
        if unused:
            await remove(connection, unused)
            return unused
    return []


def _any(files: Collection[UUID]) -> ColumnElement[bool]:
    """As one parameter, however many they are."""
    return File.id == any_(literal(list(files), ARRAY(Uuid)))


def _of(owner: str | None) -> tuple[Any, ...]:
    return () if owner is None else (File.owner == owner,)


def _record_of(row: RowMapping) -> FileRecord:
    return FileRecord(**{name: row[name] for name in FileRecord.__slots__})
