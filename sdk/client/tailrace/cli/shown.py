"""How times, sizes, ids and statuses are written for people. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timezone
from typing import Any

NOTHING = "–"
ACTIVE = ("queued", "preparing", "running", "paused", "stopping")
STYLES = {
    "queued": "yellow", "preparing": "cyan", "running": "cyan", "paused": "magenta", "stopping": "magenta",
    "succeeded": "green", "failed": "red", "timed_out": "red", "crashed": "bold red", "canceled": "yellow",
    "active": "green", "draining": "yellow", "lost": "red", "gone": "dim", "published": "green", "draft": "yellow",
    "retired": "dim", "fired": "green", "skipped": "yellow",
}  # fmt: skip
# Escape sequences and the like in names would be obeyed by a terminal.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Where the parts of a UUID end: of those made in the same millisecond the first two are alike. The children of a batch
# are made at once, and differ where they are counted, in the middle of the last part.
_LENGTHS = (13, 18, 23, 28, 36)
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def plain(value: Any) -> str:
    """Text of somebody else's, in one line and without anything that a terminal obeys."""
    return NOTHING if value is None or value == "" else _CONTROL.sub("�", str(value))


def moment(text: str) -> datetime:
    """RFC 3339, which Python 3.10 does not read by itself."""
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


def local(text: str | None) -> str:
    """A time where the reader is, to the second."""
    return NOTHING if text is None else moment(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ago(text: str | None, now: datetime | None = None) -> str:
    """How long ago that was, or in how long it will be: `3m`, `in 2h`."""
    if text is None:
        return NOTHING
    passed = ((now or datetime.now(timezone.utc)) - moment(text)).total_seconds()
    return f"in {rough(-passed)}" if passed < -1 else rough(max(0.0, passed))


def rough(seconds: float) -> str:
    """A duration by its largest unit: `5s`, `3m`, `2h`, `4d`."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length * (2 if unit == "m" else 1.5):
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:.0f}s"


def lasting(seconds: float | None) -> str:
    """A duration in full: `4.2 s`, `3:07`, `2:03:07`."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def spelled(seconds: int) -> str:
    """A duration exactly, in words: `45 s`, `6 h`, `1 h 30 min`."""
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def size(count: float | None) -> str:
    """Bytes: `512 B`, `1.5 MiB`."""
    if count is None:
        return NOTHING
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"


def short(ids: Collection[str]) -> int:
    """How many characters of these ids tell them apart."""
    return next((length for length in _LENGTHS if len({text[:length] for text in ids}) == len(set(ids))), _LENGTHS[-1])


def command(words: list[str] | None) -> str:
    """A command in one line, as a shell would take it."""
    import shlex

    return NOTHING if words is None else plain(shlex.join(words))


def pairs(values: dict[str, Any] | None) -> str:
    """Labels and the like in one line."""
    return ", ".join(f"{plain(key)}={plain(value)}" for key, value in values.items()) if values else NOTHING
