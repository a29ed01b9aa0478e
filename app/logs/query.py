"""What readers may ask for, of the log over HTTP and over the WebSocket: one vocabulary, checked in one place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from starlette.datastructures import QueryParams
from typing_extensions import override

from app.explaining import explain
from app.logs.filters import Selection
from app.logs.grep import PATTERN_CHARS, Grep
from app.logs.levels import LEVEL_OF, Level
from app.logs.protocol import LogStream
from app.logs.view import LogFormat

MAX_SEQ = 2**62
# The year 9999, which is as far as times go.
MAX_SECONDS = 253_402_300_799
# Defaults as they would be written, for the API's document.
PROGRAM_STREAMS: Any = "stdout,stderr"
ALL_STREAMS: Any = ",".join(LogStream)

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_UNIX = re.compile(r"\d{1,12}(?:\.\d{1,9})?")
# A `+` in a URL is a space, unless it was written as %2B.
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:\d\d)$")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: seconds since 1970, or so many seconds `ago`."""

    seconds: float
    ago: bool

    def unix_ms(self, now: datetime) -> int:
        """As the log has it."""
        return round((now.timestamp() - self.seconds if self.ago else self.seconds) * 1000)


def _moment_of(value: object) -> object:
    if not isinstance(value, str):
        return value
    if _UNIX.fullmatch(value):
        return _within(float(value), ago=False)
    if _DURATION.fullmatch(value):
        return _within(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(value)), ago=True)
    try:
        at = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", value))
    except ValueError:
        raise ValueError("must be a time (RFC 3339, or unix seconds), or a duration back from now, as `10m`") from None
    # As all our times: UTC, unless it says otherwise.
    return Moment((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp(), ago=False)


def _within(seconds: float, *, ago: bool) -> Moment:
    if seconds > MAX_SECONDS:
        raise ValueError("is further away than times go")
    return Moment(seconds, ago)


def _streams_of(value: object) -> object:
    names = ",".join(filter(None, value)) if isinstance(value, list) else value
    if not isinstance(names, str):
        return value
    try:
        return frozenset(LogStream(name.strip()) for name in names.split(","))
    except ValueError:
        raise ValueError("must be any of stdout, stderr and system, separated by commas") from None


def is_left_out(value: object) -> bool:
    """Whether a parameter has no value, however often it is given."""
    return value == "" or (isinstance(value, list) and not any(value))


def _level_of(value: object) -> object:
    if not isinstance(value, str):
        return value
    if (level := LEVEL_OF.get(value.strip().lower())) is None:
        raise ValueError(f"must be one of {', '.join(level.name.lower() for level in Level)}")
    return level


def _readable(pattern: str | None) -> str | None:
    if pattern is not None:
        Grep(pattern)
    return pattern


class Ansi(StrEnum):
    """What to do with escape sequences."""

    KEEP = "keep"
    STRIP = "strip"


class Compression(StrEnum):
    """Of the file itself, not of its transfer."""

    GZIP = "gzip"


Seq = Annotated[int, Field(ge=0, le=MAX_SEQ)]
Streams = Annotated[
    frozenset[LogStream],
    BeforeValidator(_streams_of),
    WithJsonSchema({"type": "string", "examples": ["stdout,system"]}),
]
Time = Annotated[
    Moment,
    BeforeValidator(_moment_of),
    WithJsonSchema({"type": "string", "examples": ["2026-11-21T03:32:20Z", "1795231940.5", "2h30m"]}),
]
Pattern = Annotated[str, AfterValidator(_readable), WithJsonSchema({"type": "string", "maxLength": PATTERN_CHARS})]
MinimumLevel = Annotated[
    Level,
    BeforeValidator(_level_of),
    WithJsonSchema({"type": "string", "enum": [level.name.lower() for level in Level]}),
]


class TailQuery(BaseModel):
    """Which records: what the WebSocket takes. A parameter without a value counts as left out."""

    model_config = ConfigDict(extra="forbid")

    after: Seq = Field(default=0, description="Only records with a seq above this")
    tail: Seq | None = Field(default=None, description="Only the last so many records of those that are wanted")
    since: Time | None = Field(
        default=None, description="Not older than this: RFC 3339, unix seconds, or a duration back from now"
    )
    streams: Streams = Field(
        default=ALL_STREAMS, validate_default=True, description="Any of stdout, stderr, system; separated by commas"
    )
    grep: Pattern | None = Field(default=None, description="Only lines that match this regular expression (RE2)")
    ignore_case: bool = Field(default=False, description="`grep` takes capital and small letters for the same")
    invert: bool = Field(default=False, description="Only lines that `grep` does not match")
    level: MinimumLevel | None = Field(default=None, description="Only lines of this level or above")
    ansi: Ansi = Field(default=Ansi.KEEP, description="`strip` takes escape sequences out")

    @model_validator(mode="before")
    @classmethod
    def _left_out(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        known = cls.model_fields.keys()
        return {name: value for name, value in values.items() if name not in known or not is_left_out(value)}

    @classmethod
    def of(cls, parameters: QueryParams) -> TailQuery:
        """From a URL. Raises `InvalidRequest`, which names every field that is wrong."""
        streams = {"streams": parameters.getlist("streams")} if "streams" in parameters else {}
        try:
            return cls.model_validate({**parameters, **streams})
        except ValidationError as error:
            raise explain([{**item, "loc": ("query", *item["loc"])} for item in error.errors()]) from None

    def selection(self, now: datetime) -> Selection:
        """What is asked for, at this time; `tail` is not in it."""
        return Selection(
            letters=frozenset(stream.letter for stream in self.streams),
            after=self.after,
            since=None if self.since is None else self.since.unix_ms(now),
            grep=None if self.grep is None else Grep(self.grep, ignore_case=self.ignore_case),
            invert=self.invert,
            level=self.level,
            strip=self.ansi is Ansi.STRIP,
        )


class LogQuery(TailQuery):
    """Which records, and in which shape."""

    before: Annotated[int, Field(ge=1, le=MAX_SEQ)] | None = Field(
        default=None, description="Only records with a seq below this; with `tail`, the last ones of those"
    )
    until: Time | None = Field(default=None, description="Only what is older than this; as `since`")
    limit: Annotated[int, Field(ge=1, le=MAX_SEQ)] | None = Field(
        default=None, description="The answer ends after so many records"
    )
    streams: Streams = Field(
        default=PROGRAM_STREAMS, validate_default=True, description="Any of stdout, stderr, system; separated by commas"
    )
    format: LogFormat | None = Field(default=None, description="Overrides `Accept`")
    follow: bool = Field(default=False, description="Go on until the execution ends")
    timestamps: bool = Field(default=False, description="Plain text: each line begins with its time")
    download: bool = Field(default=False, description="As an attachment, with a name")
    compress: Compression | None = Field(default=None, description="As a gzip file")

    def resumed(self, after: int) -> LogQuery:
        """The rest, of who has had all up to `after`: what was counted back from the first request is behind them."""
        since = None if self.since is not None and self.since.ago else self.since
        return self.model_copy(update={"after": after, "tail": None, "since": since})

    @override
    def selection(self, now: datetime) -> Selection:
        return replace(
            super().selection(now),
            before=self.before,
            until=None if self.until is None else self.until.unix_ms(now),
            limit=self.limit,
        )


class ReaderHeaders(BaseModel):
    """What else a request says of the answer that it wants."""

    accept: str = Field(default="*/*", description="The shape, unless `format` is given")
    accept_encoding: str = Field(default="", description="With `gzip` the answer is compressed, unless it is followed")
    last_event_id: Seq | None = Field(default=None, description="As `after`; a browser's EventSource sends it")
