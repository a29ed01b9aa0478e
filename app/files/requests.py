"""What clients ask of uploaded files: queries, since the body is the file itself."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter
from pydantic_core import PydanticCustomError

from app.artifacts.sending import OPAQUE
from app.errors import UnsupportedMediaType
from app.executions.query import MAX_PAGE
from app.executions.vocabulary import LABELS, LabelKey, LabelValue
from app.executions.vocabulary import Name as SafeText
from app.files.service import NewFile

NAME_BYTES = 255
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
# What HTTP clients say when nobody told them what the file is.
_UNSAID = {"", OPAQUE, "application/x-www-form-urlencoded"}
_KEY = TypeAdapter(LabelKey)
_VALUE = TypeAdapter(LabelValue)


def file_name(value: str) -> str:
    """A name that is one safe part of a path."""
    if not value.isprintable() or "/" in value or value in {"", ".", ".."} or len(value.encode()) > NAME_BYTES:
        message = "must be a plain file name: printable, without `/`, and of at most 255 bytes"
        raise PydanticCustomError("bad_file_name", message)
    return value


def _pair(value: str) -> str:
    key, _, text = value.partition("=")
    _KEY.validate_python(key)
    _VALUE.validate_python(text)
    return value


def _pairs(values: list[str]) -> list[str]:
    keys = [value.partition("=")[0] for value in values]
    if len(set(keys)) < len(keys):
        raise PydanticCustomError("same_key", "must name each key once")
    return values


Pair = Annotated[str, AfterValidator(_pair)]
Pairs = Annotated[list[Pair], Field(max_length=LABELS), AfterValidator(_pairs)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class UploadQuery(BaseModel):
    """What the file is, beside its bytes."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, AfterValidator(file_name)] = Field(description="The file's name, without directories")
    label: Pairs = Field(default=[], description="`key=value`, for finding it again")
    sha256: Sha256 | None = Field(default=None, description="If given, what comes must have it, else it is not kept")

    def new(self, request: Request) -> NewFile:
        """The same for the service. Raises `UnsupportedMediaType` for a form, which is not the file itself."""
        said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if said.startswith("multipart/"):
            raise UnsupportedMediaType(
                "The body must be the file itself, not a form.",
                hint="With curl: `-X POST -T data.csv`, or `--data-binary @data.csv`, instead of `-F`.",
            )
        guessed = mimetypes.guess_type(self.name)[0] or OPAQUE
        size = request.headers.get("content-length", "")
        return NewFile(
            name=self.name,
            media_type=said if said not in _UNSAID and _MEDIA_TYPE.fullmatch(said) else guessed,
            labels=dict(pair.partition("=")[::2] for pair in self.label),
            size=int(size) if size.isdigit() else None,
            sha256=self.sha256,
        )


class FileListQuery(BaseModel):
    """Filters and pages of the list of files."""

    model_config = ConfigDict(extra="forbid")

    name: SafeText | None = Field(default=None, description="Files whose name begins so")
    label: Pairs = Field(default=[], description="`key=value`, or `key` for any value; all of several must match")
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: UUID | None = Field(default=None, description="The `next` of the page before")

    def labels(self) -> Mapping[str, str | None]:
        """By key; None is any value."""
        parts = (pair.partition("=") for pair in self.label)
        return {key: value if equals else None for key, equals, value in parts}
