"""How an exit is read: exit code, OOM flag and what was asked before → cause, message. Pure."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from app.executions.model import Outcome, Stop
from app.executions.states import Cause, StopReason

# The engine's init, process 1 of every container, says so on stderr when it cannot start the program.
_INIT_COMPLAINT = b"[FATAL tini ("
SAVED_AND_STOPPED = 85
CANCELED_ON_PURPOSE = 86
NOT_EXECUTABLE = 126
NOT_FOUND = 127
SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """A container that has ended. `signaled`: we had sent it a signal before; `announced`: it knows our exit codes."""

    code: int
    oom_killed: bool
    signaled: bool
    announced: bool
    init_complaint: str | None = None


def init_complaint(first_error_line: bytes | None) -> str | None:
    """What the container's init said if it could not start the program."""
    if first_error_line is None or not first_error_line.startswith(_INIT_COMPLAINT):
        return None
    return first_error_line.partition(b"] ")[2].decode(errors="replace")


def read_exit(ended: Exit, stop: Stop | None, *, timeout: int) -> Outcome:
    """The outcome. The first request that was pending decides; with none, the program's own exit does.

    `timeout` is the execution's limit, in seconds.
    """
    match stop.reason if stop else None:
        case StopReason.CANCEL | StopReason.TIMEOUT if ended.code == 0 and not ended.signaled:
            return _outcome(ended, Cause.OK, "Finished by itself after it was asked to stop.")
        case StopReason.CANCEL:
            asked_by = stop.by if stop else SYSTEM
            return _outcome(ended, canceled_by(asked_by), f"Canceled by {asked_by}{_and_saved(ended)}.")
        case StopReason.TIMEOUT:
            return _outcome(ended, Cause.RUN_TIMEOUT, f"Ran longer than its timeout of {timeout} s{_and_saved(ended)}.")
        case StopReason.PAUSE | None:
            return _own_exit(ended)


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
