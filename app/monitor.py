"""The monitor at `/`: the page that `make web` has built, for every path that nothing else answers to."""

from __future__ import annotations

import mimetypes
import secrets
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import NotFound
from app.pages import page_policy
from app.version import VERSION

ASSETS = "/assets"
# What is no page of it, so that whoever mistypes an address of the API is told so by the API.
_NOT_PAGES = ("/v1", "/docs", "/login", "/openapi.json", "/metrics", "/healthz", "/readyz", ASSETS)
# The build puts it where the nonce of an answer belongs.
_NONCE = "__CSP_NONCE__"
_FOR_EVER = "public, max-age=31536000, immutable"
_PACKED = {"br": ".br", "gzip": ".gz"}
# Debian's slim images have no list of types.
_TYPES = {".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2", ".svg": "image/svg+xml"}


class Welcome(BaseModel):
    """Where to go from here, for programs that ask for `/`."""

    name: str
    version: str
    links: dict[str, str]


def add_monitor(app: FastAPI, directory: Path) -> None:
    """Serve `/`, the pages of the monitor and its assets, from where it was built. It may be built anew meanwhile."""

    @app.get("/", include_in_schema=False, response_model=Welcome)
    async def home(request: Request) -> Response | Welcome:
        if _wants_page(request.headers.get("accept", "")):
            return _page(directory)
        links = {"docs": "/docs", "openapi": "/openapi.json", "executions": "/v1/executions", "health": "/readyz"}
        return Welcome(name="Tailrace", version=VERSION, links=links)

    app.mount(ASSETS, _Assets(directory / ASSETS.strip("/")), name="assets")
    app.router.default = _Pages(directory, otherwise=app.router.default)


class _Pages:
    """What a browser asks for that has no route is a page of the monitor, which knows its own paths."""

    def __init__(self, directory: Path, *, otherwise: ASGIApp) -> None:
        self._directory = directory
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        answer = _page(self._directory) if _is_page(scope) else self._otherwise
        await answer(scope, receive, send)


def _is_page(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    path: str = scope["path"]
    if any(path == other or path.startswith(f"{other}/") for other in _NOT_PAGES):
        return False
    return _wants_page(Request(scope).headers.get("accept", ""))


def _wants_page(accept: str) -> bool:
    """Browsers name it; programs take what comes, and get JSON."""
    return "text/html" in accept


def _page(directory: Path) -> HTMLResponse:
    try:
        html = (directory / "index.html").read_text()
    except FileNotFoundError:
        html, status = Path(__file__).with_name("not_built.html").read_text(), 503
    else:
        status = 200
    nonce = secrets.token_urlsafe(18)
    html = html.replace(_NONCE, nonce)
    # With the nonce no two answers are the same, and each goes with its own policy: nothing to compare by an ETag.
    headers = {"Content-Security-Policy": page_policy(html, nonce=nonce), "Cache-Control": "no-cache", "Vary": "Accept"}
    return HTMLResponse(html, status, headers=headers)


class _Assets:
    """Files whose names have the hashes of what is in them, packed if the client takes that."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI. Raises `NotFound`."""
        request = Request(scope, receive)
        name = request.url.path.rpartition("/")[2]
        await self._file(self._directory / name, request.headers.get("accept-encoding", ""))(scope, receive, send)

    def _file(self, path: Path, accepted: str) -> FileResponse:
        headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
        offered = {part.partition(";")[0].strip() for part in accepted.split(",")}
        media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        for encoding, suffix in _PACKED.items():
            packed = path.with_name(path.name + suffix)
            if encoding in offered and packed.is_file():
                return FileResponse(packed, media_type=media_type, headers={**headers, "Content-Encoding": encoding})
        if not path.is_file():
            raise NotFound("The monitor has no such file.", hint="It was built anew meanwhile: load the page again.")
        return FileResponse(path, media_type=media_type, headers=headers)
