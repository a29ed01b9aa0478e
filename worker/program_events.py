"""What a program says in its `events` file: announcements, progress, warnings, a result. The file is hostile."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from worker.workspace import open_hostile

# Little enough that tens of thousands of tiny lines hold up nobody.
READ_BYTES = 32 * 1024
LINE_BYTES = 320 * 1024
RESULT_BYTES = 256 * 1024
WARNING_LENGTH = 1000
MAX_WARNINGS = 100
PHASE_LENGTH = 200
HIDDEN = "***"
# As JSON escapes it; behind an even number of backslashes, or it is a backslash and then some text.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


@dataclass(slots=True)
class Said:
    """What was said since the last look; later progress and results replace earlier ones."""

    announced: bool = False
    percent: int | None = None
    phase: str | None = None
    progressed: bool = False
    has_result: bool = False
    result: Any = None
    warnings: list[str] | None = None
    more: bool = False

    def warn(self, text: str) -> None:
        """Note a warning."""
        self.warnings = [*(self.warnings or []), text[:WARNING_LENGTH]]

    def __bool__(self) -> bool:
        return self.announced or self.progressed or self.has_result or bool(self.warnings)


def without_secrets(said: Said, hide: Callable[[str], str]) -> Said:
    """The same, with every text as `hide` shows it."""
    result: Any = said.result
    if said.has_result:
        # As it will be kept: a secret may be a number, or be all over it.
        encoded = orjson.dumps(result).decode()
        hidden = hide(encoded)
        try:
            result = result if hidden == encoded else orjson.loads(hidden)
        except orjson.JSONDecodeError:
            result = HIDDEN
    return replace(
        said,
        phase=None if said.phase is None else hide(said.phase),
        result=result,
        warnings=None if said.warnings is None else [hide(warning) for warning in said.warnings],
    )


@dataclass(frozen=True, slots=True)
class Heard:
    """How far a file was heard: bytes and lines."""

    offset: int
    lines: int


NOTHING_HEARD = Heard(0, 0)


class EventsFile:
    """Reads the file as it grows. Opened once, at the start, so that it stays the file that we made."""

    def __init__(self, path: Path, heard: Heard = NOTHING_HEARD) -> None:
        """Go on behind what was heard. Raises `OSError` when it is not a regular file."""
        self._fd = open_hostile(str(path))
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise OSError(f"{path} is not a regular file")
        self._offset = heard.offset
        self._line = heard.lines
        self._rest = b""
        self._skipping = False
        self._warned = 0

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    @property
    def heard(self) -> Heard:
        """Up to the last whole line."""
        return Heard(self._offset - len(self._rest), self._line)

    def read(self, said: Said | None = None) -> Said:
        """What is new, added to what was `said` before. At most `READ_BYTES` at a time, so that a flood costs a program
        only its own events.
        """
        said = said or Said()
        data = os.pread(self._fd, READ_BYTES, self._offset)
        said.more = len(data) == READ_BYTES
        self._offset += len(data)
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LINE_BYTES:
            self._rest = b""
            self._skipping = True
        for line in lines:
            self._line += 1
            if self._skipping or len(line) > LINE_BYTES:
                self._skipping = False
                self._complain(said, f"line {self._line} of events is too long")
            elif line.strip():
                self._hear(said, line)
        return said

    def _hear(self, said: Said, line: bytes) -> None:
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            self._complain(said, f"line {self._line} of events is not JSON")
            return
        if not isinstance(event, dict):
            self._complain(said, f"line {self._line} of events is not a JSON object")
            return
        if event.get("checkpoints") is True:
            said.announced = True
        if "progress" in event:
            self._hear_progress(said, event)
        if "warning" in event:
            warning = event["warning"]
            if isinstance(warning, str):
                self._complain(said, warning.replace("\x00", "�"))
            else:
                self._complain(said, f"the warning in line {self._line} of events is not text")
        if "result" in event:
            if _can_be_kept(event["result"]):
                said.has_result, said.result = True, event["result"]
            else:
                why = "is over 256 KiB, holds NUL or is nested too deeply"
                self._complain(said, f"the result in line {self._line} of events {why}")

    def _hear_progress(self, said: Said, event: dict[str, Any]) -> None:
        percent = event["progress"]
        if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 <= percent <= 100:
            self._complain(said, f"the progress in line {self._line} of events is not a number from 0 to 100")
            return
        said.progressed = True
        said.percent = int(percent)
        phase = event.get("phase")
        if isinstance(phase, str):
            said.phase = phase.replace("\x00", "�")[:PHASE_LENGTH]

    def _complain(self, said: Said, text: str) -> None:
        if self._warned < MAX_WARNINGS:
            said.warn(text)
        elif self._warned == MAX_WARNINGS:
            said.warn("there were more warnings; they are not kept")
        self._warned += 1


def _can_be_kept(result: Any) -> bool:
    try:
        encoded = orjson.dumps(result)
    except orjson.JSONEncodeError:  # what can be read may be nested more deeply than what can be written
        return False
    return len(encoded) <= RESULT_BYTES and not _NUL.search(encoded)
