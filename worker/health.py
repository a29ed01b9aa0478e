"""The worker's own port: `/healthz` for supervisors, `/metrics` for Prometheus. Numbers only, and no token."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import structlog
from aiohttp import web
from arq.connections import ArqRedis
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.exceptions import RedisError

from app.bootstrap import Process
from app.db.engine import is_reachable, open_engine
from worker.metrics import WorkerMetrics
from worker.pulse import Pulse
from worker.supervisor import Supervisor

log = structlog.get_logger(__name__)

PROBE_WITHIN = 2.0
LET_GO_WITHIN = 0.2
# How long each may stand still, seconds.
MAIN_LOOP_WITHIN = 30.0
HEARTBEAT_WITHIN = 20.0
BELLS_WITHIN = 10.0


@dataclass(slots=True)
class Sign:
    """Something that has to come round `within` so many seconds, unless what it `needs` is away."""

    what: str
    within: float
    age: Callable[[], float]
    needs: str
    is_there: Callable[[], Awaitable[bool]]
    _away_at: float = field(default=-math.inf, init=False)

    async def look(self) -> tuple[str | None, bool]:
        """What is wrong, if anything, and whether that is excused."""
        age = self.age()
        if age <= self.within:
            return None, True
        if not await self.is_there():
            self._away_at = time.monotonic()
            return f"{self.what} for {age:.0f} s: {self.needs} is away", True
        # What has just come back finds us trying again soon.
        is_excused = time.monotonic() - self._away_at <= self.within
        return f"{self.what} for {age:.0f} s, although {self.needs} answers", is_excused


@dataclass(frozen=True, slots=True)
class Shortage:
    """Something that it lacks to start anything new, and that is no fault of its own."""

    message: Callable[[], str | None]

    async def look(self) -> tuple[str | None, bool]:
        """The same as of a sign."""
        return self.message(), True


def signs_of(process: Process, supervisor: Supervisor, bells: Pulse | None) -> list[Sign | Shortage]:
    """What a worker shows of itself. Without `bells` arq is not its child, but runs it."""
    database = partial(database_answers, process.settings.database_url)
    redis = partial(redis_answers, process.redis)
    signs: list[Sign | Shortage] = [
        Shortage(lambda: supervisor.message),
        Sign("the queue was not looked at", MAIN_LOOP_WITHIN, supervisor.pulse.age, "the database", database),
        Sign("no heartbeat was renewed", HEARTBEAT_WITHIN, supervisor.silence, "the database", database),
    ]
    if bells is not None:
        signs.append(Sign("arq has not polled", BELLS_WITHIN, bells.age, "Redis", redis))
    return signs


@asynccontextmanager
async def health_server(
    host: str, port: int, signs: Sequence[Sign | Shortage], metrics: WorkerMetrics
) -> AsyncIterator[None]:
    """Serve for as long as the block lasts; not at all on port 0. Raises `OSError` for an address that is taken."""
    if not port:
        yield
        return
    app = web.Application()

    async def answer_health(_: web.Request) -> web.Response:
        return await _answer_health(signs)

    async def answer_metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.add_routes([web.get("/healthz", answer_health), web.get("/metrics", answer_metrics)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=LET_GO_WITHIN)
    await runner.setup()
    try:
        await _listen(runner, host, port)
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        log.error("worker.cannot_listen", host=host, port=port, error=str(error))  # noqa: TRY400 - raised as well
        raise
    log.info("worker.listening", host=host, port=port)


async def _answer_health(signs: Sequence[Sign | Shortage]) -> web.Response:
    """200 `ok`; 200 `degraded` while something that we need is away; 503 `failing` when it is we who stand still."""
    looks = await asyncio.gather(*(sign.look() for sign in signs))
    reasons = [reason for reason, _ in looks if reason is not None]
    is_excused = all(excused for _, excused in looks)
    status = "failing" if not is_excused else "degraded" if reasons else "ok"
    return web.json_response({"status": status, "reasons": reasons}, status=200 if is_excused else 503)


async def database_answers(url: str) -> bool:
    """Over a connection of its own: that the pool of this process gives none says nothing about the database."""
    try:
        async with (
            open_engine(url, pool_size=1, application="tailrace-worker-health") as engine,
            asyncio.timeout(PROBE_WITHIN),
        ):
            return await is_reachable(engine)
    except TimeoutError:
        return False


async def redis_answers(redis: ArqRedis) -> bool:
    """Whether it says so in time."""
    try:
        async with asyncio.timeout(PROBE_WITHIN):
            await redis.ping()
    except (RedisError, OSError, TimeoutError):
        return False
    return True
