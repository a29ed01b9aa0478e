"""How an exit is read: exit code, OOM flag and what was asked before → cause, message. Pure."""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace

from app.executions.model import Limits, Outcome, Stop
from app.executions.states import Cause, StopClock, StopReason

# The engine's init, process 1 of every container, says so on stderr when it cannot start the program.
_INIT_COMPLAINT = b"[FATAL tini ("
SAVED_AND_STOPPED = 85
CANCELED_ON_PURPOSE = 86
NOT_EXECUTABLE = 126
NOT_FOUND = 127
SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """A container that has ended. `signaled`: we had sent it a signal before; `announced`: it knows our exit codes;
    `asked_to_save`: it was asked to save a checkpoint and stop, and may be a little late to do so.
    """

    code: int
    oom_killed: bool
    signaled: bool
    announced: bool
    asked_to_save: bool = False
    init_complaint: str | None = None


def init_complaint(first_error_line: bytes | None) -> str | None:
    """What the container's init said if it could not start the program."""
    if first_error_line is None or not first_error_line.startswith(_INIT_COMPLAINT):
        return None
    return first_error_line.partition(b"] ")[2].decode(errors="replace")


def read_exit(ended: Exit, stop: Stop | None, limits: Limits) -> Outcome:
    """The outcome. The first request that was pending decides; with none, the program's own exit does."""
    match stop.reason if stop else None:
        case StopReason.CANCEL | StopReason.TIMEOUT if ended.code == 0 and not ended.signaled:
            return _outcome(ended, Cause.OK, "Finished by itself after it was asked to stop.")
        case StopReason.CANCEL:
            asked_by = stop.by if stop else SYSTEM
            why = f" {stop.why}" if stop is not None and stop.why else ""
            return _outcome(ended, canceled_by(asked_by), f"Canceled by {asked_by}{_and_saved(ended)}.{why}")
        case StopReason.TIMEOUT if stop is not None and stop.clock is StopClock.IDLE_TIMEOUT:
            why = f"Wrote nothing for its idle_timeout of {limits.idle_timeout} s"
            return _outcome(ended, Cause.IDLE_TIMEOUT, f"{why}{_and_saved(ended)}.")
        case StopReason.TIMEOUT:
            why = f"Ran longer than its timeout of {limits.timeout} s"
            return _outcome(ended, Cause.RUN_TIMEOUT, f"{why}{_and_saved(ended)}.")
        case StopReason.PAUSE | None if ended.code == SAVED_AND_STOPPED and ended.announced and ended.asked_to_save:
            saved = _outcome(ended, Cause.EXIT_NONZERO, "It saved a checkpoint and stopped (exit code 85).")
            return replace(saved, saved=True)
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
    if ended.code == 0:
        return _outcome(ended, Cause.OK, "Finished with exit code 0.")
    if ended.code == CANCELED_ON_PURPOSE and ended.announced:
        return _outcome(ended, Cause.SELF_CANCELED, "The program canceled itself (exit code 86).")
    if ended.init_complaint is not None and ended.code in {NOT_FOUND, NOT_EXECUTABLE}:
        return _unstartable(ended.code, ended.init_complaint)
    if ended.oom_killed and ended.code == 128 + signal.SIGKILL:
        return _outcome(ended, Cause.OOM_KILLED, "Killed by the kernel: it used more memory than `limits.memory`.")
    if 128 < ended.code < 128 + signal.NSIG:
        return _outcome(ended, Cause.SIGNALED, f"Ended by {_signal_name(ended.code - 128)} (exit code {ended.code}).")
    return _outcome(ended, Cause.EXIT_NONZERO, f"Exit code {ended.code}.")


def _unstartable(code: int, complaint: str) -> Outcome:
    """The program never ran."""
    if code == NOT_FOUND:
        return Outcome(Cause.COMMAND_NOT_FOUND, f"The command is not in the image: {complaint}", code)
    return Outcome(Cause.COMMAND_NOT_EXECUTABLE, f"The command cannot be executed: {complaint}", code)


def _and_saved(ended: Exit) -> str:
    if ended.code == SAVED_AND_STOPPED and ended.announced:
        return "; it saved a checkpoint first"
    return ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _outcome(ended: Exit, cause: Cause, message: str) -> Outcome:
    return Outcome(cause, message, ended.code, ended.oom_killed)
