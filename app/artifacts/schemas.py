"""Response bodies of outputs, as clients see them."""

from __future__ import annotations

from typing import Any, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from app.artifacts.service import Outputs

_EXAMPLE: dict[str, Any] = {
    "items": [
        {
            "path": "plots/loss.svg",
            "bytes": 1234,
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "media_type": "image/svg+xml",
            "links": {"self": "/v1/executions/019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44/outputs/plots/loss.svg"},
        },
    ],
    "files": 1,
    "bytes": 1234,
    "partial": False,
}


class FileLinks(BaseModel):
    """Paths on this host."""

    self: str


class OutputView(BaseModel):
    """One file."""

    path: str
    bytes: int
    sha256: str
    media_type: str = Field(description="As guessed from its name; it is not always sent as such")
    links: FileLinks


class OutputList(BaseModel):
    """The files that the latest attempt left in `/tailrace/outputs`, with their totals."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    items: list[OutputView]
    files: int
    bytes: int
    partial: bool = Field(description="A limit left some out, or the program did not end by itself")

    @classmethod
    def of(cls, outputs: Outputs) -> Self:
        """From the manifest."""
        own = f"/v1/executions/{outputs.record.id}/outputs"
        return cls(
            items=[
                OutputView(
                    path=file.path,
                    bytes=file.bytes,
                    sha256=file.sha256,
                    media_type=file.media_type,
                    links=FileLinks(self=f"{own}/{quote(file.path)}"),
                )
                for file in outputs.files
            ],
            files=outputs.record.outputs_files,
            bytes=outputs.record.outputs_bytes,
            partial=outputs.record.outputs_partial,
        )
