"""What clients ask of all executions: filters, as query parameters and as JSON, and the pages of the list."""

from __future__ import annotations

import base64
import binascii
import re
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StrictBool,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import override

from app.executions.filters import Filter
from app.executions.listing import Place, Sort
from app.executions.record import Record
from app.executions.states import Cause, Status
from app.executions.vocabulary import IMAGE_CHARS, LABELS, LabelKey, LabelValue, Name, Note, written_out
from app.methods.model import MethodText

MAX_PAGE = 200
MAX_CHOICES = 100
MAX_SECONDS = 10**9
FIRST_YEAR, LAST_YEAR = 1970, 2999
_PAIR = re.compile(r"((?:\\[=\\]|[^=])*)(?:=(.*))?", re.DOTALL)
_UNESCAPED_OFFSET = re.compile(r" (?=\d\d:\d\d$)")


class Shelf(StrEnum):
    """Which executions, as to the archive."""

    FALSE = "false"
    TRUE = "true"
    ANY = "any"

    @property
    def wanted(self) -> bool | None:
        """Whether they are to be archived; None: as they like."""
        return {Shelf.FALSE: False, Shelf.TRUE: True, Shelf.ANY: None}[self]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _with_offset(value: object) -> object:
    # A `+` in a URL that nobody escaped comes as a space.
    return written_out(_UNESCAPED_OFFSET.sub("+", value) if isinstance(value, str) else value)


def _near(value: datetime) -> datetime:
    # At the ends of the calendar there is no hour before or behind, and no other time zone.
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise PydanticCustomError(
            "out_of_range", "must be in the years {first} to {last}", {"first": FIRST_YEAR, "last": LAST_YEAR}
        )
    return value


def _label_of(pair: str) -> tuple[str, str | None]:
    r"""Key and value, if there is one. `\=` in a key is a `=` of its own, and `\\` a backslash."""
    key, value = _PAIR.fullmatch(pair).groups()  # type: ignore[union-attr]  # everything is one
    return re.sub(r"\\([=\\])", r"\1", key), value


def _labels_of(pairs: list[str]) -> list[str]:
    keys = [_label_of(pair)[0] for pair in pairs]
    if "" in keys:
        raise PydanticCustomError("not_a_pair", "must be written `key=value`, or `key` for those that have one")
    if len(set(keys)) < len(keys):
        raise PydanticCustomError("same_key", "must name each key once: no execution has two values of one")
    return pairs


Words = Annotated[Name, StringConstraints(min_length=1)]
Choice = Annotated[list[Words], Field(max_length=MAX_CHOICES), BeforeValidator(_listed)]
Time = Annotated[AwareDatetime, BeforeValidator(_with_offset), AfterValidator(_near)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]
ImagePattern = Annotated[Note, StringConstraints(min_length=1, max_length=IMAGE_CHARS + 1)]


class Filters(BaseModel):
    """Filters; all must hold. Of a list any member will do."""

    model_config = ConfigDict(extra="forbid")

    status: Annotated[list[Status], BeforeValidator(_listed)] = Field(default=[], description="Any of these statuses")
    cause: Annotated[list[Cause], BeforeValidator(_listed)] = Field(default=[], description="Ended for any of these")
    owner: Choice = Field(default=[], description="Whose; without the scope `admin` only your own")
    pool: Choice = Field(default=[], description="In any of these pools")
    method: Annotated[list[MethodText], Field(max_length=MAX_CHOICES), BeforeValidator(_listed)] = Field(
        default=[], description="Of any of these methods: `name` in any version, or `name@1.2.0`"
    )
    source: Choice = Field(default=[], description="Where it came from, such as `api`")
    q: Words | None = Field(
        default=None,
        description="Every word of it must begin a word of the name, the note or the labels; or it begins the id",
    )
    image: ImagePattern | None = Field(default=None, description="This image; with `*` at its end those that begin so")
    batch: UUID | None = Field(default=None, description="Children of this batch")
    rerun_of: UUID | None = Field(default=None, description="Run again from this execution")
    resumed_from: UUID | None = Field(default=None, description="Went on from this execution's checkpoint")
    schedule: UUID | None = Field(default=None, description="Submitted by this schedule")
    created_after: Time | None = Field(default=None, description="Submitted then or later")
    created_before: Time | None = Field(default=None, description="Submitted earlier")
    finished_after: Time | None = Field(default=None, description="Ended then or later")
    finished_before: Time | None = Field(default=None, description="Ended earlier")
    min_duration: Seconds | None = Field(default=None, description="Ran, or has been running, so many seconds or more")
    max_duration: Seconds | None = Field(default=None, description="Ran, or has been running, so many seconds or less")
    has_warnings: bool | None = Field(default=None, description="Whether there is anything in `warnings`")
    archived: Shelf = Field(default=Shelf.FALSE, description="Those in the archive too (`any`), or only (`true`)")

    def filter(self) -> Filter:
        """The same for whoever looks for them."""
        same = {name: getattr(self, name) for name in Filter.__slots__ if name in type(self).model_fields}
        return Filter(
            **same
            | {
                "statuses": frozenset(self.status),
                "causes": frozenset(self.cause),
                "owners": frozenset(self.owner),
                "pools": frozenset(self.pool),
                "sources": frozenset(self.source),
                "methods": frozenset(self.method),
                "labels": self._labels(),
                "archived": self.archived.wanted,
            }
        )

    @abstractmethod
    def _labels(self) -> Mapping[str, str | None]: ...


class FilterBody(Filters):
    """The filters of the list as JSON: `{"status": ["queued"], "label": {"team": "a"}}`."""

    label: Annotated[dict[LabelKey, LabelValue | None], Field(max_length=LABELS)] = Field(
        default={}, description="Labels that it has; null is any value"
    )
    # In JSON there is no need to guess what `0` or `"5"` means.
    min_duration: Annotated[Seconds, Strict()] | None = Field(default=None, description="Ran so many seconds or more")
    max_duration: Annotated[Seconds, Strict()] | None = Field(default=None, description="Ran so many seconds or less")
    has_warnings: StrictBool | None = Field(default=None, description="Whether there is anything in `warnings`")

    @property
    def is_empty(self) -> bool:
        """Whether it takes everything."""
        return self.filter() == Filter(archived=self.archived.wanted)

    @override
    def _labels(self) -> Mapping[str, str | None]:
        return self.label


class ListQuery(Filters):
    """Filters of the list; all must hold. Repeat a parameter for several."""

    label: Annotated[list[Note], Field(max_length=LABELS), AfterValidator(_labels_of)] = Field(
        default=[],
        description="`key=value`, or `key` for any value; all of several must match. A `=` in a key is written `\\=`",
    )
    sort: Sort = Field(
        default=Sort.CREATED_LAST,
        description="By what, `-` for the largest or latest first. By `finished` are listed those that have ended, by "
        "`duration` those that have run and ended",
    )
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: str | None = Field(default=None, description="The `next` of the page before; filters and sort as there")

    @model_validator(mode="after")
    def _check_cursor(self) -> Self:
        if self.cursor is not None:
            _decode(self.cursor, self._asked, self.sort)
        return self

    @property
    def after(self) -> Place | None:
        """Where the page before ended."""
        return None if self.cursor is None else _decode(self.cursor, self._asked, self.sort)

    def cursor_behind(self, last: Record) -> str:
        """Where the next page begins."""
        return self.cursor_at(Place.of(last, self.sort))

    def cursor_at(self, place: Place) -> str:
        """The place as clients have it: opaque, and only good for these filters and this sort."""
        key = place.key.total_seconds() if isinstance(place.key, timedelta) else place.key
        return base64.urlsafe_b64encode(orjson.dumps([self._asked, key, str(place.id)])).decode().rstrip("=")

    @property
    def _asked(self) -> str:
        return f"{self.sort}:{self.filter().digest}"

    @override
    def _labels(self) -> Mapping[str, str | None]:
        return dict(map(_label_of, self.label))


def _decode(cursor: str, asked: str, sort: Sort) -> Place:
    try:
        made_for, key, last = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        place = Place(_key_of(key, sort), UUID(last)) if made_for == asked else None
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error):
        raise _wrong("bad_cursor", "is not a cursor of this list: use the `next` of a page, unchanged") from None
    if place is None:
        raise _wrong("other_cursor", "is of a list with other filters or another sort: begin anew without it")
    return place


def _key_of(key: Any, sort: Sort) -> datetime | timedelta | None:
    match sort:
        case Sort.CREATED | Sort.CREATED_LAST:
            return None
        case Sort.FINISHED | Sort.FINISHED_LAST:
            return datetime.fromisoformat(key).astimezone(UTC)
        case Sort.DURATION | Sort.DURATION_LAST:
            return timedelta(seconds=key)


def _wrong(code: str, message: str) -> PydanticCustomError:
    return PydanticCustomError(code, message, {"at": "cursor"})
