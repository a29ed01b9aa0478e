"""How files are sent that nobody vouches for: as attachments, never as what a browser would run, in parts if asked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from app.artifacts.model import Span
from app.artifacts.ranges import NotSatisfiable, span_of
from app.attachment import attachment
from app.errors import RangeNotSatisfiable
from app.etags import is_known
from app.problems import problem_response

OPAQUE = "application/octet-stream"
# What no browser ever runs, opened directly or not.
_HARMLESS = re.compile(r"text/(plain|csv|markdown)|application/(json|pdf|zip|gzip)|image/(png|jpeg|gif|webp|bmp)")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Cache-Control": "private, no-cache",
}
# For the documentation of whoever sends a file.
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {OPAQUE: {}}, "description": "The file's bytes, as an attachment"},
    206: {"content": {OPAQUE: {}}, "description": "The part that `Range` asks for, if `If-Range` holds"},
    304: {"description": "Its SHA-256 is the ETag in `If-None-Match`"},
    416: {"description": "It has no byte of that part"},
}


class Sendable(Protocol):
    """What has to be known of a file."""

    @property
    def bytes(self) -> int:
        """Its size."""

    @property
    def sha256(self) -> str:
        """In hexadecimal."""

    @property
    def media_type(self) -> str:
        """As somebody says."""


async def send(
    request: Request, name: str, file: Sendable, open_span: Callable[[Span | None], Awaitable[AsyncIterator[bytes]]]
) -> Response:
    """The file, or the part of it that is asked for. Raises what opening it raises."""
    headers = _headers_of(name, file)
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    given = request.headers
    same = given.get("if-range", headers["ETag"]) == headers["ETag"]
    try:
        span = span_of(given.get("range") if same else None, file.bytes)
    except NotSatisfiable:
        refusal = RangeNotSatisfiable(f"The file has {file.bytes} bytes, and none of those that are asked for.")
        return problem_response(refusal, request.url.path, headers={"Content-Range": f"bytes */{file.bytes}"})
    pieces = await open_span(span)
    if span is None:
        return StreamingResponse(pieces, headers=headers | {"Content-Length": str(file.bytes)})
    part = {"Content-Length": str(span.bytes), "Content-Range": f"bytes {span.start}-{span.end - 1}/{file.bytes}"}
    return StreamingResponse(pieces, status_code=206, headers=headers | part)


def sent_as(media_type: str) -> str:
    """The type under which it is sent."""
    return media_type if _HARMLESS.fullmatch(media_type) else OPAQUE


def _headers_of(name: str, file: Sendable) -> dict[str, str]:
    return HEADERS | {
        "Content-Type": sent_as(file.media_type),
        "Content-Disposition": attachment(name),
        "ETag": f'"{file.sha256}"',
        "Accept-Ranges": "bytes",
    }
