"""The story of an execution as its log tells it, in lines of the stream `system`: each fact once, at its own time.

What was told is durable together with the line that tells it (`told.py`), so whoever takes over tells what is missing
and nothing twice: moves of the status by the number of their events, what an attempt does once by its steps. Of other
lines one may be missing after a death in that very moment. Nothing waits for any of this.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from app.executions.model import Event
from app.executions.record import Record
from app.executions.states import Cause, Status
from worker import ledger, sentences
from worker.context import WorkerContext
from worker.log_sink import LogSink
from worker.program_events import HIDDEN, Said, without_secrets
from worker.told import Step, Told


class Story:
    """The telling side of one attempt, for as long as the lease on it holds. `image_id` is what it runs."""

    def __init__(self, context: WorkerContext, record: Record, sink: LogSink) -> None:
        self._context = context
        self._record = record
        self._sink = sink
        self.image_id = record.image_id

    @property
    def heard_at(self) -> float:
        """When the program's last output came in, by `time.monotonic()`."""
        return self._sink.fed_at

    def say(self, text: str) -> None:
        """Something that happened just now."""
        self._sink.system(text)

    def once(self, step: Step, text: str, *, at: datetime | None = None) -> None:
        """A step of this attempt, taken now or `at` that time, unless it was told before."""
        told = self._sink.told
        if not told.steps & step:
            self._sink.system(text, at=at, told=Told(told.event, told.steps | step))

    async def begin(self, claimed: Event) -> None:
        """The way through the queue. That of a first attempt is known without asking."""
        if claimed.number == 2 and self._sink.told.event == 0:
            self._tell(_queued(self._record))
            self._tell(claimed)
        else:
            await self.catch_up()

    async def catch_up(self) -> None:
        """Tell the moves that nobody has told yet, whoever made them."""
        execution, after = self._record.id, self._sink.told.event
        moves = await self._context.read(lambda connection: ledger.list_moves(connection, execution, after=after))
        for event, ended_by in moves:
            self._tell(event, after=ended_by)

    def cover(self, text: str) -> str:
        """A few words of the program's without its secrets; none of them where nobody here knows these."""
        if not self._sink.hides:
            return text
        return HIDDEN if self._sink.blind else self._sink.hide(text)

    async def clear(self, said: Said) -> Said:
        """What the program said, without its secrets; where nobody here knows them, without its words."""
        if not self._sink.hides:
            return said
        hide = (lambda _: HIDDEN) if self._sink.blind else self._sink.hide
        if not said.has_result:
            return without_secrets(said, hide)
        # It may be large and all over secrets: others have their turn meanwhile.
        return await asyncio.to_thread(without_secrets, said, hide)

    def start(self, *, at: datetime | None = None) -> None:
        """The program is started: told before the engine is asked, so that it comes before what the program says."""
        self.once(Step.STARTED, sentences.of_start(self._record, self.image_id), at=at)

    def _tell(self, event: Event, *, after: Cause | None = None) -> None:
        """What was moved or done, unless it was told before; `after` is how the attempt before it ended."""
        told, text = self._sink.told, event.message
        if event.moves:
            text = sentences.of_move(event, self._record, after=after)
        if text is not None and event.number > told.event:
            self._sink.system(text, at=event.at, told=Told(event.number, told.steps))


def _queued(record: Record) -> Event:
    """The first event of every history."""
    return Event(
        number=1,
        from_status=None,
        to_status=Status.QUEUED,
        cause=None,
        message=None,
        actor=record.owner,
        attempt=0,
        at=record.created_at,
    )
