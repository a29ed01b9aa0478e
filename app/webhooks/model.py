"""What a webhook wants to hear, and how patiently it is met."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from app.batches.model import EndedBatch
from app.executions.model import Event
from app.executions.record import Record
from app.executions.states import TERMINAL, Status, StopReason

WEBHOOKS_PER_OWNER = 100
WEBHOOKS_PER_EXECUTION = 5  # and per batch
# More than that wait for no receiver: what comes then is dropped, and counted.
WAITING_AT_MOST = 10_000
# A message that does not arrive is given up after so long; of progress, only the newest is of any use. Seconds.
GIVE_UP_AFTER = 86_400
PROGRESS_GIVES_UP_AFTER = 120
PROGRESS_EVERY = 10
# Between two tries; the first is set, and each is so many times the one before. Seconds.
LONGEST_WAIT = 8 * 3600.0
GROWTH = 5
# So many failures in a row, of whatever messages, and the receiver is left alone for a while. Seconds.
BREAKS_AT = 5
SHORTEST_PAUSE = 12  # times the first wait
LONGEST_PAUSE = 3600.0
MAY_ASK_FOR = 3600.0


class EventType(StrEnum):
    """What is told: every status that is reached, and some things beside them."""

    QUEUED = "execution.queued"
    PREPARING = "execution.preparing"
    RUNNING = "execution.running"
    PAUSED = "execution.paused"
    STOPPING = "execution.stopping"
    SUCCEEDED = "execution.succeeded"
    FAILED = "execution.failed"
    TIMED_OUT = "execution.timed_out"
    CANCELED = "execution.canceled"
    CRASHED = "execution.crashed"
    CANCEL_REQUESTED = "execution.cancel_requested"
    UPDATED = "execution.updated"
    PROGRESS = "execution.progress"
    DELETED = "execution.deleted"
    BATCH_ENDED = "batch.ended"
    PING = "webhook.ping"


def type_of(status: Status) -> EventType:
    """That this status is reached."""
    return EventType(f"execution.{status}")


ENDS = frozenset(type_of(status) for status in TERMINAL)
# A ping is sent to whoever asks for one.
CHOICES = frozenset(EventType) - {EventType.PING}
OF_ONE_EXECUTION = CHOICES - {EventType.BATCH_ENDED}


class DeliveryState(StrEnum):
    """How a delivery stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Of which executions: all of these must hold, and what is left out does not restrict."""

    pools: frozenset[str] = frozenset()
    methods: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)

    def takes(self, *, pools: Collection[str], methods: Collection[str], labels: Mapping[str, str]) -> bool:
        """Whether an execution is one of them, or a batch whose children are of these pools and methods."""
        return (
            (not self.pools or not self.pools.isdisjoint(pools))
            and (not self.methods or not self.methods.isdisjoint(methods))
            and self.labels.items() <= labels.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One webhook on record: of an owner, of all (`EVERYBODY`), of one `execution` or `batch`. Secrets are sealed."""

    id: UUID
    owner: str
    execution: UUID | None
    batch: UUID | None
    url: str
    description: str | None
    events: frozenset[EventType]
    chosen: Chosen
    enabled: bool
    disabled_reason: str | None
    after: int
    sealed: bytes | None
    sealed_before: bytes | None
    before_until: datetime | None
    failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    dropped: int
    set_by: UUID | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one webhook. `id` is the message's, the same at every try."""

    id: UUID
    webhook_id: UUID
    execution_id: UUID | None
    batch_id: UUID | None
    event: EventType
    state: DeliveryState
    tries: int
    log: list[dict[str, Any]]
    next_at: datetime | None
    give_up_at: datetime
    created_at: datetime
    done_at: datetime | None

    @property
    def message_id(self) -> str:
        """As the receiver sees it, by which it knows what it has had already."""
        return message_id(self.id)


def message_id(delivery: UUID) -> str:
    """The `webhook-id` of a delivery."""
    return f"msg_{delivery.hex}"


def facts_of(record: Record) -> dict[str, Any]:
    """By what an execution is chosen."""
    method = record.spec.method
    return {"pools": (record.pool,), "methods": (method.name,) if method else (), "labels": record.labels}


def facts_of_batch(batch: EndedBatch) -> dict[str, Any]:
    """By what a batch is chosen: its own labels, and the pools and methods of its children."""
    return {"pools": batch.pools, "methods": batch.methods, "labels": batch.record.labels}


def types_of(event: Event, record: Record) -> list[EventType]:
    """What is told of an event of a history."""
    if event.from_status == event.to_status:
        return [EventType.UPDATED]
    types = [type_of(event.to_status)]
    if event.to_status is Status.STOPPING and record.stop is not None and record.stop.reason is StopReason.CANCEL:
        types.insert(0, EventType.CANCEL_REQUESTED)
    return types


def wait_after(tries: int, first: float, *, asked: float = 0.0) -> float:
    """Seconds until the next try after so many that failed; longer if the receiver asked for it, within reason."""
    wait = min(first * float(GROWTH) ** min(tries - 1, 20), LONGEST_WAIT)
    return max(wait, min(asked, MAY_ASK_FOR))


def pause_after(failures: int, first: float) -> float:
    """Seconds for which a receiver is left alone after so many failures in a row; 0: it is not."""
    if failures < BREAKS_AT:
        return 0.0
    return min(SHORTEST_PAUSE * first * 2.0 ** min(failures - BREAKS_AT, 20), LONGEST_PAUSE)
