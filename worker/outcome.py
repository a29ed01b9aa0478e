"""How an exit is read: exit code, OOM flag and what was asked before → cause, message. Pure."""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace

from app.executions.model import ExitMeaning, Limits, Outcome, Stop
from app.executions.states import Cause, StopClock, StopReason

# The engine's init, process 1 of every container, says so on stderr when it cannot start the program.
_INIT_COMPLAINT = b"[FATAL tini ("
SAVED_AND_STOPPED = 85
CANCELED_ON_PURPOSE = 86
NOT_EXECUTABLE = 126
NOT_FOUND = 127
SYSTEM = "system"
# Of the outputs that are missing, so many are told by name.
NAMED_AT_MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """A container that has ended. `signaled`: we had sent it a signal before; `announced`: it knows our exit codes;
    `asked_to_save`: it was asked to save a checkpoint and stop, and may be a little late to do so. `meaning` is what
    its submission says of this code, `missing` are outputs that it had to leave, `lost` those of them that it left and
    the store did not take, `partly_kept` if not all that it left could be kept. `interruption` is what ended it from
    outside, if anything did. `over_disk`: it had too much on disk, and we had it killed.

    `in_setup`: the main command was never started, and this is how the setup has ended; `late_after` so many seconds,
    which were its time. `whose` it is that the container's init complains of. `said_before`: its main command was said
    to have ended with this code before it was stopped, which is not taken for its end.
    """

    code: int
    oom_killed: bool
    signaled: bool
    announced: bool
    asked_to_save: bool = False
    init_complaint: str | None = None
    meaning: ExitMeaning | None = None
    missing: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    partly_kept: bool = False
    interruption: str | None = None
    over_disk: bool = False
    in_setup: bool = False
    late_after: int | None = None
    whose: str = "The command"
    said_before: int | None = None

    @property
    def failed(self) -> bool:
        """Whether it says neither success nor anything else that is no failure."""
        return not (self.ended_well or self.saved or self.canceled_itself)

    @property
    def never_ran(self) -> bool:
        """Whether the container's init could not start the program."""
        return self.init_complaint is not None and self.code in {NOT_FOUND, NOT_EXECUTABLE}

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether the kernel killed the program for its use of memory."""
        return self.oom_killed and self.code == 128 + signal.SIGKILL

    @property
    def killed_for_disk(self) -> bool:
        """Whether we killed the program for its use of disk, and it had not ended before."""
        return self.over_disk and self.code == 128 + signal.SIGKILL

    @property
    def ended_well(self) -> bool:
        """Whether its code says success."""
        return self.code == 0 or self._means(ExitMeaning.SUCCESS)

    @property
    def is_whole(self) -> bool:
        """Whether all is kept that it had to leave."""
        return not (self.missing or self.lost)

    @property
    def saved(self) -> bool:
        """Whether its code says that it saved a checkpoint and stopped."""
        return self._means(ExitMeaning.CHECKPOINT, unless_said=SAVED_AND_STOPPED)

    @property
    def canceled_itself(self) -> bool:
        """Whether its code says that it was canceled on purpose."""
        return self._means(ExitMeaning.CANCELED, unless_said=CANCELED_ON_PURPOSE)

    def _means(self, meaning: ExitMeaning, *, unless_said: int | None = None) -> bool:
        """As its submission says, or, where that says nothing, as a program that announced itself knows the codes."""
        ended_by_others = self.ran_out_of_memory or self.killed_for_disk or self.interruption is not None
        if self.never_ran or self.in_setup or ended_by_others:
            return False  # the code is not the program's own
        if self.meaning is None:
            return self.announced and self.code == unless_said
        return self.meaning is meaning


def init_complaint(first_error_line: bytes | None) -> str | None:
    """What the container's init said if it could not start the program."""
    if first_error_line is None or not first_error_line.startswith(_INIT_COMPLAINT):
        return None
    return first_error_line.partition(b"] ")[2].decode(errors="replace")


def read_exit(ended: Exit, stop: Stop | None, limits: Limits) -> Outcome:
    """The outcome. The first request that was pending decides; with none, the program's own exit does."""
    match stop.reason if stop else None:
        case StopReason.CANCEL | StopReason.TIMEOUT if ended.ended_well and ended.is_whole and not ended.signaled:
            return _outcome(ended, Cause.OK, "Finished by itself after it was asked to stop.")
        case StopReason.CANCEL:
            asked_by = stop.by if stop else SYSTEM
            why = f" {stop.why}" if stop is not None and stop.why else ""
            return _outcome(ended, canceled_by(asked_by), f"Canceled by {asked_by}{_so_far(ended)}.{why}")
        case StopReason.TIMEOUT if stop is not None and stop.clock is StopClock.IDLE_TIMEOUT:
            why = f"Wrote nothing for its idle_timeout of {limits.idle_timeout} s"
            return _outcome(ended, Cause.IDLE_TIMEOUT, f"{why}{_so_far(ended)}.")
        case StopReason.TIMEOUT:
            why = f"Ran longer than its timeout of {limits.timeout} s"
            return _outcome(ended, Cause.RUN_TIMEOUT, f"{why}{_so_far(ended)}.")
        case StopReason.PAUSE | None if ended.saved and ended.asked_to_save:
            why = f"It saved a checkpoint and stopped (exit code {ended.code})."
            return replace(_outcome(ended, Cause.EXIT_NONZERO, why), saved=True)
        case StopReason.PAUSE | None:
            return _own_exit(ended)


def of_clock(ran_out: StopClock, limits: Limits) -> str:
    """Why it is asked to stop when this clock has run out."""
    match ran_out:
        case StopClock.TIMEOUT:
            return f"It has run for its timeout of {limits.timeout} s."
        case StopClock.IDLE_TIMEOUT:
            return f"It has written nothing for its idle_timeout of {limits.idle_timeout} s."


def canceled_by(asked_by: str) -> Cause:
    """The cause of a cancellation."""
    return Cause.CANCELED_BY_SYSTEM if asked_by == SYSTEM else Cause.CANCELED_BY_USER


def _own_exit(ended: Exit) -> Outcome:
    if ended.killed_for_disk or ended.interruption is not None:
        return _from_outside(ended)
    if ended.ended_well and not ended.is_whole:
        return _without(ended)
    if ended.ended_well:
        as_said = ", which its `exit_codes` call a success" if ended.code else ""
        return _outcome(ended, Cause.OK, f"Finished with exit code {ended.code}{as_said}.")
    if ended.canceled_itself:
        return _outcome(ended, Cause.SELF_CANCELED, f"The program canceled itself (exit code {ended.code}).")
    if ended.never_ran:
        return _unstartable(ended)
    failure = _of_setup(ended, _failure(ended)) if ended.in_setup else _failure(ended)
    return replace(failure, meaning=ended.meaning)


def _from_outside(ended: Exit) -> Outcome:
    if ended.killed_for_disk:
        return _outcome(ended, Cause.DISK_LIMIT, f"Killed: it had more on disk than `limits.disk`{_so_far(ended)}.")
    return _outcome(ended, Cause.INTERRUPTED, ended.interruption or "")


def _without(ended: Exit) -> Outcome:
    """It ended well, but there is not all that it has to leave: it left it out, or the store did not take it."""
    paths = ended.missing or ended.lost
    named = ", ".join(f"`{path}`" for path in paths[:NAMED_AT_MOST])
    more = len(paths) - NAMED_AT_MOST
    which = f"{named}{f' and {more} more' if more > 0 else ''}"
    if not ended.missing:
        why = f"Ended well, but the store of files was away or full, and did not take {which}, which it has to leave."
        return _outcome(ended, Cause.ENGINE_ERROR, why)
    if ended.partly_kept:
        why = f"Ended well, but nothing was kept for {which}, which it has to leave: see its warnings."
    else:
        why = f"Ended well, but left nothing for {which}, which it has to."
    return _outcome(ended, Cause.OUTPUT_MISSING, why)


def _of_setup(ended: Exit, failure: Outcome) -> Outcome:
    """That failure, of the setup."""
    if ended.late_after is not None:
        why = f"The setup took longer than its timeout of {ended.late_after} s; the main command was not started."
        return replace(failure, cause=Cause.EXIT_NONZERO, message=why)
    what = f"{failure.message[0].lower()}{failure.message[1:]}"
    return replace(failure, message=f"The setup failed, and the main command was not started: {what}")


def _failure(ended: Exit) -> Outcome:
    if ended.ran_out_of_memory:
        return _outcome(ended, Cause.OOM_KILLED, "Killed by the kernel: it used more memory than `limits.memory`.")
    if 128 < ended.code < 128 + signal.NSIG:
        return _outcome(ended, Cause.SIGNALED, f"Ended by {_signal_name(ended.code - 128)} (exit code {ended.code}).")
    return _outcome(ended, Cause.EXIT_NONZERO, f"Exit code {ended.code}.")


def _unstartable(ended: Exit) -> Outcome:
    """The program never ran."""
    if ended.code == NOT_FOUND:
        why = f"{ended.whose} is not in the image: {ended.init_complaint}"
        return Outcome(Cause.COMMAND_NOT_FOUND, why, ended.code)
    return Outcome(
        Cause.COMMAND_NOT_EXECUTABLE, f"{ended.whose} cannot be executed: {ended.init_complaint}", ended.code
    )


def _so_far(ended: Exit) -> str:
    if ended.in_setup:
        return " during its setup"
    if ended.said_before is not None:
        return f"; its main command is said to have ended with exit code {ended.said_before} before"
    return "; it saved a checkpoint first" if ended.saved else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _outcome(ended: Exit, cause: Cause, message: str) -> Outcome:
    return Outcome(cause, message, ended.code, ended.oom_killed)
