"""Conditional requests."""

from __future__ import annotations

from fastapi import Request


def is_known(request: Request, etag: str) -> bool:
    """Whether the client has what this (quoted) ETag stands for, by its `If-None-Match`."""
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return etag in known or "*" in known
