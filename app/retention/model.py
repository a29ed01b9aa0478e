"""For how many days what has ended is kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.executions.states import TERMINAL, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Days by what is kept: records by how they ended, and of a record that is kept its outputs, its checkpoint and its
    log.

    `files` are those that clients upload, from then on. None is for ever. `failed` are also those that timed out or
    crashed.
    """

    succeeded: int | None = None
    failed: int | None = None
    canceled: int | None = None
    outputs: int | None = None
    checkpoints: int | None = None
    logs: int | None = None
    files: int | None = None

    @property
    def of_status(self) -> Mapping[Status, int | None]:
        """For how many days the record is kept of what ended so."""
        return {
            **dict.fromkeys(sorted(TERMINAL), self.failed),
            Status.SUCCEEDED: self.succeeded,
            Status.CANCELED: self.canceled,
        }
