"""Conditional requests."""

from __future__ import annotations

from fastapi import Request

from app.errors import PreconditionFailed


def is_known(request: Request, etag: str) -> bool:
    """Whether the client has what this (quoted) ETag stands for, by its `If-None-Match`."""
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return etag in known or "*" in known


def check_match(request: Request, etag: str) -> None:
    """Raises `PreconditionFailed` if the client's `If-Match` is of another (quoted) ETag."""
    given = request.headers.get("if-match")
    if given is not None and not {etag, "*"} & {tag.strip().removeprefix("W/") for tag in given.split(",")}:
        raise PreconditionFailed(
            f"It has been changed: its ETag is {etag} now.", hint="Look at it again, then decide whether to change it."
        )
