"""The log of one execution: its lines, and those of them that a reader asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from tailrace._document import moment
from tailrace.testing.problems import Wrong, invalid

LETTERS = {"stdout": "o", "stderr": "e", "system": "s"}
LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
_LEVEL = re.compile(r"\b(trace|debug|info|warn(?:ing)?|error|fatal|critical)\b", re.IGNORECASE)
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_TAIL = ("after", "tail", "since", "streams", "grep", "ignore_case", "invert", "level", "ansi")
_READ = (*_TAIL, "before", "until", "limit", "format", "timestamps", "download", "compress", "follow")
FORMATS = ("text", "ndjson", "raw")


class LogLine(NamedTuple):
    """A record of the log."""

    seq: int
    ms: int
    stream: str
    text: str

    @property
    def at(self) -> str:
        """RFC 3339."""
        return datetime.fromtimestamp(self.ms / 1000, timezone.utc).isoformat(timespec="milliseconds")


class LogQuery:
    """Which lines. Raises `Problem` naming every parameter that is wrong."""

    def __init__(self, query: Mapping[str, list[str]], now: float, *, reading: bool) -> None:
        wrong: list[Wrong] = []
        known = _READ if reading else _TAIL
        wrong += [Wrong(name, "extra_forbidden", "is not a known field") for name in query if name not in known]
        said = {name: values[-1] for name, values in query.items() if name in known and any(values)}
        self.after = _number(said, "after", 0, wrong) or 0
        self.before = _number(said, "before", 1, wrong)
        self.tail = _number(said, "tail", 0, wrong)
        self.limit = _number(said, "limit", 1, wrong)
        self.since, self.until = _moment(said, "since", now, wrong), _moment(said, "until", now, wrong)
        streams = ",".join(query.get("streams", [])) or ("stdout,stderr" if reading else ",".join(LETTERS))
        self.streams = {name.strip() for name in streams.split(",")}
        if not self.streams <= LETTERS.keys():
            message = "must be any of stdout, stderr and system, separated by commas"
            wrong.append(Wrong("streams", "value_error", message))
        self.level = said.get("level")
        if self.level is not None and self.level not in LEVELS:
            wrong.append(Wrong("level", "value_error", f"must be one of {', '.join(LEVELS)}"))
        self.invert, self.strips = said.get("invert") == "true", said.get("ansi") == "strip"
        self.format = said.get("format", "text")
        if self.format not in FORMATS:
            wrong.append(Wrong("format", "enum", "must be 'text', 'ndjson' or 'raw' with the fake server"))
        self._levels: dict[str, str] = {}
        self.timestamps = said.get("timestamps") == "true"
        self.pattern = None
        try:
            if "grep" in said:
                self.pattern = re.compile(said["grep"], re.IGNORECASE if said.get("ignore_case") == "true" else 0)
        except re.error as error:
            wrong.append(Wrong("grep", "value_error", f"is no regular expression: {error}"))
        if wrong:
            raise invalid(wrong)

    def chosen(self, lines: list[LogLine]) -> list[LogLine]:
        """Those that are asked for, but for `tail` and `limit`. Asked again it goes on behind them."""
        chosen = []
        for line in lines:
            if self.level is not None and (found := _LEVEL.search(line.text)):
                word = found[0].lower()
                self._levels[line.stream] = {"warning": "warn", "critical": "fatal"}.get(word, word)
            is_between = self.after < line.seq and (self.before is None or line.seq < self.before)
            if is_between and self._takes(line, self._levels.get(line.stream, "info")):
                chosen.append(line._replace(text=_ANSI.sub("", line.text)) if self.strips else line)
        return chosen

    def start(self, lines: list[LogLine]) -> int:
        """The seq behind which a reader begins who follows: nothing before it is asked for."""
        if self.tail is None and self.since is None:
            return self.after
        chosen = self.chosen(lines)
        self._levels.clear()
        if self.tail is not None:
            chosen = chosen[max(0, len(chosen) - self.tail) :]
        last = lines[-1].seq if lines else 0
        return max(self.after, chosen[0].seq - 1 if chosen else last)

    def _takes(self, line: LogLine, level: str) -> bool:
        return (
            line.stream in self.streams
            and (self.level is None or LEVELS.index(level) >= LEVELS.index(self.level))
            and (self.since is None or line.ms >= self.since * 1000)
            and (self.until is None or line.ms < self.until * 1000)
            and (self.pattern is None or (self.pattern.search(_ANSI.sub("", line.text)) is None) is self.invert)
        )

    def written(self, lines: list[LogLine]) -> bytes:
        """The answer as a body."""
        every = self.chosen(lines)
        last = every if self.tail is None else every[max(0, len(every) - self.tail) :]
        shown = last[: self.limit]
        if self.format != "ndjson":
            stamp = self.timestamps and self.format == "text"
            return "".join(f"{line.at + ' ' if stamp else ''}{line.text}\n" for line in shown).encode()
        items: list[dict[str, Any]] = [
            {"seq": line.seq, "at": line.at, "stream": line.stream, "text": line.text} for line in shown
        ]
        if len(shown) < len(last):
            items.append({"type": "more", "after": shown[-1].seq, "reason": "limit"})
        return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items).encode()


def frames_of(lines: list[LogLine]) -> Iterator[dict[str, Any]]:
    """As the WebSocket has them: consecutive lines together."""
    frame: dict[str, Any] | None = None
    for line in lines:
        item = [line.ms, LETTERS[line.stream], line.text]
        if frame is not None and line.seq == frame["first"] + len(frame["lines"]):
            frame["lines"].append(item)
            continue
        if frame is not None:
            yield frame
        frame = {"type": "lines", "first": line.seq, "lines": [item]}
    if frame is not None:
        yield frame


def _number(said: Mapping[str, str], name: str, least: int, wrong: list[Wrong]) -> int | None:
    if name not in said:
        return None
    if not re.fullmatch(r"-?\d+", said[name]):
        wrong.append(Wrong(name, "int_parsing", "must be a whole number"))
        return None
    if int(said[name]) < least:
        wrong.append(Wrong(name, "greater_than_equal", f"must be at least {least}"))
    return int(said[name])


def _moment(said: Mapping[str, str], name: str, now: float, wrong: list[Wrong]) -> float | None:
    value = said.get(name)
    if value is None:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    if re.fullmatch(f"(?:{_PART.pattern})+", value):
        return now - sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(value))
    try:
        at = moment(re.sub(r" (\d\d:\d\d)$", r"+\1", value))
    except ValueError:
        message = "must be a time (RFC 3339, or unix seconds), or a duration back from now, as `10m`"
        wrong.append(Wrong(name, "value_error", message))
        return None
    return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).timestamp()
