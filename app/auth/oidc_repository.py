"""SQL of who comes with an issuer's token: each is a row of `tokens` from when it comes first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from app.auth.model import DEAD_PER_OWNER
from app.auth.oidc import Identity
from app.auth.repository import FORGOTTEN_AT_ONCE, LINEAGE
from app.auth.tables import Token
from app.db.engine import Connection
from app.db.orm import clock
from app.db.registry import metadata

# Of those that have ended, if they are not too many. The newest of each owner stays, and whatever something was made by
# that is still there.
_KEPT = timedelta(days=7)


async def admit(connection: Connection, identity: Identity) -> None:
    """Put it on record, unless it is. Older ones of the owner that ended long ago are forgotten."""
    row = {
        "id": uuid7(),
        "hash": identity.hash,
        "name": identity.name,
        "owner": identity.owner,
        "scopes": sorted(identity.scopes),
        "expires_at": identity.expires_at,
        "vouched_until": identity.vouched_until,
    }
    statement = insert(Token).values(**row).on_conflict_do_nothing(index_elements=[Token.hash]).returning(Token.id)
    if (await connection.execute(statement)).scalar_one_or_none() is None:
        return
    mine = (Token.owner == identity.owner, Token.hash != identity.hash, Token.vouched_until.is_not(None))
    over = select(Token.id).where(*mine, Token.expires_at < clock(), ~_has_made())
    many = over.order_by(Token.id.desc()).offset(DEAD_PER_OWNER).limit(FORGOTTEN_AT_ONCE)
    long_ago = over.where(Token.expires_at < clock() - _KEPT).limit(FORGOTTEN_AT_ONCE)
    these = select(Token.id).where(or_(Token.id.in_(many), Token.id.in_(long_ago)))
    # Two who come at once do not wait for each other.
    await connection.execute(delete(Token).where(Token.id.in_(these.with_for_update(skip_locked=True))))


def _has_made() -> ColumnElement[bool]:
    """Whether something leads back to a token: whoever revokes that with what follows from it has to find it."""
    made = ((metadata.tables[table].alias(), name) for table, name in LINEAGE)
    return or_(*(select(each.c[name]).where(each.c[name] == Token.id).exists() for each, name in made))


def vouched(owner: str) -> Select[tuple[list[Any]]]:
    """What the newest of an owner lets go on in their name, unless that is revoked, or too long ago."""
    newest = select(Token).where(Token.owner == owner, Token.vouched_until.is_not(None)).order_by(Token.id.desc())
    one = newest.limit(1).subquery()
    return select(one.c.scopes).where(one.c.revoked_at.is_(None), one.c.vouched_until > clock())
