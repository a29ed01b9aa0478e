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
    """A record of the log: a line, or a piece of one that goes on (`continues`) in the next of its stream.

    `seq` is its number in the whole log; `stream` is `stdout`, `stderr`, `system` or `gap`.
    """

    seq: int
    at: datetime | None
    stream: str
    text: str
    continues: bool = False

    @property
    def end(self) -> str:
        """What follows it: `print(line.text, end=line.end)`."""
        return "" if self.continues else "\n"

    @override
    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Gap(Line):
    """Lines `first` to `last` are not kept. Its `text` says so, and its `stream` is `gap`."""

    first: int = 0
    last: int = 0
    reason: str = ""


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
