"""`python -m app token`: a token from whoever may write to the database, such as the first, or when all are lost."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from app.audit import repository as audit
from app.audit.model import of_operator
from app.auth.granting import Wanted, add
from app.auth.model import Role
from app.auth.schemas import NewToken
from app.auth.service import BOOTSTRAP_OWNER
from app.db.engine import open_engine, transaction
from app.executions.repository import seconds_from_now
from app.explaining import explain
from app.settings import CANNOT_START, read_settings


def main(arguments: Sequence[str]) -> int:
    """Print a new token on stdout, and nothing else. The exit code of the process."""
    parser = argparse.ArgumentParser(prog="python -m app token", description="Make a token, and print it.")
    parser.add_argument("--owner", default=BOOTSTRAP_OWNER, help="whose it is (default: %(default)s)")
    parser.add_argument("--role", type=Role, choices=list(Role), default=Role.ADMIN, help="default: %(default)s")
    parser.add_argument("--name", default="command line", help="what it is for (default: %(default)s)")
    parser.add_argument("--expires-in", type=int, metavar="SECONDS", help="default: never")
    try:
        wanted = NewToken.model_validate(vars(parser.parse_args(arguments))).wanted()
    except ValidationError as error:
        parser.error(explain(error.errors()).detail)
    try:
        token = asyncio.run(_make(wanted))
    except (DBAPIError, OSError, TimeoutError) as error:
        reason = getattr(error, "orig", error)
        said = f"the database of TAILRACE_DATABASE_URL cannot be written to: {reason}"
        parser.exit(CANNOT_START, f"{parser.prog}: {said}\n")
    sys.stdout.write(f"{token}\n")
    return 0


async def _make(wanted: Wanted) -> str:
    columns = {
        "name": wanted.name,
        "owner": wanted.owner,
        "scopes": sorted(wanted.scopes),
        "expires_at": None if wanted.expires_in is None else seconds_from_now(wanted.expires_in),
    }
    url = read_settings().database_url
    async with (
        open_engine(url, pool_size=1, application="tailrace-token") as database,
        transaction(database) as connection,
    ):
        record, token = await add(connection, columns)
        made = of_operator("make_token", made=f"tokens/{record.id}", owner=record.owner, status=201)
        await audit.add(connection, [made])
    return token
