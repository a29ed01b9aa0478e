"""What one process holds: database, Redis, hints, artifacts. Built here for the API, the worker and tests alike."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from alembic.config import Config
from alembic.script import ScriptDirectory
from arq.connections import ArqRedis
from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app import crash_points
from app.artifacts.store import ArtifactStore
from app.auth.holding import Holding
from app.auth.oidc import Oidc
from app.db.engine import open_engine, reading
from app.executions.model import Event
from app.executions.tables import Instance
from app.gathering import Gathering
from app.hints import Channels, Hints, decode_job, encode_job
from app.listener import Listener
from app.logs.searching import Searches
from app.outbound.client import Outbound
from app.outbound.policy import Policy
from app.policy.file import PolicyFile
from app.secrets.vault import Vault
from app.settings import Settings
from app.sharing import Sharing
from app.turns import Turns

SCHEMA_CONFIG = Path(__file__).resolve().parent.parent / "alembic.ini"


class SchemaOutOfDate(RuntimeError):
    """The database was migrated to another version than this code knows."""


@dataclass(frozen=True, slots=True)
class Process:
    """The singletons of one process. Passed down; there are no globals."""

    settings: Settings
    instance: UUID
    database: AsyncEngine
    redis: ArqRedis
    channels: Channels
    hints: Hints
    listener: Listener
    artifacts: ArtifactStore
    vault: Vault
    outbound: Outbound
    sharing: Sharing
    gathering: Gathering
    # Of logs, as long as somebody reads them.
    pages: WeakValueDictionary[Hashable, Any] = field(default_factory=WeakValueDictionary)
    searches: Searches = field(default_factory=Searches)
    policy: PolicyFile = field(default_factory=PolicyFile)
    # How many files and bundles each owner is sending.
    uploads: Counter[str] = field(default_factory=Counter)
    # To read a whole bundle takes a thread for minutes, of those that logs and downloads need too.
    checking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    # So many files fill each declared output, of executions that were looked at lately: it never changes.
    filled: OrderedDict[Hashable, Mapping[str, int]] = field(default_factory=OrderedDict)
    # Of posts to each trigger, and of firings of each schedule by hand.
    turns: Turns = field(default_factory=Turns)
    holding: Holding = field(default_factory=Holding)
    oidc: Oidc | None = None
    # Told of every end that followed from another one, and was made here.
    on_settled: list[Callable[[Event], None]] = field(default_factory=list)


@asynccontextmanager
async def open_process(settings: Settings, *, role: str) -> AsyncIterator[Process]:
    """Connect everything. Raises `SchemaOutOfDate`, `BadKey`, `BadPolicy`; Redis may be away, the database may not."""
    crash_points.arm(settings.crash_at)
    vault = Vault.of(settings.secret_key, settings.secret_key_file)
    policy = PolicyFile(settings.policy)
    async with (
        open_engine(
            settings.database_url, pool_size=settings.database_pool, application=f"tailrace-{role}"
        ) as database,
        _open_redis(settings) as (redis, subscriber),
        _share() as (sharing, gathering),
    ):
        instance = await identify(database)
        channels = Channels(settings.redis_prefix)
        listener = Listener(subscriber, channels.keepalive)
        listener.start()
        outbound = Outbound(Policy.parse(settings.outbound_allow))
        oidc = Oidc.of(settings)
        try:
            yield Process(
                settings=settings,
                instance=instance,
                database=database,
                redis=redis,
                channels=channels,
                hints=Hints(redis, channels),
                listener=listener,
                artifacts=ArtifactStore.of(settings.store, settings.data),
                vault=vault,
                outbound=outbound,
                sharing=sharing,
                gathering=gathering,
                policy=policy,
                oidc=oidc,
            )
        finally:
            if oidc is not None:
                await oidc.keys.close()
            await outbound.close()
            await listener.stop()


@asynccontextmanager
async def _open_redis(settings: Settings) -> AsyncIterator[tuple[ArqRedis, Redis]]:
    """Two pools: a flood of published frames must not starve the listener, and it never gives up its connection."""
    redis = ArqRedis(
        ConnectionPool.from_url(settings.redis_url, socket_connect_timeout=2, socket_timeout=5),
        job_serializer=encode_job,
        job_deserializer=decode_job,
    )
    # A connection that only listens would never notice that its peer is gone; a unix socket cannot lose it.
    keepalive = {} if settings.redis_url.startswith("unix:") else {"socket_keepalive": True}
    subscriber = Redis.from_url(settings.redis_url, socket_connect_timeout=2, **keepalive)
    try:
        yield redis, subscriber
    finally:
        await subscriber.aclose()
        await redis.aclose(close_connection_pool=True)


@asynccontextmanager
async def _share() -> AsyncIterator[tuple[Sharing, Gathering]]:
    """What is answered for several goes on when those who asked have gone, but not longer than the process."""
    sharing, gathering = Sharing(), Gathering()
    try:
        yield sharing, gathering
    finally:
        await sharing.close()
        await gathering.close()


async def identify(database: AsyncEngine) -> UUID:
    """The id of the installation. Raises `SchemaOutOfDate`."""
    expected = ScriptDirectory.from_config(Config(SCHEMA_CONFIG)).get_current_head()
    async with reading(database) as connection:
        known = (await connection.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL"))).scalar_one()
        current = (
            (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
            if known
            else None
        )
        if current != expected:
            raise SchemaOutOfDate(
                f"The database is at schema {current or 'none'}, this version needs {expected}: "
                "run `alembic upgrade head`."
            )
        return (await connection.execute(select(Instance.id))).scalar_one()
