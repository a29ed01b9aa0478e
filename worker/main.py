"""The worker as an arq worker: an arq job is a doorbell of milliseconds, nothing more.

`python -m worker` runs the supervisor with the arq loop as a child that may die with Redis and is started again.
`arq worker.main.WorkerSettings` runs the same supervisor from arq's own start-up.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

import structlog
from arq.connections import RedisSettings
from arq.worker import Function, Worker, func
from typing_extensions import override

from app.bootstrap import Process, open_process
from app.hints import Channels, decode_job, encode_job
from app.observability.logging import configure_logging
from app.settings import OnSigterm, Settings, read_settings
from worker.engine.docker import DockerRuntime
from worker.health import health_server, signs_of
from worker.metrics import WorkerMetrics
from worker.pulse import Pulse
from worker.supervisor import Supervisor, open_supervisor

log = structlog.get_logger(__name__)

# Bells also come by publication, in a millisecond; this is for when that one was lost.
POLL_EVERY = 0.5
RESTART_ARQ_AFTER = 1.0
CANCEL_AGAIN_AFTER = 0.3
# Of the garbage collector. A flood makes records by the hundred thousand, which live for a moment and never in circles:
# with Python's own thresholds it walked through all of them again and again, for 40 % of the CPU (measured).
COLLECT_AFTER = (50_000, 20, 100)


async def ring(ctx: dict[str, Any]) -> None:
    """The doorbell: look into the queue."""
    ctx["supervisor"].ring()


_RING: Function = func(ring, name="ring", keep_result=0, timeout=10, max_tries=1)


class _BellRinger(Worker):
    """arq's worker, which shows that it still comes round."""

    def __init__(self, pulse: Pulse, **options: Any) -> None:
        super().__init__(**options)
        self._pulse = pulse

    @override
    async def heart_beat(self) -> None:
        await super().heart_beat()
        self._pulse.beat()


async def open_worker(
    stack: AsyncExitStack, settings: Settings, metrics: WorkerMetrics, bells: Pulse | None = None
) -> tuple[Process, Supervisor]:
    """Everything a worker needs, closed in reverse order. `bells` beats when arq has polled, if arq is our child."""
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    process = await stack.enter_async_context(open_process(settings, role="worker"))
    runtime = await stack.enter_async_context(DockerRuntime(settings.docker_host, on_error=metrics.engine_failed))
    supervisor = await stack.enter_async_context(open_supervisor(process, runtime, metrics))
    signs = signs_of(process, supervisor, bells)
    await stack.enter_async_context(health_server(settings.worker_host, settings.worker_port, signs, metrics))
    return process, supervisor


async def answer_bells(process: Process, supervisor: Supervisor, metrics: WorkerMetrics, pulse: Pulse) -> None:
    """The arq loop, started again whenever it dies: a Redis that is away ends it, but nothing depends on it."""
    while True:
        worker = _BellRinger(
            pulse,
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
            metrics.arq_died()
        finally:
            picking.cancel()
        await asyncio.sleep(RESTART_ARQ_AFTER)


async def _pick_while_free(worker: Worker, supervisor: Supervisor) -> None:
    """A worker without a free slot leaves the bells to others."""
    while True:
        worker.allow_pick_jobs = supervisor.free_slots > 0
        await asyncio.sleep(POLL_EVERY / 2)


@dataclass(frozen=True, slots=True)
class Orders:
    """What the process is told: `stop` leaves its containers to the next worker, `drain` ends after they have ended."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    drain: asyncio.Event = field(default_factory=asyncio.Event)

    def terminate(self, on_sigterm: OnSigterm) -> None:
        """SIGTERM came. A second one does not wait any longer."""
        if on_sigterm == "drain" and not self.drain.is_set():
            self.drain.set()
        else:
            self.stop.set()


async def run_worker(settings: Settings, orders: Orders) -> None:
    """The whole process, until it is to stop or has drained."""
    async with AsyncExitStack() as stack:
        metrics, pulse = WorkerMetrics(), Pulse()
        process, supervisor = await open_worker(stack, settings, metrics, pulse)
        supervising = asyncio.create_task(supervisor.run(), name="supervisor")
        bells = asyncio.create_task(answer_bells(process, supervisor, metrics, pulse), name="bells")
        stopping = asyncio.create_task(orders.stop.wait(), name="stop")
        draining = asyncio.create_task(_drain_when_told(supervisor, orders), name="drain")
        await asyncio.wait({supervising, bells, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (bells, stopping, draining, supervising):
            task.cancel()
        # The Redis client swallows a cancellation now and then, and arq polls on.
        while not bells.done():
            await asyncio.wait({bells}, timeout=CANCEL_AGAIN_AFTER)
            bells.cancel()
        for result in await asyncio.gather(supervising, bells, stopping, draining, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


async def _drain_when_told(supervisor: Supervisor, orders: Orders) -> None:
    await orders.drain.wait()
    supervisor.drain()


async def _startup(ctx: dict[str, Any]) -> None:
    settings = read_settings()
    configure_logging(settings.log_format)
    stack = AsyncExitStack()
    _, supervisor = await open_worker(stack, settings, WorkerMetrics())
    supervising = asyncio.create_task(supervisor.run())
    # Drained or failed: without it, arq rings for nobody.
    supervising.add_done_callback(lambda _: signal.raise_signal(signal.SIGTERM))
    ctx |= {"stack": stack, "supervisor": supervisor, "supervising": supervising, "on_sigterm": settings.on_sigterm}


async def _shutdown(ctx: dict[str, Any]) -> None:
    supervising: asyncio.Task[None] = ctx["supervising"]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervising.cancel)
    if ctx["on_sigterm"] == "drain":
        ctx["supervisor"].drain()
    else:
        supervising.cancel()
    async with ctx["stack"]:
        with suppress(asyncio.CancelledError):
            await supervising


class WorkerSettings:
    """For `arq worker.main.WorkerSettings`."""

    functions: ClassVar = [_RING]
    on_startup = _startup
    on_shutdown = _shutdown
    redis_settings = RedisSettings.from_dsn(read_settings().redis_url)
    queue_name = Channels(read_settings().redis_prefix).queue(read_settings().pool)
    poll_delay = POLL_EVERY
    job_serializer = encode_job
    job_deserializer = decode_job
