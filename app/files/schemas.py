"""Uploaded files, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.files.model import FileRecord

_ID = "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"
EXAMPLE: dict[str, Any] = {
    "id": _ID,
    "owner": "ann",
    "name": "rows.csv",
    "media_type": "text/csv",
    "bytes": 1234,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "labels": {"team": "a"},
    "created_at": "2026-01-15T10:00:00Z",
    "links": {
        "self": f"/v1/files/{_ID}",
        "content": f"/v1/files/{_ID}/content",
        "preview": f"/v1/files/{_ID}/preview",
    },
}


class FileLinks(BaseModel):
    """Paths on this host."""

    self: str
    content: str
    preview: str


class FileView(BaseModel):
    """One uploaded file. It never changes."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: UUID
    owner: str
    name: str
    media_type: str = Field(description="As the upload said, else as guessed from its name; not always sent as such")
    bytes: int
    sha256: str
    labels: dict[str, str]
    created_at: datetime
    links: FileLinks

    @classmethod
    def of(cls, record: FileRecord) -> Self:
        """From the record."""
        own = f"/v1/files/{record.id}"
        same = {name: getattr(record, name) for name in FileRecord.__slots__}
        return cls(**same, links=FileLinks(self=own, content=f"{own}/content", preview=f"{own}/preview"))


class FileList(BaseModel):
    """One page of files."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [EXAMPLE], "next": None}]})

    items: list[FileView]
    next: UUID | None = Field(description="The cursor of the next page, or null")

    @classmethod
    def of(cls, records: list[FileRecord], *, more: bool) -> Self:
        """From the records."""
        return cls(items=[FileView.of(record) for record in records], next=records[-1].id if more else None)
