"""Response bodies of outputs, as clients see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.artifacts.model import Artifact
from app.artifacts.service import OutputPage
from app.executions.declared import declaration_of
from app.executions.model import DeclaredOutput

_OWN = "/v1/executions/019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"
_EXAMPLE: dict[str, Any] = {
    "items": [
        {
            "path": "plots/loss.svg",
            "bytes": 1234,
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "media_type": "image/svg+xml",
            "declared": "plots/*.svg",
            "links": {"self": f"{_OWN}/outputs/plots/loss.svg", "preview": f"{_OWN}/previews/plots/loss.svg"},
        },
    ],
    "files": 1,
    "bytes": 1234,
    "partial": False,
    "expired_at": None,
    "declared": [
        {"path": "plots/*.svg", "required": True, "media_type": "image/svg+xml", "title": "How it learns", "files": 1},
    ],
    "next": None,
}


class OutputLinks(BaseModel):
    """Paths on this host."""

    self: str
    preview: str = Field(description="What can be shown of it")

    @classmethod
    def of(cls, execution: UUID, path: str) -> Self:
        """Of one output."""
        own = f"/v1/executions/{execution}"
        return cls(self=f"{own}/outputs/{quote(path)}", preview=f"{own}/previews/{quote(path)}")


class OutputView(BaseModel):
    """One file."""

    path: str
    bytes: int
    sha256: str
    media_type: str = Field(description="As declared, or guessed from its name; it is not always sent as such")
    declared: str | None = Field(description="The first of the declared outputs that it fills, by its path")
    links: OutputLinks


class DeclaredView(BaseModel):
    """An output that the submission declares. If it is `required` and no file fills it, it is missing."""

    path: str
    required: bool
    media_type: str | None
    title: str | None
    files: int | None = Field(description="How many fill it, of all; told on the first page, null on those behind")


class OutputList(BaseModel):
    """The files that the latest attempt left in `/tailrace/outputs`: one page of them, by path, and their totals."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    items: list[OutputView]
    files: int = Field(description="How many were collected, on all pages together")
    bytes: int
    partial: bool = Field(description="A limit left some out, or the program did not end by itself")
    expired_at: datetime | None = Field(description="When they were removed; then there are no items any more")
    declared: list[DeclaredView]
    next: str | None = Field(description="The cursor of the next page, or null")

    @classmethod
    def of(cls, page: OutputPage) -> Self:
        """From the manifest."""
        record, declared, filled = page.record, page.record.spec.outputs, page.filled
        return cls(
            items=[_view(record.id, file, declared) for file in page.files],
            files=record.outputs_files,
            bytes=record.outputs_bytes,
            partial=record.outputs_partial,
            expired_at=record.outputs_expired_at,
            declared=[
                DeclaredView(**each.model_dump(), files=None if filled is None else filled.get(each.path, 0))
                for each in declared
            ],
            next=page.after.cursor if page.after else None,
        )


def _view(execution: UUID, file: Artifact, declared: Sequence[DeclaredOutput]) -> OutputView:
    filled = declaration_of(file.path, declared)
    return OutputView(
        path=file.path,
        bytes=file.bytes,
        sha256=file.sha256,
        media_type=file.media_type,
        declared=filled.path if filled else None,
        links=OutputLinks.of(execution, file.path),
    )
