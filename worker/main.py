"""The worker as an arq worker: an arq job is a doorbell of milliseconds, nothing more.

`python -m worker` runs the supervisor with the arq loop as a child that may die with Redis and is started again.
`arq worker.main.WorkerSettings` runs the same supervisor from arq's own start-up.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Any, ClassVar

import structlog
from arq.connections import RedisSettings
from arq.worker import Function, Worker, func

from app.bootstrap import Process, open_process
from app.hints import Channels, decode_job, encode_job
from app.observability.logging import configure_logging
from app.settings import Settings
from worker.engine.docker import DockerRuntime
from worker.supervisor import Supervisor, open_supervisor

log = structlog.get_logger(__name__)

# Bells also come by publication, in a millisecond; this is for when that one was lost.
POLL_EVERY = 0.5
RESTART_ARQ_AFTER = 1.0


async def ring(ctx: dict[str, Any]) -> None:
    """The doorbell: look into the queue."""
    ctx["supervisor"].ring()


_RING: Function = func(ring, name="ring", keep_result=0, timeout=10, max_tries=1)


async def open_worker(stack: AsyncExitStack, settings: Settings) -> tuple[Process, Supervisor]:
    """Everything a worker needs, closed in reverse order."""
    process = await stack.enter_async_context(open_process(settings, role="worker"))
    runtime = await stack.enter_async_context(DockerRuntime(settings.docker_host))
    return process, await stack.enter_async_context(open_supervisor(process, runtime))


async def answer_bells(process: Process, supervisor: Supervisor) -> None:
    """The arq loop, started again whenever it dies: a Redis that is away ends it, but nothing depends on it."""
    while True:
        worker = Worker(
            functions=[_RING],
            redis_pool=process.redis,
            queue_name=process.channels.queue(process.settings.pool),
            ctx={"supervisor": supervisor},
            handle_signals=False,
            max_jobs=10,
            poll_delay=POLL_EVERY,
            job_serializer=encode_job,
            job_deserializer=decode_job,
        )
        picking = asyncio.create_task(_pick_while_free(worker, supervisor))
        try:
            await worker.async_run()
        except Exception as error:  # noqa: BLE001 - arq dies of whatever Redis does; see docs/architecture.md
            log.warning("arq.died", error=repr(error))
        finally:
            picking.cancel()
        await asyncio.sleep(RESTART_ARQ_AFTER)


async def _pick_while_free(worker: Worker, supervisor: Supervisor) -> None:
    """A worker without a free slot leaves the bells to others."""
    while True:
        worker.allow_pick_jobs = supervisor.free_slots > 0
        await asyncio.sleep(POLL_EVERY / 2)


async def run_worker(settings: Settings, stop: asyncio.Event) -> None:
    """The whole process, until `stop`; containers are left running for the next worker."""
    async with AsyncExitStack() as stack:
        process, supervisor = await open_worker(stack, settings)
        supervising = asyncio.create_task(supervisor.run(), name="supervisor")
        bells = asyncio.create_task(answer_bells(process, supervisor), name="bells")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({supervising, bells, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (bells, stopping, supervising):
            task.cancel()
        for result in await asyncio.gather(supervising, bells, stopping, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


async def _startup(ctx: dict[str, Any]) -> None:
    settings = Settings()
    configure_logging(settings.log_format)
    stack = AsyncExitStack()
    _, supervisor = await open_worker(stack, settings)
    ctx |= {"stack": stack, "supervisor": supervisor, "supervising": asyncio.create_task(supervisor.run())}


async def _shutdown(ctx: dict[str, Any]) -> None:
    ctx["supervising"].cancel()
    with suppress(asyncio.CancelledError):
        await ctx["supervising"]
    await ctx["stack"].aclose()


class WorkerSettings:
    """For `arq worker.main.WorkerSettings`."""

    functions: ClassVar = [_RING]
    on_startup = _startup
    on_shutdown = _shutdown
    redis_settings = RedisSettings.from_dsn(Settings().redis_url)
    queue_name = Channels(Settings().redis_prefix).queue(Settings().pool)
    poll_delay = POLL_EVERY
    job_serializer = encode_job
    job_deserializer = decode_job
