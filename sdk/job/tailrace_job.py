"""The in-container kit of Tailrace: stop at a good moment, save the work, report progress, hand back a result.

One file, standard library only, Python 3.8 or newer. A program in its simplest useful form:

    import json, tailrace_job

    @tailrace_job.stoppable()
    def main():
        state = json.loads(tailrace_job.load("state.json") or '{"step": 0}')
        while state["step"] < 100:
            state = work(state)
            tailrace_job.save("state.json", json.dumps(state))
            tailrace_job.progress(state["step"], phase="working")
            tailrace_job.checkpoint()  # raises TerminationRequested if a stop is asked for
        tailrace_job.result({"steps": state["step"]})

    main()

All of it goes through files under one mount, ``TAILRACE_DIR`` (default ``/tailrace``). Where that directory does not
exist the program is on somebody's laptop: ``./inputs.json`` is read when present, outputs and checkpoints go to
``./outputs`` and ``./checkpoint``, events are dropped, and Ctrl-C is the stop request.

*Cooperation.* The first ``checkpoint()`` or ``should_stop()`` shows that the program really asks whether to stop. Only
then does the kit announce ``{"checkpoints": true}`` (Tailrace then waits longer before the first signal and knows the
exit codes 85 and 86) and, in the main thread, take over SIGTERM and SIGINT where they still have Python's defaults; the
handler only sets a flag. Neither the import nor ``save()`` does that: a program that saves but never asks is better
stopped by the signal at once than left deaf to it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, Mapping, NamedTuple, NoReturn

EXIT_SAVED = 85
"""The exit code of a program that was asked to stop, saved a checkpoint, and stopped."""
EXIT_CANCELED = 86
"""The exit code of a program that gives up by itself: it is canceled, and has not failed."""
_EXIT_UNSAVED = 128 + signal.SIGTERM
_RESULT_LIMIT = 256 * 1024  # bytes of JSON
_LOOK_EVERY = 0.05  # seconds between two looks at the stop file
_PROGRESS_EVERY = 0.1  # seconds between two progress lines

_mount = Path(os.environ.get("TAILRACE_DIR") or "/tailrace").absolute()
_local = not _mount.is_dir()
_base = Path.cwd() if _local else _mount

outputs: Path
"""Whatever is in this directory at the end is collected."""
checkpoint_dir: Path
"""What is in this directory is kept, and there when it goes on. `save` and `load` know it."""


class TerminationRequested(BaseException):
    """A stop was asked for. Not an ``Exception``, so that ``except Exception`` lets it pass.

    Attributes:
        reason: Why, in a word (``"SIGTERM"`` or ``"SIGINT"`` when all there was is the signal).
        by: Who asked, or None.
        deadline: When the program will be killed, in unix seconds, or None.
    """

    def __init__(self, reason: str = "stop", by: str | None = None, deadline: float | None = None) -> None:
        super().__init__(reason, by, deadline)
        self.reason = reason
        self.by = by
        self.deadline = deadline

    def __str__(self) -> str:
        return f"stop requested ({self.reason})" + (f" by {self.by}" if self.by else "")


def checkpoint() -> None:
    """Raise `TerminationRequested` if a stop is being asked for; else return at once.

    Call it where the work can stop. Cheap enough for a hot loop: it looks at the file system at most every 50 ms. It
    raises for as long as the request stands, so an ignored one comes again.
    """
    notice = _stop.notice()
    if notice is not None:
        raise TerminationRequested(*notice)


def should_stop() -> bool:
    """Say whether a stop is being asked for: `checkpoint` for those who prefer to branch."""
    return _stop.notice() is not None


def save(name: str | os.PathLike[str], content: bytes | str | Callable[[BinaryIO], object]) -> Path:
    """Replace a file of `checkpoint_dir` atomically and durably: after any crash it holds the old content or the new.

    Args:
        name: A name inside `checkpoint_dir`, or an absolute path, such as ``tailrace_job.outputs / "plot.svg"``.
        content: Bytes, text (written as UTF-8), or a function that writes to the binary file it is given, such as
            ``lambda file: torch.save(model, file)``.

    Returns:
        The path of the file.

    Raises:
        OSError: The file could not be written (a full disk, for example); the old content stands.
    """
    path = _folder("checkpoint") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    # Thread ids come back in the next container, so a draft that a kill left behind is overwritten, not collected.
    draft = path.with_name(f".{path.name}.{threading.get_native_id()}.tmp")
    try:
        with draft.open("wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    _sync_directory(path.parent)
    return path


def load(name: str | os.PathLike[str]) -> bytes | None:
    """Read a file of `checkpoint_dir`; None if there is none, as in the first attempt."""
    try:
        return (_folder("checkpoint") / name).read_bytes()
    except FileNotFoundError:
        return None


def progress(percent: float, phase: str | None = None) -> None:
    """Report how far the work is, 0 to 100 (beyond is clamped), and in which phase (None: still the same).

    At most one line per 100 ms is written; the last value is kept and follows with a later call of `progress`,
    `checkpoint` or `should_stop`, or at exit. 100 is written at once. Tenths of a percent are kept.

    Raises:
        ValueError: ``percent`` is not a number.
    """
    if math.isnan(percent):
        raise ValueError("percent must be a number from 0 to 100")
    _progress.set(round(min(max(percent, 0), 100), 1), phase)


def warn(text: str) -> None:
    """Add a warning to the record of the execution; for what its user should read without opening the log."""
    _emit({"warning": text})


def result(value: Any) -> None:
    """Set the result in the record of the execution: any JSON value, the last call holds. Big things are `outputs`.

    Raises:
        ValueError: More than 256 KiB of JSON, or NaN, infinity, NUL or a lone surrogate in it.
        TypeError: Not a JSON value.
        OSError: It could not be written.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    if len(text) > _RESULT_LIMIT:
        raise ValueError(f"the result is {len(text)} bytes of JSON, the limit is {_RESULT_LIMIT}: write it to outputs")
    if b"\\u0000" in text:
        raise ValueError("the result holds NUL, which the record cannot keep")
    _append(b'{"result":' + text + b"}\n")


def deadline() -> float | None:
    """Return the present deadline in unix seconds, or None. It can move while the program runs."""
    for text in (_read("deadline"), os.environ.get("TAILRACE_DEADLINE")):
        with contextlib.suppress(TypeError, ValueError):
            return float(text)  # type: ignore[arg-type]  # None is a TypeError
    return None


def seconds_left() -> float | None:
    """Return the seconds until the present deadline, 0 when it has passed, or None when there is none."""
    until = deadline()
    return None if until is None else max(0.0, until - time.time())


def warned() -> bool:
    """Say whether the deadline is near: Tailrace warns ``limits.warn_before`` seconds ahead, if that was asked for.

    A good moment to save and to begin nothing long. It is taken back when the deadline moves away.
    """
    return not _local and (_mount / "warning").exists()


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """End the program quietly when `TerminationRequested` reaches the end of the block; also a decorator.

    The exit code is 85 if `checkpoint_dir` holds any file by then, whoever wrote it and in whichever attempt: a
    program stopped before its first save of this attempt still has the checkpoint that it came from. With an empty
    `checkpoint_dir` there is nothing to go on from: the code is 143 and one line on stderr says so. Saving is the
    program's part: after every step, or in its own ``except TerminationRequested: save(...); raise``.
    """
    try:
        yield
    except TerminationRequested as stop:
        if _has_checkpoint():
            exit_saved()
        sys.stderr.write(f"tailrace_job: {stop}; no checkpoint was saved\n")
        raise SystemExit(_EXIT_UNSAVED) from None


def exit_saved() -> NoReturn:
    """End the program (in the main thread) with 85, "saved a checkpoint and stopped"; unasked, it is a failure."""
    _stop.cooperate()
    raise SystemExit(EXIT_SAVED) from None


def exit_canceled() -> NoReturn:
    """End the program (in the main thread) with 86, "canceled on purpose"."""
    _stop.cooperate()
    raise SystemExit(EXIT_CANCELED) from None


def __getattr__(name: str) -> Path:
    """Make `outputs` and `checkpoint_dir`; on a laptop the directories appear on first use, not on import."""
    if name == "outputs":
        return _folder("outputs")
    if name == "checkpoint_dir":
        return _folder("checkpoint")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Inputs(Mapping[str, Any]):
    """The inputs of the execution, read from ``inputs.json`` when first looked at."""

    _values: dict[str, Any] | None = None

    def _read(self) -> dict[str, Any]:
        if self._values is None:
            self._values = json.loads(_read("inputs.json") or "{}")
        return self._values

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"inputs({self._read()!r})"


class _Notice(NamedTuple):
    reason: str
    by: str | None = None
    deadline: float | None = None


class _Stop:
    """Whether a stop is asked: the ``stop`` file as it is now (it can be withdrawn), or a signal since the start."""

    def __init__(self) -> None:
        self._seen: _Notice | None = None
        self._signaled: _Notice | None = None
        self._next_look = -math.inf
        self._announced = self._listening = False

    def notice(self) -> _Notice | None:
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_EVERY
            self.cooperate()
            _progress.flush_if_due()
            self._seen = _read_stop() or self._signaled
        return self._seen

    def cooperate(self) -> None:
        if not self._announced:
            self._announced = True
            _emit({"checkpoints": True})
        if not self._listening and threading.current_thread() is threading.main_thread():
            self._listening = True
            if not _in_pool():
                _replace_handler(signal.SIGTERM, signal.SIG_DFL, self._on_signal)
                _replace_handler(signal.SIGINT, signal.default_int_handler, self._on_signal)

    def restore_handlers(self) -> None:
        """Undo it in a forked child: whoever forked it, a process pool say, ends it by SIGTERM."""
        _replace_handler(signal.SIGTERM, self._on_signal, signal.SIG_DFL)
        _replace_handler(signal.SIGINT, self._on_signal, signal.default_int_handler)

    def _on_signal(self, number: int, _frame: object) -> None:
        self._signaled = _Notice(signal.Signals(number).name)
        self._next_look = -math.inf
        if _local and number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C interrupts


class _Progress:
    """The last progress and what of it has been written."""

    def __init__(self) -> None:
        self._latest: tuple[float, str | None] | None = None
        self._written: tuple[float, str | None] | None = None
        self._next_write = -math.inf

    def set(self, percent: float, phase: str | None) -> None:
        if self._latest is None:
            atexit.register(self._flush)
        elif phase is None:
            phase = self._latest[1]
        self._latest = (percent, phase)
        if percent == 100 and (self._written is None or self._written[0] != 100):
            self._flush()
        else:
            self.flush_if_due()

    def flush_if_due(self) -> None:
        if time.monotonic() >= self._next_write:
            self._flush()

    def _flush(self) -> None:
        if self._latest is None or self._latest == self._written:
            return
        percent, phase = self._written = self._latest
        self._next_write = time.monotonic() + _PROGRESS_EVERY
        _emit({"progress": percent} if phase is None else {"progress": percent, "phase": phase})


def _emit(event: dict[str, Any]) -> None:
    """Append an event that the program can do without: one that cannot be written is dropped."""
    with contextlib.suppress(OSError):
        _append(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n")


def _append(line: bytes) -> None:
    """Append one line by one ``write``, so that lines of several threads and processes do not mix."""
    if _local:
        return
    events = os.open(_mount / "events", os.O_WRONLY | os.O_APPEND)
    try:
        if os.write(events, line) != len(line):
            raise OSError("an event was cut short")
    finally:
        os.close(events)


def _replace_handler(number: int, old: Any, new: Any) -> None:
    if signal.getsignal(number) == old:
        signal.signal(number, new)


def _in_pool() -> bool:
    multiprocessing = sys.modules.get("multiprocessing.process")
    return multiprocessing is not None and multiprocessing.parent_process() is not None


def _read_stop() -> _Notice | None:
    if _local:
        return None
    try:
        stop = json.loads((_mount / "stop").read_bytes())
        return _Notice(stop.get("reason") or "stop", stop.get("by"), stop.get("deadline"))
    except (PermissionError, ValueError, AttributeError):  # whatever it holds, it is there
        return _Notice("stop")
    except OSError:
        return None


def _read(name: str) -> str | None:
    try:
        return (_base / name).read_text("utf-8")
    except OSError:
        return None


def _folder(name: str) -> Path:
    path = _base / name
    path.mkdir(exist_ok=True)
    return path


def _has_checkpoint() -> bool:
    drafts = (".", ".tmp")
    files = (path for path in _folder("checkpoint").rglob("*") if path.is_file())
    return any((path.name[0], path.suffix) != drafts for path in files)


def _sync_directory(path: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):  # elsewhere a directory cannot be opened
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


inputs = _Inputs()
"""The inputs of the execution, by name. Read when they are first looked at."""
_stop = _Stop()
_progress = _Progress()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stop.restore_handlers)
