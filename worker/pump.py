"""From the engine's stream into the log, whole and in order per stream.

`attach` is complete and fast, but a reader that stands still blocks the container: after `PATIENCE` we let go of it
and read on in the engine's own log, behind the bytes that were taken in already. So does an adopter.

Nothing is passed on before it is committed that the container runs: whoever sees a line of it sees it running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import structlog

from app.logs.protocol import GapReason
from worker.engine.port import ContainerRuntime, EngineError, EngineUnreachable, NoSuchContainer, Piece, Stream
from worker.exit_watch import ExitWatch
from worker.log_sink import LogSink, Stalled

log = structlog.get_logger(__name__)

PATIENCE = 2.0
RETRY_AFTER = 0.5
# An exited container's stream that brings nothing for so long, but does not end, is let go; seconds.
LINGERS_AT_MOST = 5.0
FAILURES_AT_MOST = 20
# So often a whole read must bring less than we have until it is believed: an engine that goes down may cut one short.
SHORT_AT_MOST = 2


class Pump:
    """Carries the output of one container, as soon as `may_tell` is set.

    `complete` tells afterwards whether nothing can have been lost.
    """

    def __init__(self, runtime: ContainerRuntime, container: str, sink: LogSink, watch: ExitWatch) -> None:
        self._runtime = runtime
        self._container = container
        self._sink = sink
        self._watch = watch
        self.attached = asyncio.Event()
        self.may_tell = asyncio.Event()
        self.complete = False
        self._missed = False
        self._lost = False
        self._failures = 0
        self._short = 0

    async def run(self, *, attach: bool) -> None:
        """Until the container has exited and all its output is in the sink. Raises `Fenced`, `NoSuchContainer`."""
        seen = self._watch.breaks
        whole = attach and await self._unless_left_open(self._read_from_the_start())
        if whole:
            # The end of the stream is an exit, or an engine that died: the watch knows.
            await self._watch.exit_or_break(seen)
            whole = self._watch.breaks == seen
        while not whole:
            seen = self._watch.breaks
            exited = self._watch.exit is not None
            if await self._read_log(follow=not exited):
                if exited:
                    break
                await self._watch.exit_or_break(seen)
            elif exited and self._failures >= FAILURES_AT_MOST:
                self._lost = True
                break
            else:
                await asyncio.sleep(RETRY_AFTER)
        self.complete = not self._lost and (self._watch.witnessed or await self._engine_was_there())

    async def _engine_was_there(self) -> bool:
        """Whether the engine was there all along: one that was away at the exit has lost the last lines (measured).

        That it remembers the exit proves nothing: while it starts it hears of exits before it reads output again.
        """
        with suppress(EngineError):
            return not (await self._runtime.recall(self._container)).restarted
        return False

    async def _unless_left_open(self, reading: Coroutine[Any, Any, bool]) -> bool:
        """What the reading comes to; False when the stream of a container that has exited stays open and silent."""
        task = asyncio.ensure_future(reading)
        waiting = asyncio.ensure_future(self._until_left_open())
        try:
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            log.warning("log.attach_left_open", container=self._container)
            return False
        finally:
            for each in (task, waiting):
                each.cancel()
            await asyncio.gather(task, waiting, return_exceptions=True)

    async def _until_left_open(self) -> None:
        await self._watch.exited()
        while True:
            before = [self._sink.received(stream) for stream in Stream]
            await asyncio.sleep(LINGERS_AT_MOST)
            if before == [self._sink.received(stream) for stream in Stream]:
                return

    async def _read_from_the_start(self) -> bool:
        """Attach to a container that was not started yet: it waits for that, and so may we."""
        while True:
            try:
                return await self._read_attached()
            except EngineUnreachable as error:
                log.warning("log.not_attached", container=self._container, error=str(error))
                await asyncio.sleep(RETRY_AFTER)

    async def _read_attached(self) -> bool:
        """Whether the stream was read to its end."""
        try:
            async with self._runtime.attach(self._container) as pieces:
                self.attached.set()
                async for piece in pieces:
                    await self._until_it_may_tell()
                    await self._sink.feed(piece, patience=PATIENCE)
        except Stalled:
            log.info("log.catching_up", container=self._container)
            return False
        except NoSuchContainer:
            raise
        except EngineError as error:
            if not self.attached.is_set():
                raise
            log.warning("log.attach_broken", container=self._container, error=str(error))
            return False
        return True

    async def _until_it_may_tell(self) -> None:
        if self.may_tell.is_set():
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self.may_tell.wait()
        except TimeoutError:
            raise Stalled from None

    async def _read_log(self, *, follow: bool) -> bool:
        """Go on behind what was received. False when the engine did not answer."""
        await self.may_tell.wait()
        if self._sink.rolling:
            return await self._read_newest(follow=follow)
        skip = {stream: self._sink.received(stream) for stream in Stream}
        first = True
        try:
            async with self._runtime.read_log(self._container, follow=follow) as pieces:
                async for piece in pieces:
                    if first and self._has_rotated(piece):
                        # The file began anew while nobody read: offsets mean nothing, go on with what is there.
                        skip = dict.fromkeys(Stream, 0)
                        self._lost = True
                        self._miss()
                    first = False
                    known = min(skip[piece.stream], len(piece.data))
                    skip[piece.stream] -= known
                    self._sink.recall(piece.stream, piece.data[:known])
                    if known < len(piece.data):
                        rest = Piece(piece.stream, piece.data[known:], piece.at_ms)
                        await self._sink.feed(rest, patience=None)
        except NoSuchContainer:
            raise
        except EngineError as error:
            return self._fail(error)
        return follow or not any(skip.values()) or await self._read_short()

    async def _read_short(self) -> bool:
        """The engine has less than we took from it: perhaps its file began anew while nobody read."""
        self._short += 1
        log.warning("log.read_short", container=self._container)
        if self._short < SHORT_AT_MOST:
            return False
        self._lost = True
        return await self._read_newest(follow=False)

    def _fail(self, error: EngineError) -> bool:
        # An engine that is away comes back; one that refuses to read this log may do so for ever.
        self._failures += not isinstance(error, EngineUnreachable)
        log.warning("log.read_broken", container=self._container, error=str(error))
        return False

    def _has_rotated(self, first: Piece) -> bool:
        """Whether the engine's file begins with something newer than all that we have."""
        if first.at_ms is None or not any(map(self._sink.received, Stream)):
            return False
        return first.at_ms > self._sink.last_at_ms

    def _miss(self) -> None:
        self._missed = True
        self._sink.miss(GapReason.ENGINE_LOG_ROTATED)

    async def _read_newest(self, *, follow: bool) -> bool:
        """Beyond the head of a log offsets mean nothing: the engine's file has rotated by then. Go on by time."""
        last = self._sink.last_at_ms
        if not self._missed:
            self._miss()
        try:
            async with self._runtime.read_log(self._container, follow=follow) as pieces:
                async for piece in pieces:
                    if piece.at_ms is None or piece.at_ms > last:
                        await self._sink.feed(piece, patience=None)
        except NoSuchContainer:
            raise
        except EngineError as error:
            return self._fail(error)
        return True
