"""Previews over HTTP: a description as JSON, and for HTML the page itself in a sandbox that loads nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Literal

import orjson
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from app.artifacts.model import Span
from app.artifacts.preview import PAGE, Preview, PreviewKind, needed, plain, preview
from app.artifacts.sending import HEADERS, Sendable
from app.artifacts.table_head import ColumnType
from app.auth.links import is_in_address
from app.errors import NotAcceptable, NotAllowed
from app.etags import is_known

# Scripts run, in an origin of their own: they see no cookie and no page of ours, and load nothing. No policy can keep
# them from leading their own frame elsewhere.
_SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "style-src 'unsafe-inline' data:; img-src data: blob:; font-src data:; media-src data: blob:; worker-src blob:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_ABOUT: dict[str, Any] = {
    "path": "table.csv",
    "media_type": "text/csv",
    "bytes": 1234,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "cut": True,
}


class PreviewQuery(BaseModel):
    """How it is wanted."""

    model_config = ConfigDict(extra="forbid")

    what: Literal["description", "page"] = Field(
        default="description",
        alias="as",
        description="`page`: of the kind `html`, the page itself, in a sandbox that loads nothing",
    )


class ColumnView(BaseModel):
    """A column; `type` holds for all its cells that are shown, which may be null."""

    name: str
    type: ColumnType


class PreviewView(BaseModel):
    """What can be shown of a file; `kind` says which of the other fields there are."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "table",
                    **_ABOUT,
                    "columns": [{"name": "epoch", "type": "integer"}, {"name": "loss", "type": "number"}],
                    "rows": [[1, 0.52], [2, None]],
                },
                {"kind": "text", **_ABOUT, "path": "log.txt", "media_type": "text/plain", "text": "the first lines\n"},
                {
                    "kind": "plotly",
                    **_ABOUT,
                    "path": "plot.json",
                    "media_type": "application/json",
                    "cut": False,
                    "value": {"data": [{"type": "bar", "x": ["a"], "y": [1]}], "layout": {}},
                },
            ]
        }
    )

    kind: PreviewKind = Field(
        description="`text`, `table` (its head), `json`, `plotly` (a figure, as JSON), `image` (for an `<img>` only), "
        "`html` (a page, with `as=page`) or `binary` (nothing to show)"
    )
    path: str = Field(description="The file's path, or its name")
    media_type: str
    bytes: int
    sha256: str
    cut: bool = Field(description="There is more of it in the file than is here")
    text: str = Field(default="", description="Of `text`: its first lines, escape sequences and all")
    columns: list[ColumnView] = Field(default=[], description="Of `table`")
    rows: list[list[Any]] = Field(default=[], description="Of `table`: its first rows, one value per column")
    value: Any = Field(default=None, description="Of `json` and `plotly`: the whole document")


RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": PreviewView,
        "description": "What can be shown of it",
        "content": {PAGE: {"schema": {"type": "string"}}},
    },
    304: {"description": "It is what the ETag in `If-None-Match` stands for"},
    406: {"description": "There is no page of it"},
}
# Of what is said of a file; another one makes others of all that clients have kept.
FORM = 1
OpenSpan = Callable[[Span | None], Awaitable[AsyncIterator[bytes]]]


async def send_preview(
    request: Request, path: str, file: Sendable, query: PreviewQuery, open_span: OpenSpan
) -> Response:
    """What can be shown of a file. Raises what opening it raises, `NotAcceptable` and `NotAllowed`."""
    if query.what == "page" and is_in_address(request.scope):
        raise NotAllowed(
            "A page is not shown at an address with a token: it could read that, and lead it elsewhere.",
            hint="Send the token as `Authorization: Bearer <token>`, or download the page.",
        )
    headers = {**HEADERS, "ETag": f'"{FORM}-{file.sha256}"'}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if query.what == "page":
        return await _page(file, open_span, headers)
    size = needed(file.media_type, file.bytes)
    head = b"".join([piece async for piece in await open_span(Span(0, size))]) if size else b""
    shown = await asyncio.to_thread(partial(preview, head, media_type=file.media_type, size=file.bytes))
    body = await asyncio.to_thread(_described, path, file, shown)
    return Response(body, headers=headers, media_type="application/json")


async def _page(file: Sendable, open_span: OpenSpan, headers: dict[str, str]) -> Response:
    if plain(file.media_type) != PAGE or needed(file.media_type, file.bytes):
        raise NotAcceptable(
            f"It is no page that is shown: it is `{file.media_type}` of {file.bytes} bytes.",
            hint="Ask without `as=page` for what can be shown of it, or download it.",
        )
    pieces = await open_span(None)
    sandboxed = {**headers, "Content-Security-Policy": _SANDBOX, "Content-Type": f"{PAGE}; charset=utf-8"}
    return StreamingResponse(pieces, headers={**sandboxed, "Content-Length": str(file.bytes)})


def _described(path: str, file: Sendable, shown: Preview) -> bytes:
    about: dict[str, Any] = {
        "kind": shown.kind,
        "path": path,
        "media_type": file.media_type,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "cut": shown.cut,
    }
    if shown.text is not None:
        about["text"] = shown.text
    if shown.table is not None:
        about["columns"] = [{"name": name, "type": kind} for name, kind in shown.table.columns]
        about["rows"] = shown.table.rows
    if shown.document is not None:
        # As it is: it was read, and nothing has to be made of it that could be too deep.
        about["value"] = orjson.Fragment(shown.document)
    return orjson.dumps(about)
