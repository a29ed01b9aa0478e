"""Response bodies of outputs, as clients see them."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any, Self
from urllib.parse import quote
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.artifacts.service import Outputs
from app.executions.declared import fills

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
    "declared": [
        {"path": "plots/*.svg", "required": True, "media_type": "image/svg+xml", "title": "How it learns", "files": 1},
    ],
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
    files: int = Field(description="How many fill it")


class OutputList(BaseModel):
    """The files that the latest attempt left in `/tailrace/outputs`, with their totals."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    items: list[OutputView]
    files: int
    bytes: int
    partial: bool = Field(description="A limit left some out, or the program did not end by itself")
    declared: list[DeclaredView]

    @classmethod
    def of(cls, outputs: Outputs) -> Self:
        """From the manifest."""
        declared = outputs.record.spec.outputs
        filled = [[each.path for each in declared if fills(file.path, each.path)] for file in outputs.files]
        files = Counter(chain.from_iterable(filled))
        return cls(
            items=[
                OutputView(
                    path=file.path,
                    bytes=file.bytes,
                    sha256=file.sha256,
                    media_type=file.media_type,
                    declared=next(iter(of), None),
                    links=OutputLinks.of(outputs.record.id, file.path),
                )
                for file, of in zip(outputs.files, filled, strict=True)
            ],
            files=outputs.record.outputs_files,
            bytes=outputs.record.outputs_bytes,
            partial=outputs.record.outputs_partial,
            declared=[DeclaredView(**each.model_dump(), files=files[each.path]) for each in declared],
        )
