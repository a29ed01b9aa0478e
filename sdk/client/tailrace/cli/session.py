"""What every verb works with: the client, and what is meant by an abbreviated id."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from tailrace.cli.failures import NOT_FOUND, Failure

if TYPE_CHECKING:
    from tailrace import Client, Handle

Json = dict[str, Any]

LAST = "@last"
_WHOLE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BEGINNING = re.compile(r"[0-9a-f]{4,8}|[0-9a-f]{8}-[0-9a-f-]{0,27}")
# So many are looked at for what an abbreviation may mean.
LOOKED_AT = 1000
PAGE = 200
# Somebody waits: for so many seconds what may pass is tried again.
PATIENCE = 3.0


@dataclass(frozen=True)
class Chosen:
    """What the options before the verb say."""

    url: str | None = None
    profile: str | None = None


CHOSEN: ContextVar[Chosen] = ContextVar("chosen", default=Chosen())  # noqa: B039  frozen


class Session:
    """The API, by path, and ids as people write them."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of an answer. A parameter that is None is left out."""
        return self.client.request("GET", path, params=params)

    def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """The JSON of an answer; None if it has none."""
        return self.client.request("POST", path, json=body, params=params)

    def act(self, path: str, body: Any = None) -> Any:
        """A verb that may be said twice, and so is sent again if no answer came."""
        return self.client.request("POST", path, json=body, repeatable=True)

    def patch(self, path: str, body: Any) -> Any:
        """A JSON merge patch."""
        return self.client.request("PATCH", path, json=body, repeatable=True)

    def put(self, path: str, body: Any) -> Any:
        """Make it so."""
        return self.client.request("PUT", path, json=body)

    def delete(self, path: str) -> Any:
        """None if it is gone, else what is still there."""
        return self.client.request("DELETE", path)

    def pages(self, path: str, limit: int | None = None, **params: Any) -> Iterator[Json]:
        """What a list has, page by page, up to a limit."""
        return islice(self._all(path, min(PAGE, limit or PAGE), params), limit)

    def handle(self, text: str) -> Handle:
        """The execution that is meant."""
        return self.client.get(self.execution(text))

    def execution(self, text: str) -> str:
        """The id of an execution: itself, the beginning of one, or `@last`, which is the newest of yours.

        Raises:
            Failure: None is meant, or several are.
        """
        if _WHOLE.fullmatch(text.lower()):
            return text.lower()
        if text == LAST:
            mine = self.get("/v1/me")["owner"]
            return self._only(text, "execution", self.pages("/v1/executions", 1, owner=mine, archived="any"), _any)
        beginning = text.lower()
        if not _BEGINNING.fullmatch(beginning):
            raise Failure(
                f"`{text}` is no id of an execution.",
                hint="It takes an id, the first digits of one (at least 4), or @last.",
                code=NOT_FOUND,
            )
        found = self.pages("/v1/executions", LOOKED_AT, q=beginning, archived="any")
        return self._only(text, "execution", found, lambda item: item["id"].startswith(beginning))

    def one_of(self, noun: str, text: str, path: str | None = None, *, name: str = "name") -> str:
        """The id of something else, a schedule say: itself, a beginning, its name, or `@last`."""
        if _WHOLE.fullmatch(text.lower()):
            return text.lower()
        listed = self.pages(path or f"/v1/{noun}s", 1 if text == LAST else LOOKED_AT)
        return self._only(text, noun, listed, _any) if text == LAST else self.chosen(noun, text, listed, name=name)

    def chosen(self, noun: str, text: str, items: Iterable[Json], *, name: str = "name") -> str:
        """The id of what is so called among these, or begins so."""
        return self._only(text, noun, items, lambda item: item.get(name) == text or item["id"].startswith(text.lower()))

    def _all(self, path: str, size: int, params: Mapping[str, Any]) -> Iterator[Json]:
        cursor: str | None = None
        while True:
            page = self.get(path, **params, limit=size, cursor=cursor)
            yield from page["items"]
            cursor = page.get("next")
            if cursor is None:
                return

    def _only(self, text: str, noun: str, items: Iterable[Json], fits: Callable[[Json], bool]) -> str:
        found = [str(item["id"]) for item in items if fits(item)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise Failure(
                f"There is no {noun} `{text}`.", hint=f"`tailrace {_list_of(noun)}` has them.", code=NOT_FOUND
            )
        shown = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
        raise Failure(
            f"`{text}` may be any of {len(found)} {noun}s: {shown}", hint="Give more of the id.", code=NOT_FOUND
        )


def _any(_: Json) -> bool:
    return True


def _list_of(noun: str) -> str:
    return "ls --archived any" if noun == "execution" else f"{noun} ls"


@contextmanager
def session(*, patience: float = PATIENCE) -> Iterator[Session]:
    """The client that options, variables and the configuration file describe."""
    import tailrace

    chosen = CHOSEN.get()
    with tailrace.Client(chosen.url, profile=chosen.profile, patience=patience) as client:
        yield Session(client)
