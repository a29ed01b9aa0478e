"""The pages for browsers: the reference of the API, and where one logs in. And what browsers are told with all answers.

Every page names its scripts and styles; nothing else runs in it, and nothing goes to any other host.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASSETS = "/docs/assets"
_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# Of an answer that says nothing else itself.
HEADERS = {
    "Content-Security-Policy": _NOTHING,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Of the reference: nobody is to type a session, least of all a token in its place.
_NO_COOKIE = ".swagger-ui .auth-container:has(#api_key_value) { display: none }"
# The reference is light or dark as the monitor is.
_SCHEME = """
const system = matchMedia("(prefers-color-scheme: dark)");
function dress() {
  const wanted = localStorage.getItem("mantine-color-scheme-value") ?? "auto";
  const dark = wanted === "auto" ? system.matches : wanted === "dark";
  document.documentElement.classList.toggle("dark-mode", dark);
}
system.addEventListener("change", dress);
dress();
"""
_INLINE = re.compile(r'<(script|style)(?: nonce="[^"]*")?>(.*?)</\1>', re.DOTALL)


def add_pages(app: FastAPI) -> None:
    """Serve `/docs`, with assets of our own so that it works without the Internet, and `/login`."""
    app.mount(ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs-assets")
    reference, login = _reference(f"{app.title} API"), Path(__file__).with_name("login.html").read_text()

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return _page(reference)

    @app.get("/login", include_in_schema=False)
    async def log_in() -> HTMLResponse:
        return _page(login)


class BrowserHeaders:
    """Middleware: what keeps browsers from doing more with an answer than it is meant for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, answer if scope["type"] == "http" else send)


def _reference(title: str) -> str:
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=title,
        swagger_js_url=f".{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f".{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f".{ASSETS}/favicon-32x32.png",
        swagger_ui_parameters={
            # All groups at a glance: whatever is out of sight is not in the page, so a browser would not find it.
            "docExpansion": "none",
            "defaultModelsExpandDepth": 0,
            "filter": True,
            # It would ask a host of others what it thinks of ours.
            "validatorUrl": None,
        },
    )
    return bytes(page.body).decode().replace("</head>", f"<style>{_NO_COOKIE}</style><script>{_SCHEME}</script></head>")


def _page(html: str) -> HTMLResponse:
    return HTMLResponse(html, headers={"Content-Security-Policy": page_policy(html), "Cache-Control": "no-cache"})


def page_policy(html: str, *, nonce: str | None = None) -> str:
    """What this page may load: what is ours, and what is written in it; styles also that its scripts make with a nonce.

    With one it is the monitor's, which has fonts, shows previews in frames and pictures that it has fetched.
    """
    allowed = {"script": "'self'", "style": f"'self' 'nonce-{nonce}'" if nonce else "'self'"}
    more = "img-src 'self' data: blob:; font-src 'self'; frame-src 'self' blob:" if nonce else "img-src 'self' data:"
    for kind, content in _INLINE.findall(html):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        allowed[kind] += f" 'sha256-{digest}'"
    return f"{_NOTHING}; script-src {allowed['script']}; style-src {allowed['style']}; {more}; connect-src 'self'"
