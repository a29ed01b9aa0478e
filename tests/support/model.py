"""The record as the design has it, in plain Python: what becomes of an execution by whatever anybody does to it.

Each method is one transaction of the API or of a worker. It returns what that must return, as a word, or raises
`Refused`, and then nothing may have been written.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from app.executions.model import Retries
from support.moves import CAUSES, MOVES, TERMINAL
from worker.ladder import Rung

HELD = ("preparing", "running", "stopping")
DONE, NOTHING = "done", "nothing"
STALE, ILLEGAL, ENDED, UNHEARD_OF = "stale lease", "illegal move", "ended otherwise", "check violation"


class Refused(Exception):
    """It must not happen, for this reason."""


@dataclass
class Try:
    """One attempt. `meant`: its start was committed; `ran`: what its end says of it."""

    worker: str
    meant: bool = False
    ran: bool | None = None
    started: bool = False
    open: bool = True
    cause: str | None = None
    rungs: set[Rung] = field(default_factory=set)


@dataclass
class Story:
    """One execution. `moves` is its history, `lines` its log; `waits` for the time of its next attempt."""

    retries: Retries
    status: str = "queued"
    epoch: int = 0
    holder: str | None = None
    stop: str | None = None
    forced: bool = False
    final: bool = False
    announced: bool = False
    pause: str | None = None
    resuming: bool = False
    waits: bool = False
    cause: str | None = None
    tries: list[Try] = field(default_factory=list)
    moves: list[tuple[str | None, str]] = field(default_factory=lambda: [(None, "queued")])
    lines: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        return self.status in HELD or (self.status == "paused" and self.pause == "freeze")

    # What the API does.

    def cancel(self, *, force: bool) -> str:
        if self.status in TERMINAL:
            if self.status != "canceled":
                raise Refused(ENDED)
            return NOTHING
        if self.status == "stopping":
            if self.final and self.forced >= force:
                return NOTHING
            self.final, self.forced = True, self.forced or force
            self._note()
        elif not self.held:
            self._go("canceled")
            self.cause = "canceled_by_user"
            self.waits = False
            self._unpause()
        else:
            self._go("stopping")
            self.stop, self.forced, self.final = "cancel", force, True
            self._unpause()
        return DONE

    def ask_pause(self, mode: str) -> str:
        if self.status not in {"running", "paused"} or self.pause not in {None, mode}:
            raise Refused(ENDED)
        if self.pause == mode and not self.resuming:
            return NOTHING
        if mode == "checkpoint" and not self.announced:
            raise Refused(ENDED)
        if self.pause is None and mode == "checkpoint":
            self.stop = "pause"
        self.pause, self.resuming = mode, False
        self._note()
        return DONE

    def ask_resume(self) -> str:
        if self.status in TERMINAL or self.status == "stopping":
            raise Refused(ENDED)
        if self.pause is None or self.resuming:
            return NOTHING
        if self.status == "running":
            self._note()
            self._unpause()
        elif self.pause == "freeze":
            self._note()
            self.resuming = True
        else:
            self._go("queued")
            self._unpause()
        return DONE

    # What takes the lease.

    def claim(self, worker: str) -> int:
        self._go("preparing")
        self.waits = False
        self.epoch += 1
        self.holder = worker
        self.tries.append(Try(worker))
        return self.epoch

    def take_over(self, epoch: int, worker: str) -> str | int:
        if not self.held or epoch != self.epoch:
            return NOTHING
        self.epoch += 1
        self.holder = worker
        return self.epoch

    # What the holder of a lease does.

    def set_phase(self, epoch: int) -> str:
        self._hold(epoch)
        return DONE

    def intend_start(self, epoch: int) -> str:
        self._hold(epoch)
        if self.status != "preparing":
            return NOTHING
        self.tries[-1].meant = True
        return DONE

    def note_started(self, epoch: int) -> str:
        self._hold(epoch)
        if not self.tries[-1].meant:
            raise Refused(UNHEARD_OF)
        self.tries[-1].started = True
        if self.status != "preparing":
            return NOTHING
        self._go("running")
        return DONE

    def time_out(self, epoch: int) -> str:
        self._check(epoch)
        if self.status != "running":
            return NOTHING
        self._go("stopping")
        self._unpause()
        self.stop = "timeout"
        return DONE

    def announce(self, epoch: int) -> str:
        self._hold(epoch)
        self.announced = True
        return DONE

    def note_frozen(self, epoch: int) -> str:
        self._hold(epoch)
        if self.status != "running" or self.pause != "freeze":
            return NOTHING
        self._go("paused")
        return DONE

    def note_thawed(self, epoch: int) -> str:
        self._hold(epoch)
        if self.status != "paused" or not self.resuming:
            return NOTHING
        self._go("running")
        self._unpause()
        return DONE

    def miss_checkpoint(self, epoch: int) -> str:
        self._hold(epoch)
        if self.status != "running" or self.pause != "checkpoint":
            return NOTHING
        self._note()
        self._unpause()
        return DONE

    def save(self, epoch: int) -> str:
        """It ends with 85, as it was asked to."""
        self._check(epoch)
        if not self.held:
            raise Refused(ILLEGAL)
        if self.stop == "cancel":
            return self.conclude(epoch, "canceled_by_user", 85, ran=True)
        waits = self.pause == "checkpoint"
        self._go("paused" if waits else "queued")
        self.tries[-1].open, self.tries[-1].ran = False, True
        self._let_go()
        if not waits:
            self._unpause()
        return self.status

    def climb(self, epoch: int, rung: Rung) -> str:
        self._hold(epoch)
        self.tries[-1].rungs.add(rung)
        return DONE

    def say(self, epoch: int, line: str) -> str:
        self._check(epoch)
        self.lines.append(line)
        return DONE

    def requeue(self, epoch: int) -> str:
        self._hold(epoch)
        if self.status != "preparing":
            raise Refused(ILLEGAL)
        self._go("queued")
        self._let_go()
        self.tries[-1].open, self.tries[-1].ran = False, False
        return DONE

    def conclude(self, epoch: int, cause: str, exit_code: int | None, *, ran: bool) -> str:
        self._check(epoch)
        if not self.held:
            raise Refused(ILLEGAL)
        again = self._again(cause, exit_code, ran=ran)
        if again and self.pause is not None and not self.resuming:
            return self._stay_paused(cause, ran=ran)
        target = "queued" if again else next(status for status in TERMINAL if cause in CAUSES[status])
        if self.status == "paused" and (self.status, target) not in MOVES:
            self._go("running")
        self._go(target)
        self._unpause()
        last = self.tries[-1]
        last.open, last.ran, last.cause = False, ran, cause
        if again:
            self._let_go()
            self.waits = True
        else:
            self.cause = cause
        return self.status

    def _stay_paused(self, cause: str, *, ran: bool) -> str:
        """Another attempt follows, when it is resumed."""
        if self.status == "paused":
            self._note()
        else:
            self._go("paused")
        last = self.tries[-1]
        last.open, last.ran, last.cause = False, ran, cause
        self._let_go()
        self.pause = "checkpoint"
        return self.status

    def _again(self, cause: str, exit_code: int | None, *, ran: bool) -> bool:
        """Whether another attempt follows one that ended so."""
        if self.final:
            return False
        started = ran + sum(each.ran is True and each.cause is not None for each in self.tries)
        in_vain = (not ran) + sum(each.ran is False and each.cause is not None for each in self.tries)
        if not ran and cause in {"image_pull_failed", "engine_error", "host_lost"} and in_vain < 3:
            return True
        wanted = (
            cause in self.retries.retry_on
            or (exit_code in self.retries.retry_on and cause in {"exit_nonzero", "signaled", "oom_killed"})
            or (self.retries.on_timeout == "retry" and cause in {"run_timeout", "idle_timeout"})
            or (self.retries.on_interrupted == "retry" and cause in {"interrupted", "host_lost"})
        )
        return wanted and started + in_vain < self.retries.max_attempts

    def _let_go(self) -> None:
        self.epoch += 1
        self.holder = self.stop = None
        self.forced = self.final = self.announced = False

    def _unpause(self) -> None:
        if self.stop == "pause":
            self.stop = None
        self.pause, self.resuming = None, False

    def _note(self) -> None:
        self.moves.append((self.status, self.status))

    def _check(self, epoch: int) -> None:
        if epoch != self.epoch:
            raise Refused(STALE)

    def _hold(self, epoch: int) -> None:
        self._check(epoch)
        if not self.held:
            raise Refused(STALE)

    def _go(self, target: str) -> None:
        if (self.status, target) not in MOVES:
            raise Refused(ILLEGAL)
        self.moves.append((self.status, target))
        self.status = target
