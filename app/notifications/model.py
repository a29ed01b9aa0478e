"""What is said to people, and when. Pure but for the types of a record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.batches.model import EndedBatch
from app.executions.causes import EXPLANATIONS
from app.executions.record import Record
from app.executions.states import Cause, Status
from app.webhooks.model import Chosen, facts_of, facts_of_batch

RULES_PER_OWNER = 100
# A person is told a few times; what a channel did not take within an hour is not news any more.
TRIES = 4
FIRST_WAIT = 12  # times the first wait of webhooks
GROWTH = 5
SEND_WITHIN = 60.0
# Who claimed it and has said nothing for so long has died over it.
UNSURE_AFTER = 180.0
TITLE_CHARS = 150
KEY_CHARS = 255
FAILURES = frozenset({Status.FAILED, Status.TIMED_OUT, Status.CRASHED})
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class NotificationKind(StrEnum):
    """Why something is said."""

    ENDED = "ended"
    FAILING = "failing"
    RECOVERED = "recovered"
    TEST = "test"


class NotificationState(StrEnum):
    """How it stands. `unsure`: whoever sent it died before they could say what came of it; it is not sent again."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """To whom what is said. `alert_after` counts failures in a row of what is alike by `per`."""

    id: UUID
    owner: str
    channel: str
    sealed: bytes
    description: str | None
    batches: bool
    statuses: frozenset[Status]
    causes: frozenset[Cause]
    chosen: Chosen
    alert_after: int | None
    per: str
    enabled: bool
    set_by: UUID | None
    after: int
    created_at: datetime
    updated_at: datetime

    def takes(self, record: Record, cause: Cause | None) -> bool:
        """Whether it is about such an execution, ended by such a cause."""
        return (
            not self.batches
            and (not self.causes or cause in self.causes or cause is Cause.OK)
            and self.chosen.takes(**facts_of(record))
        )

    def takes_batch(self, batch: EndedBatch) -> bool:
        """Whether it is about such a batch, that ended so."""
        return (
            self.batches and Status(batch.record.status) in self.statuses and self.chosen.takes(**facts_of_batch(batch))
        )

    def key_of(self, record: Record) -> str:
        """What it is counted by: what has no name, no method or not that label is alike."""
        if self.per == "method":
            key = record.spec.method.name if record.spec.method else ""
        elif self.per.startswith("label:"):
            key = record.labels.get(self.per.removeprefix("label:"), "")
        else:
            key = record.name or ""
        return key[:KEY_CHARS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to one channel."""

    id: UUID
    rule_id: UUID
    execution_id: UUID | None
    batch_id: UUID | None
    kind: NotificationKind
    title: str
    state: NotificationState
    tries: int
    error: str | None
    created_at: datetime
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class Streak:
    """How often something has failed in a row, and whether somebody was told."""

    failures: int = 0
    alerted: bool = False


def count(streak: Streak, status: Status, after: int) -> tuple[Streak, NotificationKind | None]:
    """The streak after one more end, and what is said of it. Who is canceled has neither failed nor succeeded."""
    if status in FAILURES:
        failures = streak.failures + 1
        told = not streak.alerted and failures >= after
        return Streak(failures, streak.alerted or told), NotificationKind.FAILING if told else None
    if status is Status.SUCCEEDED:
        return Streak(), NotificationKind.RECOVERED if streak.alerted else None
    return streak, None


def wait_after(tries: int, first: float) -> float:
    """Seconds until the next try after so many that failed."""
    return FIRST_WAIT * first * float(GROWTH) ** (tries - 1)


def words_of_end(record: Record, cause: Cause, status: Status) -> tuple[str, str]:
    """Title and text of an end."""
    return _title(record, f"{_what(status)} ({cause})"), _text(record, cause)


def words_of_streak(
    kind: NotificationKind, failures: int, key: str, rule: Rule, record: Record, cause: Cause
) -> tuple[str, str]:
    """Title and text of an alert, or of its end."""
    alike = f"{rule.per.removeprefix('label:')} `{key}`" if key else f"no {rule.per.removeprefix('label:')}"
    if kind is NotificationKind.FAILING:
        said = f"{failures} in a row have failed"
        return _title(record, said), f"{said}, of those with {alike}. The last one:\n\n{_text(record, cause)}"
    said = "it succeeds again"
    return _title(record, said), f"After {failures} failures in a row, of those with {alike}:\n\n{_text(record, cause)}"


def words_of_batch(batch: EndedBatch) -> tuple[str, str]:
    """Title and text of the end of a whole batch."""
    record = batch.record
    counts = ", ".join(f"{count} {_what(status)}" for status, count in sorted(record.children.items()) if count)
    lines: Sequence[tuple[str, object]] = (
        ("Batch", record.id),
        ("Status", record.status),
        ("Children", f"{record.size}: {counts}"),
        ("Pools", ", ".join(sorted(batch.pools))),
        ("Ended", record.finished_at),
    )
    title = f"[Tailrace] {(record.name or f'batch of {record.size}')[:TITLE_CHARS]}: {record.status} (batch)"
    return plain(title), "\n".join(f"{name}: {plain(str(value))}" for name, value in lines)


def _what(status: Status) -> str:
    return status.replace("_", " ")


def _title(record: Record, said: str) -> str:
    return plain(f"[Tailrace] {(record.name or record.spec.image)[:TITLE_CHARS]}: {said}")


def _text(record: Record, cause: Cause) -> str:
    lines: Sequence[tuple[str, object]] = (
        ("Execution", record.id),
        ("Image", record.spec.image),
        ("Pool", record.pool),
        ("Status", f"{record.status} ({cause})"),
        ("Message", record.message or EXPLANATIONS[cause].sentence),
        ("Exit code", record.exit_code if record.exit_code is not None else "none"),
        ("Ended", record.finished_at),
    )
    return "\n".join(f"{name}: {plain(str(value))}" for name, value in lines)


def plain(text: str) -> str:
    """On one line, and without anything that a mail or a terminal takes for an order."""
    return _UNPRINTABLE.sub(" ", text)
