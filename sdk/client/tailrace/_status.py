"""How an execution stands, in one object: a string with answers to every question about it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

    from tailrace._records import Record

WAITING = frozenset({"queued", "preparing"})
RUNNING = frozenset({"running", "stopping"})
TERMINAL = frozenset({"succeeded", "failed", "timed_out", "canceled", "crashed"})
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Status(str):  # noqa: SLOT000  it has its record with it
    """The status as a string, such as `"running"`, and what follows from it.

    Of `waiting`, `running`, `paused`, `completed` and `unknown` exactly one is true; of what is `completed`, exactly
    one of `success`, `failed` and `canceled`. All values are as of the moment when the record was looked at: what
    still runs does not grow by itself.
    """

    _record: Record

    def __new__(cls, record: Record) -> Self:
        status = super().__new__(cls, record.status)
        status._record = record
        return status

    @property
    def waiting(self) -> bool:
        """It is accepted, and its program has not started: `queued` or `preparing`."""
        return not self.completed and str(self) in WAITING

    @property
    def running(self) -> bool:
        """Its program runs: `running`, or `stopping`."""
        return not self.completed and str(self) in RUNNING

    @property
    def paused(self) -> bool:
        """It stands still, and can be resumed."""
        return not self.completed and str(self) == "paused"

    @property
    def completed(self) -> bool:
        """It has ended, however that was."""
        return self._record.ended

    @property
    def success(self) -> bool:
        """It ended well."""
        return str(self) == "succeeded"

    @property
    def canceled(self) -> bool:
        """It ended because somebody wanted it to."""
        return str(self) == "canceled"

    @property
    def failed(self) -> bool:
        """It ended, neither well nor because somebody wanted it to: `failed`, `timed_out`, `crashed`."""
        return self.completed and not self.success and not self.canceled

    @property
    def unknown(self) -> bool:
        """It has not ended, and is nothing that this version of the client knows."""
        return not self.completed and str(self) not in WAITING | RUNNING | {"paused"}

    @property
    def maybe_completed(self) -> bool:
        """There may be results, whole or partial: it has ended, or nobody can tell."""
        return self.completed or self.unknown

    @property
    def progress(self) -> float:
        """From 0 to 1: what the program said, and 1 once it has succeeded."""
        if self.success:
            return 1.0
        said = self._record.progress
        return (said.percent or 0) / 100 if said is not None else 0.0

    @property
    def phase(self) -> str:
        """What it does: in the program's words, else the worker's, else its status."""
        said = self._record.progress
        return (said.phase if said is not None else None) or self._record.phase or str(self)

    @property
    def stop_message(self) -> str | None:
        """Why it ended, as a sentence; None while it has not, or if it ended well."""
        return self._record.message if self.completed and not self.success else None

    @property
    def created_at(self) -> datetime:
        """When it was submitted."""
        return self._record.created_at or EPOCH

    @property
    def started_at(self) -> datetime | None:
        """When its program started; None if it has not."""
        return self._record.started_at

    @property
    def finished_at(self) -> datetime | None:
        """When it ended; None if it has not."""
        return self._record.finished_at

    @property
    def duration(self) -> float:
        """Seconds from its submission to its end, or until now."""
        return self._until_end(self.created_at)

    @property
    def queue_time(self) -> float:
        """Seconds that it waited, or has been waiting, to be started."""
        if self._record.queue_seconds is not None:
            return self._record.queue_seconds
        return self._until_end(self._record.queued_at or self.created_at)

    @property
    def run_time(self) -> float:
        """Seconds that its program ran, or has been running; 0 before it has started."""
        if self._record.run_seconds is not None:
            return self._record.run_seconds
        return self._until_end(self.started_at) if self.started_at is not None else 0.0

    def _until_end(self, start: datetime) -> float:
        # The two clocks may differ; nothing takes less than no time.
        return max(0.0, ((self.finished_at or self._record.seen_at) - start).total_seconds())
