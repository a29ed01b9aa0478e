"""The routes of the API: of the application itself, whatever it documents."""

from __future__ import annotations

import re

from fastapi.routing import APIWebSocketRoute, iter_route_contexts

from app.main import create_app
from app.settings import Settings


def routes() -> list[str]:
    """As `GET /v1/executions/{id}`, and `WS /v1/events`."""
    found = []
    for context in iter_route_contexts(create_app(Settings()).routes):
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", context.path or "")
        if isinstance(context.original_route, APIWebSocketRoute):
            found.append(f"WS {path}")
        found += (f"{method} {path}" for method in sorted(getattr(context, "methods", None) or ()) if method != "HEAD")
    return found
