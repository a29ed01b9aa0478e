"""SQL of tokens and shares: what people see and do. Who calls is looked up in `service.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Uuid,
    and_,
    any_,
    case,
    column,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from app.auth.model import (
    DEAD_DAYS,
    DEAD_PER_EXECUTION,
    DEAD_PER_OWNER,
    TICKETS_PER_TOKEN,
    ShareRecord,
    TokenKind,
    TokenRecord,
)
from app.auth.tables import Share, Ticket, Token
from app.auth.tokens import Scope
from app.db.engine import Connection
from app.db.orm import clock
from app.db.registry import metadata
from app.executions.tables import Execution

# Seconds between two notes of the use of one.
NOTED_EVERY = 60
FORGOTTEN_AT_ONCE = 200
# Where the token is named with which something was made or set.
LINEAGE = (
    ("tokens", "made_by"),
    ("shares", "made_with"),
    ("schedules", "set_by"),
    ("triggers", "set_by"),
    ("triggers", "key_by"),
    ("webhooks", "set_by"),
    ("notification_rules", "set_by"),
)

_KIND = case(
    (Token.session, TokenKind.SESSION),
    (Token.vouched_until.is_not(None), TokenKind.OIDC),
    else_=TokenKind.TOKEN,
)
_TOKEN = (
    *(column for column in Token.__table__.c if column.name not in {"hash", "session", "vouched_until"}),
    _KIND.label("kind"),
)
_SHARE = tuple(column for column in Share.__table__.c if column.name not in {"hash", "made_with"})
_DEAD = timedelta(days=DEAD_DAYS)


def is_valid(table: type[Token | Share]) -> ColumnElement[bool]:
    """Whether one is neither revoked nor expired."""
    return table.revoked_at.is_(None) & or_(table.expires_at.is_(None), table.expires_at > clock())


def _token_of(row: Mapping[Any, Any]) -> TokenRecord:
    return TokenRecord(**{**row, "kind": TokenKind(row["kind"]), "scopes": frozenset(map(Scope, row["scopes"]))})


async def add_token(connection: Connection, columns: Mapping[str, Any]) -> TokenRecord:
    """A new one."""
    row = await connection.execute(insert(Token).values(**columns).returning(*_TOKEN))
    return _token_of(row.mappings().one())


async def lock_tokens(connection: Connection, owner: str) -> int:
    """How many valid ones they have; nobody makes another until the transaction ends."""
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"tokens {owner}", 0))))
    counted = (Token.owner == owner, is_valid(Token), ~Token.session, Token.vouched_until.is_(None))
    statement = select(func.count()).where(*counted)
    return int((await connection.execute(statement)).scalar_one())


async def forget_tokens(connection: Connection, owner: str) -> None:
    """Some of an owner's that have not been valid for long, or after which many have ended; who made them has made then
    what they made. One that an operator made stays revoked for ever.
    """
    ended = func.least(Token.revoked_at, Token.expires_at)
    dead = select(Token.id).where(Token.owner == owner, Token.made_by.is_not(None), ~is_valid(Token))
    many = dead.order_by(ended.desc(), Token.id.desc()).offset(DEAD_PER_OWNER).limit(FORGOTTEN_AT_ONCE)
    long_ago = dead.where(ended < clock() - _DEAD).limit(FORGOTTEN_AT_ONCE)
    these = or_(Token.id.in_(many), Token.id.in_(long_ago))
    # Who revokes one at this moment goes through what it made.
    statement = select(Token.id, Token.made_by).where(these).with_for_update(skip_locked=True)
    forgotten = {row.id: row.made_by for row in await connection.execute(statement)}
    if not forgotten:
        return
    heirs = {each: _heir(each, forgotten) for each in forgotten}
    pairs = (literal(list(each), ARRAY(Uuid)) for each in (heirs.keys(), heirs.values()))
    inherited = func.unnest(*pairs).table_valued(column("id", Uuid), column("heir", Uuid), name="inherited")
    inherited = inherited.render_derived()
    for table, name in LINEAGE:
        made = metadata.tables[table]
        values = {name: inherited.c.heir}
        await connection.execute(update(made).where(made.c[name] == inherited.c.id).values(values))
    await connection.execute(delete(Token).where(Token.id == any_(literal(list(forgotten), ARRAY(Uuid)))))


def _heir(token: UUID, made_by: Mapping[UUID, UUID]) -> UUID:
    """The first of those that made one that is not forgotten with it."""
    while token in made_by:
        token = made_by[token]
    return token


async def find_token(connection: Connection, token: UUID, *, owner: str | None) -> TokenRecord | None:
    """One, if it exists and, with `owner`, is theirs."""
    statement = select(*_TOKEN).where(Token.id == token)
    if owner is not None:
        statement = statement.where(Token.owner == owner)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return _token_of(row) if row is not None else None


async def list_tokens(
    connection: Connection,
    *,
    owner: str | None,
    kind: TokenKind | None,
    dead: bool,
    before: UUID | None,
    most: int,
) -> list[TokenRecord]:
    """Those of an owner or of all, the newest first; also the `dead` if they are asked for."""
    statement: Select[Any] = select(*_TOKEN).order_by(Token.id.desc()).limit(most)
    if owner is not None:
        statement = statement.where(Token.owner == owner)
    if kind is not None:
        statement = statement.where(literal(kind) == _KIND)
    if not dead:
        statement = statement.where(is_valid(Token))
    if before is not None:
        statement = statement.where(Token.id < before)
    return [_token_of(row) for row in (await connection.execute(statement)).mappings()]


async def revoke_token(connection: Connection, token: UUID) -> list[UUID]:
    """From now on it is not valid, nor are the sessions that it made; those that were."""
    itself_or_session = or_(Token.id == token, and_(Token.made_by == token, Token.session))
    statement = update(Token).where(itself_or_session, Token.revoked_at.is_(None)).values(revoked_at=clock())
    return list((await connection.execute(statement.returning(Token.id))).scalars())


async def end_oldest_sessions(connection: Connection, token: UUID, *, keep: int) -> list[UUID]:
    """Of those that a token has begun, but for the newest; for whoever holds it. Those that were valid."""
    valid = select(Token.id).where(Token.made_by == token, Token.session, is_valid(Token))
    oldest = valid.order_by(Token.id.desc()).offset(keep)
    statement = update(Token).where(Token.id.in_(oldest), Token.revoked_at.is_(None)).values(revoked_at=clock())
    return list((await connection.execute(statement.returning(Token.id))).scalars())


async def lock_family(connection: Connection, token: UUID) -> list[UUID]:
    """A token, those that were made with it, with these, and so on, also those that are not valid any more.

    Until the transaction ends nobody makes anything with any of them: who does at this moment is waited for, and then
    what they made is found.
    """
    family, found = dict.fromkeys([token]), [token]
    while found:
        these = any_(literal(found, ARRAY(Uuid)))
        await connection.execute(select(Token.id).where(Token.id == these).order_by(Token.id).with_for_update())
        # At the end once more of all: one that was forgotten while we waited has left what it made to its own maker.
        found = await _made_by(connection, found, family) or await _made_by(connection, family, family)
        family |= dict.fromkeys(found)
    return list(family)


async def _made_by(connection: Connection, tokens: Collection[UUID], known: Collection[UUID]) -> list[UUID]:
    """What was made with these, but for what is known."""
    made = select(Token.id).where(Token.made_by == any_(literal(list(tokens), ARRAY(Uuid))))
    return [each for each in (await connection.execute(made)).scalars() if each not in known]


async def revoke_tokens(connection: Connection, tokens: Collection[UUID]) -> list[tuple[UUID, str]]:
    """They are not valid from now on, nor are their tickets; those that were, and whose they are."""
    these = any_(literal(list(tokens), ARRAY(Uuid)))
    await connection.execute(delete(Ticket).where(Ticket.token_id == these))
    # What an issuer vouches for goes on in the owner's name when it has ended.
    going_on = or_(is_valid(Token), and_(Token.revoked_at.is_(None), Token.vouched_until > clock()))
    statement = update(Token).where(Token.id == these, going_on).values(revoked_at=clock())
    return [(row.id, row.owner) for row in await connection.execute(statement.returning(Token.id, Token.owner))]


async def revoke_shares(connection: Connection, tokens: Collection[UUID]) -> list[tuple[UUID, UUID, str]]:
    """What was made with these shows nothing from now on; what was valid, of which execution, and whose that is."""
    made = Share.made_with == any_(literal(list(tokens), ARRAY(Uuid)))
    statement = update(Share).where(made, is_valid(Share), Share.execution_id == Execution.id)
    found = statement.values(revoked_at=clock()).returning(Share.id, Share.execution_id, Execution.owner)
    return [(row.id, row.execution_id, row.owner) for row in await connection.execute(found)]


async def revoke_share(connection: Connection, share: UUID) -> None:
    """From now on it is not valid; when that was first, stays."""
    await connection.execute(
        update(Share).where(Share.id == share, Share.revoked_at.is_(None)).values(revoked_at=clock())
    )


async def add_ticket(connection: Connection, hash_: bytes, token: UUID, *, seconds: float) -> datetime:
    """A new one, good for so long; until when that is. Those that nobody used in time are forgotten, and the oldest of
    this token if it has too many.
    """
    late = select(Ticket.hash).where(Ticket.expires_at <= clock()).limit(FORGOTTEN_AT_ONCE)
    oldest = select(Ticket.hash).where(Ticket.token_id == token).order_by(Ticket.expires_at.desc())
    for over in (late, oldest.offset(TICKETS_PER_TOKEN - 1)):
        # Who takes one at this moment has it.
        await connection.execute(delete(Ticket).where(Ticket.hash.in_(over.with_for_update(skip_locked=True))))
    row = {"hash": hash_, "token_id": token, "expires_at": clock() + timedelta(seconds=seconds)}
    return (await connection.execute(insert(Ticket).values(**row).returning(Ticket.expires_at))).scalar_one()


async def take_ticket(connection: Connection, hash_: bytes) -> UUID | None:
    """The token that it is of; None if there is none, also because somebody has taken it."""
    statement = delete(Ticket).where(Ticket.hash == hash_, Ticket.expires_at > clock()).returning(Ticket.token_id)
    return (await connection.execute(statement)).scalar_one_or_none()


async def hold_token(connection: Connection, token: UUID, *, session: bool = True) -> bool:
    """Keep one from being revoked until the transaction ends; whether it is valid, and no `session` if none may be.

    Of those who want none, whose number is bounded, there is one at a time.
    """
    held = (Token.id == token, is_valid(Token), or_(~Token.session, literal(session)))
    statement = select(Token.id).where(*held).with_for_update(read=session, key_share=not session)
    return (await connection.execute(statement)).scalar_one_or_none() is not None


async def is_session(connection: Connection, token: UUID) -> bool:
    """Whether a browser has it in a cookie."""
    return bool((await connection.execute(select(Token.session).where(Token.id == token))).scalar_one_or_none())


async def add_share(connection: Connection, columns: Mapping[str, Any]) -> ShareRecord:
    """A new one."""
    row = await connection.execute(insert(Share).values(**columns).returning(*_SHARE))
    return ShareRecord(**row.mappings().one())


async def lock_shares(connection: Connection, execution: UUID) -> int:
    """How many valid ones there are; nobody makes another until the transaction ends.

    Those that have not been valid for long, or after which many have ended, are forgotten.
    """
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"shares {execution}", 0))))
    ended = func.least(Share.revoked_at, Share.expires_at)
    dead = select(Share.id).where(Share.execution_id == execution, ~is_valid(Share))
    many = dead.order_by(ended.desc(), Share.id.desc()).offset(DEAD_PER_EXECUTION)
    old = or_(ended < clock() - _DEAD, Share.id.in_(many))
    await connection.execute(delete(Share).where(Share.execution_id == execution, old))
    statement = select(func.count()).where(Share.execution_id == execution, is_valid(Share))
    return int((await connection.execute(statement)).scalar_one())


async def list_shares(connection: Connection, execution: UUID, *, most: int) -> list[ShareRecord]:
    """Of one execution, the newest first, also those that are not valid any more."""
    statement = select(*_SHARE).where(Share.execution_id == execution).order_by(Share.id.desc()).limit(most)
    return [ShareRecord(**row) for row in (await connection.execute(statement)).mappings()]


async def find_share(connection: Connection, execution: UUID, share: UUID) -> ShareRecord | None:
    """One of this execution."""
    statement = select(*_SHARE).where(Share.id == share, Share.execution_id == execution)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return ShareRecord(**row) if row is not None else None


async def list_valid(connection: Connection, ids: Collection[UUID]) -> set[UUID]:
    """Which of these tokens and shares are valid now."""
    wanted = literal(list(ids), ARRAY(Uuid))
    tokens = select(Token.id).where(Token.id == any_(wanted), is_valid(Token))
    shares = select(Share.id).where(Share.id == any_(wanted), is_valid(Share))
    return set((await connection.execute(tokens.union_all(shares))).scalars())


async def note_used(connection: Connection, ids: Collection[UUID]) -> None:
    """That they are used now, unless that was noted a moment ago. Those that somebody changes now are left out."""
    for table in (Token, Share):
        is_new = or_(table.last_used_at.is_(None), table.last_used_at < clock() - timedelta(seconds=NOTED_EVERY))
        used = table.id == any_(literal(list(ids), ARRAY(Uuid)))
        # To wait for a lock would hold up the looks that end what is open, and two who note the same, each other.
        free = select(table.id).where(used, is_new).with_for_update(key_share=True, skip_locked=True)
        await connection.execute(update(table).where(table.id.in_(free)).values(last_used_at=clock()))
