"""Tokens of other people, made as the API makes its first one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import insert
from uuid_utils.compat import uuid7

from app.auth.tables import Token
from app.auth.tokens import Scope, hash_token, new_token
from app.db.engine import open_engine, transaction
from support.running import Running

EVERYTHING_OF_THEIR_OWN = (Scope.READ, Scope.SUBMIT, Scope.CANCEL)


async def another_user(installation: Running, owner: str, scopes: Sequence[Scope] = EVERYTHING_OF_THEIR_OWN) -> Running:
    """The same installation as seen by somebody else."""
    token = new_token()
    async with (
        open_engine(installation.database_url, pool_size=1, application="tailrace-test") as engine,
        transaction(engine) as connection,
    ):
        await connection.execute(
            insert(Token).values(id=uuid7(), hash=hash_token(token), name=owner, owner=owner, scopes=list(scopes))
        )
    return replace(installation, token=token)
