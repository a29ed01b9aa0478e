"""Watching a program: its lines where it wrote them, Ctrl-C, and the exit code that says how it ended."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Mapping
from datetime import timezone
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from tailrace.cli.failures import (
    COMMAND_NOT_FOUND,
    INTERRUPTED,
    NOT_EXECUTABLE,
    NOT_RUN,
    OUT_OF_TIME,
    Failure,
    failure_of,
)
from tailrace.cli.output import console, remark
from tailrace.cli.routes import in_verbs
from tailrace.cli.shown import plain

if TYPE_CHECKING:
    from typing_extensions import Self

    from tailrace import Handle, Line

_BY_CAUSE = {"command_not_found": COMMAND_NOT_FOUND, "command_not_executable": NOT_EXECUTABLE}
_BY_STATUS = {"succeeded": 0, "timed_out": OUT_OF_TIME, "canceled": INTERRUPTED}
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Lines:
    """Writes lines as they come: stdout to stdout, everything else to stderr, our own lines only if `story`."""

    def __init__(self, *, story: bool, timestamps: bool = False) -> None:
        self.story = story
        self.timestamps = timestamps
        # Whether both end up on one screen, where a line that goes on must not run into another.
        self._together = sys.stdout.isatty() and sys.stderr.isatty()
        self._open: str | None = None
        self._styled = console(stderr=True) if story and sys.stderr.isatty() else None

    def write(self, line: Line) -> None:
        """One line, or the part of one that there is so far."""
        if self._open is not None and self._open != line.stream and self._together:
            sys.stdout.write("\n")
            self._open = None
        begins = self._open != line.stream
        at = line.at.astimezone(timezone.utc).isoformat(timespec="milliseconds") if line.at else ""
        stamp = f"{at} " if self.timestamps and begins and at else ""
        if line.stream == "system":
            self._tell(line.text, stamp)
            return
        stream = sys.stdout if line.stream == "stdout" else sys.stderr
        stream.write(f"{stamp}{line.text}{'' if line.continues else chr(10)}")
        stream.flush()
        self._open = line.stream if line.continues else None

    def _tell(self, text: str, stamp: str) -> None:
        if not self.story:
            return
        if self._styled is not None:
            self._styled.print(f"{stamp}— {plain(text)}", style="dim")
        else:
            remark(f"{stamp}— {plain(text)}")


class Interrupts:
    """Ctrl-C, and SIGTERM: the first asks the program to stop, the second kills it, the third leaves it alone.

    The stop is asked for in a thread: whoever reads the log reads on, and no line is lost or comes twice.
    """

    def __init__(self) -> None:
        self.times = 0
        self._handle: Handle | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._interrupt) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def watch(self, handle: Handle) -> None:
        """From now on there is something to stop; perhaps somebody has asked already."""
        self._handle = handle
        if self.times:
            self._ask()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.times += 1
        if self._handle is None:
            # It is being submitted: a stop has to wait for its id, somebody impatient has not.
            if self.times > 1:
                hint = "It may have been accepted: `tailrace ls` shows it."
                raise Failure("Left while it was being submitted.", hint=hint, code=INTERRUPTED)
        elif self.times > 2:
            raise KeyboardInterrupt
        else:
            threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        import tailrace

        handle = self._handle
        if handle is None:
            return
        force = self.times > 1
        try:
            if force:
                handle.cancel(force=True)
                remark("— Killing it. Ctrl-C again leaves it to itself.")
            else:
                handle.cancel()
                remark("— Asking it to stop. Ctrl-C again kills it.")
        except tailrace.Conflict:
            # It has just ended by itself.
            return
        except Exception as error:  # noqa: BLE001  nobody else would hear of it
            failure = failure_of(error)
            remark(f"— It could not be asked to stop: {failure.message if failure else error}", style="red")


def exit_code(record: Mapping[str, Any]) -> int:
    """What the end of an execution is to a shell: the program's own exit code wherever it has ended by itself."""
    status, cause, code = record["status"], record["cause"], record["exit_code"]
    if cause in _BY_CAUSE:
        return _BY_CAUSE[cause]
    if cause == "self_canceled" or status == "failed":
        # One that ended with 0 and has failed all the same left out an output.
        return NOT_RUN if code is None else code or 1
    # A success is one whatever its exit code was: `exit_codes` may call 3 a success.
    return _BY_STATUS.get(status, NOT_RUN)


def tell_end(record: Mapping[str, Any], *, story: bool) -> None:
    """How it ended, where the log has not said so; nothing of a success."""
    if record["status"] == "succeeded":
        return
    if not story or record["log"].get("lines") == 0:
        remark(f"{record['status']}, {record['cause']}: {plain(record['message'])}")
    if record.get("hint"):
        remark(f"hint: {in_verbs(plain(record['hint']))}")
