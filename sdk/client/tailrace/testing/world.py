"""All that the fake server knows, under one lock, and the thread that starts what is queued."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from tailrace._document import moment
from tailrace.testing.execution import Execution
from tailrace.testing.job import Behaviour, Job
from tailrace.testing.owned import Owned
from tailrace.testing.problems import not_found
from tailrace.testing.worker import start, work

if TYPE_CHECKING:
    from tailrace.testing.batch import Batch
    from tailrace.testing.hold import Hold
    from tailrace.testing.method import Method

T = TypeVar("T", bound="Owned")
# As many programs as one machine runs at once without a word; each has two threads.
SLOTS = 32
_LANES = ("high", "normal", "low")


@dataclass(frozen=True)
class File(Owned):
    """An uploaded file."""

    id: str
    owner: str
    name: str
    media_type: str
    content: bytes
    labels: Mapping[str, str]
    created_at: datetime


@dataclass
class World:
    """Everything. `changed` is the lock, and tells whoever waits that something is otherwise."""

    changed: Condition = field(default_factory=Condition)
    executions: dict[str, Execution] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)
    methods: dict[str, Method] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    # By owner and key: what the body was, and what it became.
    keys: dict[tuple[str, str], tuple[Any, str]] = field(default_factory=dict)
    programs: dict[str, Behaviour] = field(default_factory=dict)
    # By step; None is the queue.
    holds: dict[str | None, Hold] = field(default_factory=dict)
    queue: list[Execution] = field(default_factory=list)
    ahead: float = 0.0
    busy: int = 0
    closed: bool = False
    _last_id: int = 0

    def now(self) -> datetime:
        """By the server's clock."""
        return datetime.now(timezone.utc) + timedelta(seconds=self.ahead)

    def new_id(self) -> str:
        """A UUIDv7: their order is that in which they were made."""
        count = max(self._last_id + 1, int(time.time() * 1000) << 12)
        self._last_id = count
        head = (count >> 12) << 16 | 0x7000 | (count & 0xFFF)
        return str(UUID(int=head << 64 | 0x2 << 62 | random.getrandbits(62)))

    def visible(self, things: Mapping[str, T], name: str, owner: str, what: str) -> T:
        """One of them. Raises `Problem` if there is none, or it is somebody else's."""
        found = things.get(name)
        if found is None or not found.is_seen_by(owner):
            raise not_found(what, name)
        return found

    def behaviour(self, execution: Execution) -> Behaviour:
        """What its program does: that of its method, else that of its image, else nothing."""
        names = [execution.spec["image"], "*"]
        if execution.method is not None:
            names = [f"{execution.method['name']}@{execution.method['version']}", execution.method["name"], *names]
        return next((self.programs[name] for name in names if name in self.programs), _nothing)

    def add(self, execution: Execution) -> None:
        """It is accepted."""
        self.executions[execution.id] = execution
        if execution.resumed_from is not None:
            execution.checkpoint = dict(self.executions[execution.resumed_from].checkpoint)
        self.queue.append(execution)
        self.changed.notify_all()

    def position(self, execution: Execution) -> int | None:
        """Its place in the queue."""
        waiting = [each for each in self._in_turn() if each.waiting_on in {"slot", "quota"}]
        return waiting.index(execution) + 1 if execution in waiting else None

    def settle(self, execution: Execution) -> None:
        """What its end means for its batch, and whether it is to go."""
        if execution.batch is not None:
            execution.batch.look_at(execution)
        if execution.delete_requested_at is not None:
            self.remove([execution])

    def remove(self, executions: Iterable[Execution]) -> None:
        """For good."""
        gone = {execution.id for execution in executions}
        for each in gone:
            self.executions.pop(each, None)
        self.keys = {key: kept for key, kept in self.keys.items() if kept[1] not in gone}
        for other in self.executions.values():
            other.rerun_of = None if other.rerun_of in gone else other.rerun_of
            other.resumed_from = None if other.resumed_from in gone else other.resumed_from
        self.changed.notify_all()

    def _in_turn(self) -> list[Execution]:
        return sorted(
            (each for each in self.queue if each.status == "queued"),
            key=lambda each: (_LANES.index(each.spec["lane"]), -each.spec["priority"], each.id),
        )

    def _next(self) -> Execution | None:
        self.queue = [each for each in self.queue if each.status == "queued" and each.id in self.executions]
        if None in self.holds or self.busy >= SLOTS or not self.queue:
            return None
        return next((each for each in self._in_turn() if each.waiting_on == "slot"), None)

    def _until_time(self) -> float | None:
        """Seconds until the first of those that wait for their time."""
        times = [moment(each.spec["not_before"]) for each in self.queue if each.spec["not_before"] is not None]
        return min(3600.0, max(0.01, (min(times) - self.now()).total_seconds())) if times else None

    def run(self) -> None:
        """Start what is queued, until it is closed. In a thread of its own."""
        with self.changed:
            while not self.closed:
                execution = self._next()
                if execution is None:
                    self.changed.wait(self._until_time())
                    continue
                self.busy += 1
                self.queue.remove(execution)
                if execution.batch is not None:
                    execution.batch.let_go.add(execution.id)
                name = f"tailrace worker {execution.id}"
                start(execution)
                Thread(target=self._work, args=[execution], name=name, daemon=True).start()

    def _work(self, execution: Execution) -> None:
        try:
            work(self, execution)
        finally:
            with self.changed:
                self.busy -= 1
                self.changed.notify_all()

    def close(self) -> None:
        """Let all threads go."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()


def _nothing(_job: Job) -> int:
    return 0
