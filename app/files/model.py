"""What an uploaded file is, and where an execution takes its input files from. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_serializer
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from typing_extensions import override

# How a source may say where its bytes are.
KINDS = ("id", "text", "base64", "url")


class FileSource(BaseModel):
    """Where the bytes of an input file are: exactly one of `id`, `text`, `base64` and `url`."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"id": "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"}, {"text": "a,b\n1,2\n"}]},
    )

    id: UUID | None = Field(default=None, description="An uploaded file: `POST /v1/files`")
    text: str | None = Field(default=None, description="The file itself, as UTF-8")
    base64: str | None = Field(default=None, description="The file itself, base64")
    url: str | None = Field(default=None, description="Fetched when the execution is prepared, where that is allowed")
    sha256: str | None = Field(default=None, description="Of what `url` gives; it must be this, in hexadecimal")

    @model_serializer(mode="plain")
    def _given(self) -> dict[str, str]:
        return {name: str(value) for name in type(self).model_fields if (value := getattr(self, name)) is not None}

    @classmethod
    @override
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # What is left out when it is written may be left out when it is read: for both it is one schema.
        read: Any = {name: part for name, part in core_schema.items() if name != "serialization"}
        return handler(read)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of the ways to say where its bytes are, those that are used."""
        return tuple(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def content(self) -> bytes | None:
        """Its bytes, if they are in here. Raises `ValueError` if they are no base64."""
        if self.text is not None:
            return self.text.encode()
        return base64.b64decode(self.base64, validate=True) if self.base64 is not None else None


# By the path below `/tailrace/inputs/`.
Sources = Mapping[str, FileSource]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One uploaded file. Immutable, so that whoever refers to it always gets the same bytes."""

    id: UUID
    owner: str
    name: str
    media_type: str
    bytes: int
    sha256: str
    labels: Mapping[str, Any]
    created_at: datetime

    @property
    def key(self) -> str:
        """Where its bytes lie in the store."""
        return key_of(self.id)


def prefix_of(file: UUID) -> str:
    """What the keys of all that belongs to a file begin with."""
    return f"files/{file}"


def key_of(file: UUID) -> str:
    """Where the bytes of a file lie in the store."""
    return f"{prefix_of(file)}/bytes"


def ids_of(sources: Sources) -> dict[str, UUID]:
    """The uploaded files among these, by path."""
    return {path: source.id for path, source in sources.items() if source.id is not None}
