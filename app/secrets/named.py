"""SQL of the secrets that have a name."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ARRAY, Text, any_, delete, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import INTERVAL, insert

from app.db.engine import Connection
from app.db.orm import clock
from app.secrets.model import NamedSecretRecord
from app.secrets.tables import NamedSecret

# When one was used is not worth a write per submission.
_EXACT_TO = literal("1 minute").cast(INTERVAL)
_SHOWN = (NamedSecret.id, NamedSecret.name, NamedSecret.created_at, NamedSecret.changed_at, NamedSecret.used_at)
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('tailrace secrets of ' || :owner, 0))")


async def put(connection: Connection, secret: UUID, owner: str, name: str, sealed: bytes) -> NamedSecretRecord:
    """Keep it under this name, instead of what was there."""
    changed = {"id": secret, "ciphertext": sealed, "changed_at": func.now()}
    adding = insert(NamedSecret).values(owner=owner, name=name, **changed)
    putting = adding.on_conflict_do_update(index_elements=[NamedSecret.owner, NamedSecret.name], set_=changed)
    row = (await connection.execute(putting.returning(*_SHOWN))).mappings().one()
    return NamedSecretRecord(**row)


async def count_others(connection: Connection, owner: str, name: str) -> int:
    """How many the owner has of other names; nobody adds one until the transaction ends."""
    await connection.execute(_LOCK, {"owner": owner})
    statement = select(func.count()).where(NamedSecret.owner == owner, NamedSecret.name != name)
    return int((await connection.execute(statement)).scalar_one())


async def list_all(connection: Connection, owner: str) -> list[NamedSecretRecord]:
    """By name."""
    rows = await connection.execute(select(*_SHOWN).where(NamedSecret.owner == owner).order_by(NamedSecret.name))
    return [NamedSecretRecord(**row) for row in rows.mappings()]


async def remove(connection: Connection, owner: str, name: str) -> bool:
    """Whether there was one."""
    removing = delete(NamedSecret).where(NamedSecret.owner == owner, NamedSecret.name == name)
    return (await connection.execute(removing)).rowcount > 0


async def take(connection: Connection, owner: str, names: Collection[str]) -> dict[str, tuple[UUID, bytes]]:
    """Those that there are, each with the id that it is sealed for, and note that they were used."""
    wanted = (NamedSecret.owner == owner, NamedSecret.name == any_(literal(sorted(names), ARRAY(Text))))
    rows = await connection.execute(select(NamedSecret.name, NamedSecret.id, NamedSecret.ciphertext).where(*wanted))
    found = {row.name: (row.id, row.ciphertext) for row in rows}
    # Whoever notes it at this moment does so for us, too: submissions do not wait for each other.
    long_ago = or_(NamedSecret.used_at.is_(None), NamedSecret.used_at < clock() - _EXACT_TO)
    due = select(NamedSecret.id).where(*wanted, long_ago).with_for_update(skip_locked=True)
    await connection.execute(update(NamedSecret).where(NamedSecret.id.in_(due)).values(used_at=clock()))
    return found
