"""SQL of what is to go from the store: asked for in the transaction that makes it unwanted, removed by the leader
afterwards.

Of a prefix goes whatever no manifest names. It is done twice, the second time an hour later: a worker that does not
know yet that somebody took over may still have been storing. It is taken, committed, before anything is looked at: from
then on nobody can take back what was asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Interval, delete, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert

from app.artifacts.model import ArtifactSet, Kind
from app.artifacts.tables import Artifact, ArtifactRemoval
from app.db.engine import Connection
from app.db.orm import clock
from app.files.model import key_of
from app.files.tables import File

AGAIN_AFTER = timedelta(hours=1)
# For so long it is known of an execution that it was deleted: what is left of it on a host may be cleared up.
REMEMBERED_FOR = timedelta(days=90)
ROUNDS = 2
_TO_DO = f"rounds < {ROUNDS}"
_UNTOUCHED = (ArtifactRemoval.begun_at.is_(None), text("rounds = 0"))


@dataclass(frozen=True, slots=True)
class Removal:
    """What lies below this prefix of the store is to go, but for what is on record of that execution or file."""

    prefix: str
    of: UUID


async def ask(connection: Connection, prefixes: Mapping[str, UUID], *, after: timedelta = timedelta()) -> None:
    """Let whatever is not on record below these prefixes be removed, soon or `after` some time; each with the execution
    that left it, or the file that it is.
    """
    due = clock() + literal(after, Interval())
    rows = [{"prefix": prefix, "execution_id": of, "due_at": due} for prefix, of in prefixes.items()]
    again = {"due_at": due, "begun_at": None, "rounds": 0}
    await connection.execute(
        insert(ArtifactRemoval).values(rows).on_conflict_do_update(index_elements=[ArtifactRemoval.prefix], set_=again)
    )


async def is_begun(connection: Connection, prefixes: Collection[str]) -> bool:
    """Whether something below these is being removed just now; nobody begins to until the transaction ends."""
    locked = select(ArtifactRemoval.begun_at.is_not(None) & (ArtifactRemoval.due_at <= clock()) & text(_TO_DO))
    rows = await connection.execute(locked.where(ArtifactRemoval.prefix.in_(prefixes)).with_for_update())
    return any(rows.scalars())


async def is_untouched(connection: Connection, prefixes: Collection[str]) -> bool:
    """Whether all of this was asked for, and nothing of it begun; nobody begins to until the transaction ends."""
    untouched = select(ArtifactRemoval.prefix).where(ArtifactRemoval.prefix.in_(prefixes), *_UNTOUCHED)
    return len((await connection.execute(untouched.with_for_update())).all()) == len(prefixes)


async def take_back(connection: Connection, prefix: str) -> bool:
    """What was asked for is on record now; False if somebody has begun to remove it."""
    taken_back = delete(ArtifactRemoval).where(ArtifactRemoval.prefix == prefix, *_UNTOUCHED)
    return (await connection.execute(taken_back)).rowcount > 0


async def take_due(connection: Connection, *, most: int) -> list[Removal]:
    """Those whose time has come, the oldest of them, for whoever removes them now; commit before you begin. What
    somebody is about to take back, or asks for, is passed over.
    """
    due = (
        select(ArtifactRemoval.prefix)
        .where(ArtifactRemoval.due_at <= clock(), text(_TO_DO))
        .order_by(ArtifactRemoval.due_at)
        .limit(most)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = update(ArtifactRemoval).where(ArtifactRemoval.prefix == due.c.prefix).values(begun_at=clock())
    rows = await connection.execute(taken.returning(ArtifactRemoval.prefix, ArtifactRemoval.execution_id))
    return [Removal(row.prefix, row.execution_id) for row in rows]


async def list_kept(connection: Connection, removal: Removal) -> set[str]:
    """The keys below its prefix that are on record."""
    statement = select(Artifact.attempt, Artifact.kind, Artifact.path).where(Artifact.execution_id == removal.of)
    rows = await connection.execute(statement)
    kept = {ArtifactSet(removal.of, row.attempt, Kind(row.kind)).key(row.path) for row in rows}
    files = await connection.execute(select(File.id).where(File.id == removal.of))
    return kept | {key_of(file) for file in files.scalars()}


async def note_done(connection: Connection, prefixes: Sequence[str]) -> None:
    """These were removed, once more."""
    await connection.execute(
        update(ArtifactRemoval)
        .where(ArtifactRemoval.prefix.in_(prefixes))
        .values(rounds=ArtifactRemoval.rounds + 1, due_at=clock() + literal(AGAIN_AFTER, Interval()))
    )


async def forget_old(connection: Connection, *, most: int = 1000) -> None:
    """Forget what was removed long ago, some of it if it is much."""
    old = (
        select(ArtifactRemoval.prefix)
        .where(text(f"rounds >= {ROUNDS}"), ArtifactRemoval.due_at < clock() - literal(REMEMBERED_FOR, Interval()))
        .limit(most)
    )
    await connection.execute(delete(ArtifactRemoval).where(ArtifactRemoval.prefix.in_(old)))


async def known_deleted(connection: Connection, executions: Sequence[UUID]) -> set[UUID]:
    """Which of these were deleted, as far as that is remembered."""
    prefixes = [str(execution) for execution in executions]
    rows = await connection.execute(select(ArtifactRemoval.execution_id).where(ArtifactRemoval.prefix.in_(prefixes)))
    return set(rows.scalars())
