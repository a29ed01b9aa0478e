"""How a container ended that nobody here asked to end: by its own program, or by somebody behind our back."""

from __future__ import annotations

from contextlib import suppress

import structlog

from app.executions.states import Cause
from worker.context import WorkerContext
from worker.engine.port import (
    ContainerRuntime,
    ContainerState,
    EngineError,
    Inspection,
    NoSuchContainer,
    Recollection,
    Stream,
)
from worker.log_sink import LogSink
from worker.outcome import NOT_EXECUTABLE, NOT_FOUND, init_complaint
from worker.over import Over

log = structlog.get_logger(__name__)

UNSTARTABLE = frozenset({NOT_EXECUTABLE, NOT_FOUND})
# Exit codes above say that a signal ended the program.
SIGNALED_ABOVE = 128


async def find_interruption(context: WorkerContext, ended: Inspection) -> str | None:
    """What ended the program from outside of its container, if anything did. Only for ends that we did not ask for, and
    that do not say that it ended well.
    """
    if not ended.exit_code or ended.oom_killed:
        return None
    memory = await _recall(context, ended.id)
    if memory is None:
        return None
    if memory.killed:
        return "It was stopped through the container engine, by somebody else or by the engine's own shutdown."
    if memory.restarted and ended.exit_code > SIGNALED_ABOVE:
        return "The container engine restarted under it."
    return None


async def find_complaint(context: WorkerContext, ended: Inspection, sink: LogSink) -> str | None:
    """What the container's init said if it could not start the program: its first words on standard error."""
    first = sink.first_error_line
    if first is None and not sink.blind and ended.exit_code in UNSTARTABLE and sink.received(Stream.STDERR):
        # They came in before we took over.
        with suppress(NoSuchContainer):
            first = await context.ask_engine(lambda: _first_error_line(context.runtime, ended.id))
    complaint = init_complaint(first)
    return None if complaint is None else sink.hide(complaint)


async def _first_error_line(runtime: ContainerRuntime, container: str) -> bytes | None:
    async with runtime.read_log(container, follow=False) as pieces:
        async for piece in pieces:
            if piece.stream is Stream.STDERR:
                return piece.data.partition(b"\n")[0]
    return None


async def withdraw(context: WorkerContext, container: str) -> bool:
    """Whether a container whose start is in doubt has never run; from then on it never can, since it is removed.

    An engine that is slow may still start it after it was seen created. Raises `NoSuchContainer` when it may have run
    and ended meanwhile.
    """
    runtime = context.runtime
    if (await context.ask_engine(lambda: runtime.inspect(container))).state is not ContainerState.CREATED:
        return False
    try:
        await context.ask_engine(lambda: runtime.remove(container))
    except EngineError:
        return False  # it runs after all
    memory = await _recall(context, container)
    if memory is None or memory.exit_code is not None:
        raise NoSuchContainer(container)
    return True


async def was_withdrawn(context: WorkerContext, container: str) -> bool:
    """Whether one that is gone was removed before it ever ran, by somebody who could not tell anybody any more."""
    memory = await _recall(context, container)
    return memory is not None and memory.never_started and memory.exit_code is None


async def find_end(context: WorkerContext, container: str) -> Inspection:
    """The end of a container that was removed behind our back, as far as the engine remembers it. Raises `Over`."""
    memory = await _recall(context, container)
    if memory is None or memory.exit_code is None:
        raise Over(
            Cause.OUTCOME_UNKNOWN, "Its container was removed behind our back, and nobody saw how it ended.", ran=True
        )
    return Inspection(
        id=container,
        name=container,
        state=ContainerState.EXITED,
        exit_code=memory.exit_code,
        oom_killed=False,
        error="",
        started_at=None,
        finished_at=memory.exited_at,
        labels={},
    )


async def _recall(context: WorkerContext, container: str) -> Recollection | None:
    """What the engine remembers; None from an engine that cannot tell."""
    try:
        return await context.ask_engine(lambda: context.runtime.recall(container))
    except EngineError as error:
        log.warning("engine.cannot_recall", container=container, error=str(error))
        return None
