"""The request that is under way, if it may change something: what will be written of it.

It is in the context of the request, since it concerns everything that is done for it and nobody in particular.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from structlog.contextvars import get_contextvars

from app.audit.model import MAX_ADDRESS_CHARS, MAX_OBJECT_CHARS, Entry
from app.audit.owners import find_owner
from app.db.engine import reading

if TYPE_CHECKING:
    from app.auth.service import Caller
    from app.bootstrap import Process

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PREFIX = "/v1/"
DONE = 200
CREATED = 201

current: ContextVar[Act | None] = ContextVar("act", default=None)


def entry_of_new(made: str) -> Entry | None:
    """To be written with what the current request makes; None if there is no request."""
    act = current.get()
    return act.entry(CREATED, made, is_own=True) if act else None


def entries_of(touched: Mapping[str, str]) -> list[Entry]:
    """To be written with what the current request does to these objects: their paths, and whose they are."""
    act = current.get()
    entry = act.entry(DONE) if act else None
    return [replace(entry, object=path, owner=owner) for path, owner in touched.items()] if entry else []


def note_written() -> None:
    """It is committed."""
    if act := current.get():
        act.is_written = True


class Act:
    """A request by its ASGI scope, which says more once a route is found and the caller known."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self._scope = scope
        self._owner: str | None = None
        # By whoever made the change, with it.
        self.is_written = False

    @property
    def action(self) -> str | None:
        """The operation, as the OpenAPI document names it."""
        route = self._scope.get("route")
        return getattr(route, "operation_id", None) or getattr(route, "name", None)

    @property
    def _caller(self) -> Caller | None:
        caller: Caller | None = self._scope.get("state", {}).get("caller")
        return caller

    def entry(self, status: int, made: str | None = None, *, is_own: bool = False) -> Entry | None:
        """What is to be written of it, once it is answered so; `made` is the path of what it made, for the caller if
        `is_own`, else for whom `look_up` found.

        None without a token: then it has changed nothing, or is nobody's.
        """
        caller = self._caller
        if caller is None or self.action is None:
            return None
        path = made or self._path()
        client = self._scope.get("client")
        return Entry(
            action=self.action,
            object=None if path is None else path.replace("\0", "\ufffd")[:MAX_OBJECT_CHARS],
            owner=caller.owner if is_own or caller.sees is not None else self._owner,
            actor=caller.owner,
            token_id=caller.token_id,
            token_name=caller.token_name,
            address=client[0][:MAX_ADDRESS_CHARS] if client else None,
            request_id=get_contextvars().get("request_id"),
            status=status,
        )

    async def look_up(self, process: Process, made: str | None = None) -> None:
        """Whose object it is about: an admin may change others', and afterwards it may be gone; and make them."""
        caller, path = self._caller, made or self._path()
        if caller is not None and caller.sees is None and path is not None:
            async with reading(process.database) as connection:
                self._owner = await find_owner(connection, path, asking=caller.owner)

    def _path(self) -> str | None:
        """Of the object that the route is about; None if it is about none in particular."""
        parts = str(getattr(self._scope.get("route"), "path_format", "")).removeprefix(PREFIX).split("/")
        last = max((number for number, part in enumerate(parts) if "{" in part), default=None)
        if last is None:
            return None
        return "/".join(part.format_map(self._scope["path_params"]) for part in parts[: last + 1])
