"""The attempt is over without an exit to read: its program never ran, or nobody can know what became of it."""

from __future__ import annotations

from app.executions.model import Outcome, Stop
from app.executions.states import Cause
from worker.outcome import canceled_by


class Over(Exception):
    """Ends the story of an attempt with this outcome."""

    def __init__(self, cause: Cause, message: str, *, ran: bool = False) -> None:
        """`ran`: the program may have run, so that it may have left something."""
        super().__init__(message)
        self.outcome = Outcome(cause, message)
        self.ran = ran


def stopped_before_start(stop: Stop) -> Over:
    """A stop came before the program was started."""
    why = f" {stop.why}" if stop.why else ""
    return Over(canceled_by(stop.by), f"Canceled by {stop.by} before the program was started.{why}")
