"""`/healthz`: this process runs. `/readyz`: it can do its work."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Literal

from alembic.config import Config
from alembic.script import ScriptDirectory
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.bootstrap import SCHEMA_CONFIG, Process
from app.db.engine import reading
from app.deps import ProcessDep
from app.errors import Unavailable
from app.hints import AWAY

CHECK_SECONDS = 1.0

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """`degraded` still accepts and answers everything: without Redis, changes are found by looking, a bit later;
    and a policy that cannot be read leaves the one before.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"status": "ready", "database": "ok", "migrations": "current", "redis": "ok", "policy": "ok"}]
        },
    )

    status: Literal["ready", "degraded", "unavailable"]
    database: Literal["ok", "away"]
    migrations: Literal["current", "other", "unknown"]
    redis: Literal["ok", "away"]
    policy: Literal["ok", "old"] = Field(description="`old`: its file cannot be read, and what it said before holds")


@router.get("/healthz", operation_id="get_health", summary="Whether this process runs")
async def get_health() -> Health:
    """Answers without asking anybody else."""
    return Health()


@router.get(
    "/readyz",
    operation_id="get_readiness",
    summary="Whether requests can be served",
    responses={503: {"model": Readiness, "description": "The database is away, or not of this version"}},
)
async def get_readiness(process: ProcessDep, response: Response) -> Readiness:
    """Asks database and Redis, for a second at most. Without Redis we are degraded, not unavailable."""
    schema, redis = await asyncio.gather(_look_at_schema(process), _is_redis_there(process))
    readiness = _judge(schema, redis_is_there=redis, policy_is_old=process.policy.is_old)
    if readiness.status == "unavailable":
        response.status_code = 503
        response.headers["Retry-After"] = str(Unavailable.retry_after)
    return readiness


def _judge(schema: str | None, *, redis_is_there: bool, policy_is_old: bool) -> Readiness:
    fits = schema is not None and schema == _known_schema()
    return Readiness(
        status=("ready" if redis_is_there and not policy_is_old else "degraded") if fits else "unavailable",
        database="away" if schema is None else "ok",
        migrations="unknown" if schema is None else "current" if fits else "other",
        redis="ok" if redis_is_there else "away",
        policy="old" if policy_is_old else "ok",
    )


async def _look_at_schema(process: Process) -> str | None:
    """The schema's version; None when the database does not answer."""
    try:
        async with asyncio.timeout(CHECK_SECONDS), reading(process.database) as connection:
            version = await connection.execute(text("SELECT version_num FROM alembic_version"))
            return version.scalar_one_or_none() or ""
    except (SQLAlchemyError, OSError, TimeoutError):
        return None


async def _is_redis_there(process: Process) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await process.redis.ping()
    except AWAY:
        return False
    return True


@cache
def _known_schema() -> str | None:
    return ScriptDirectory.from_config(Config(SCHEMA_CONFIG)).get_current_head()
