"""What clients ask of outputs: the pages of their list, and which of them they want as a zip."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Self

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from app.executions.query import MAX_PAGE

CURSOR_CHARS = 4096
# As much as an address has room for.
ZIPPED_PATHS = 1000
_LAST_ATTEMPT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: behind this path, among the outputs of this attempt, also should a later one leave some."""

    attempt: int
    path: str

    @classmethod
    def read(cls, cursor: str) -> Self:
        """From a cursor. Raises `ValueError`."""
        try:
            attempt, path = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        except (TypeError, binascii.Error) as error:
            raise ValueError(cursor) from error
        if type(attempt) is not int or not 0 <= attempt <= _LAST_ATTEMPT or type(path) is not str or "\0" in path:
            raise ValueError(cursor)
        return cls(attempt, path)

    @property
    def cursor(self) -> str:
        """The same as clients have it: opaque."""
        return base64.urlsafe_b64encode(orjson.dumps([self.attempt, self.path])).decode().rstrip("=")


def _good(cursor: str) -> str:
    try:
        Place.read(cursor)
    except ValueError:
        why = "is not a cursor of this list: use the `next` of a page, unchanged"
        raise PydanticCustomError("bad_cursor", why) from None
    return cursor


class OutputQuery(BaseModel):
    """Which page of the list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=MAX_PAGE, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: Annotated[str, Field(max_length=CURSOR_CHARS), AfterValidator(_good)] | None = Field(
        default=None, description="The `next` of the page before"
    )

    @property
    def after(self) -> Place | None:
        """Where the page before ended."""
        return None if self.cursor is None else Place.read(self.cursor)


class ZipQuery(BaseModel):
    """Which of them."""

    model_config = ConfigDict(extra="forbid")

    path: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=CURSOR_CHARS)]], Field(max_length=ZIPPED_PATHS)
    ] = Field(default=[], description="Only this file, or with a `/` at its end all below this directory; repeat it")

    def takes(self, path: str) -> bool:
        """Whether it is to be in the zip: all are, if none is named."""
        return not self.path or any(
            path == named or (named[-1] == "/" and path.startswith(named)) for named in self.path
        )
