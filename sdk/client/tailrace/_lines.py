"""Lines of a log, and what stands where some are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from typing_extensions import override

from tailrace._document import moment

STREAMS = {"o": "stdout", "e": "stderr", "s": "system"}


@dataclass(frozen=True)
class Line:
    """A record of the log: a line, or a piece of a long one. As a string it is its text."""

    seq: int
    """Its number in the whole log, from 1. `handle.logs(after=seq)` goes on behind it."""
    at: datetime | None
    """When it was written, by the server's clock; a gap has none."""
    stream: str
    """`stdout`, `stderr`, `system` (what Tailrace tells), or `gap`."""
    text: str
    """Without the line break."""
    continues: bool = False
    """Whether the line goes on in the next of its stream."""

    @property
    def end(self) -> str:
        """What follows it: `print(line.text, end=line.end)`."""
        return "" if self.continues else "\n"

    @override
    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Gap(Line):
    """Stands for lines that are not kept. Its `text` says so, and its `stream` is `gap`."""

    first: int = 0
    """The `seq` of the first that is missing."""
    last: int = 0
    """The `seq` of the last."""
    reason: str = ""
    """Why, in a word, such as `expired`."""


def gap(item: Mapping[str, Any]) -> Gap:
    """From `{"type": "gap", …}`, which frames and NDJSON have in common."""
    first, last, reason = int(item["from"]), int(item["to"]), str(item.get("reason") or "unknown")
    count = last - first + 1
    sentence = f"[{count} {'line is' if count == 1 else 'lines are'} not kept: {reason}]"
    return Gap(last, None, "gap", sentence, first=first, last=last, reason=reason)


def lines_of_frame(frame: Mapping[str, Any]) -> list[Line]:
    """From `{"type": "lines", …}`."""
    first = int(frame["first"])
    return [
        Line(
            first + index,
            datetime.fromtimestamp(at / 1000, timezone.utc),
            STREAMS.get(letter, letter),
            content,
            bool(more),
        )
        for index, (at, letter, content, *more) in enumerate(frame["lines"])
    ]


def line_of_ndjson(item: Mapping[str, Any]) -> Line:
    """From `{"seq": …, "at": …, "stream": …, "text": …}`."""
    return Line(
        int(item["seq"]), moment(item["at"]), str(item["stream"]), str(item["text"]), bool(item.get("continues"))
    )
