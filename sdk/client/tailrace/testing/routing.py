"""Which handler answers which request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.testing.listener import Answer, Request
from tailrace.testing.problems import Problem, Wrong, invalid, not_faked
from tailrace.testing.shapes import identifier

if TYPE_CHECKING:
    from tailrace.testing.world import World


MAX_WAIT = 60.0


@dataclass(frozen=True)
class Call:
    """A request by somebody. The lock of the world is held while it is answered."""

    world: World
    request: Request
    owner: str

    def body(self, default: Any = ...) -> Any:
        """Its JSON. Raises `Problem`."""
        if not self.request.body:
            if default is ...:
                raise invalid([Wrong("body", "missing", "is required")])
            return default
        try:
            return json.loads(self.request.body)
        except ValueError as error:
            hint = "JSON has double quotes, no comma after the last item, and no comments."
            raise Problem(400, f"The body is not JSON: {error}.", hint=hint) from None

    def knows(self, *names: str) -> None:
        """Raises `Problem` for any other parameter."""
        wrong = [
            Wrong(name, "extra_forbidden", "is not a known field") for name in self.request.query if name not in names
        ]
        if wrong:
            raise invalid(wrong)

    def is_dry(self) -> bool:
        """Whether nothing is to be kept."""
        self.knows("dry_run")
        return self.request.said("dry_run").lower() in {"true", "1"}

    def seconds(self) -> float:
        """For how long to wait."""
        said = self.request.said("wait", "0")
        wrong = [
            Wrong(name, "extra_forbidden", "is not a known field") for name in self.request.query if name != "wait"
        ]
        try:
            wait = float(said)
        except ValueError:
            wait = 0.0
            wrong.append(Wrong("wait", "float_parsing", "must be a number"))
        if not 0 <= wait <= MAX_WAIT:
            bound = ("greater_than_equal", "at least 0.0") if wait < 0 else ("less_than_equal", f"at most {MAX_WAIT}")
            wrong.insert(0, Wrong("wait", bound[0], f"must be {bound[1]}"))
        if wrong:
            raise invalid(wrong)
        return wait


Handler = Callable[..., Answer]


class Routes:
    """Handlers by method and path. A part in braces is handed on by its name; `{id}` is a UUID."""

    def __init__(self, *others: Routes) -> None:
        self.all: list[tuple[str, re.Pattern[str], Handler]] = [each for other in others for each in other.all]

    def on(self, method: str, path: str) -> Callable[[Handler], Handler]:
        """Register a handler."""
        pattern = re.compile(re.sub(r"\{(path|name|id|version)\}", _part, path.replace(".", r"\.")))

        def register(handler: Handler) -> Handler:
            self.all.append((method, pattern, handler))
            return handler

        return register

    def answer(self, call: Call) -> Answer:
        """By the first that fits. Raises `Problem`."""
        method, path = call.request.method, call.request.path
        for wanted, pattern, handler in self.all:
            found = pattern.fullmatch(path)
            if found and wanted == ("GET" if method == "HEAD" else method):
                names = found.groupdict()
                _check_ids(names.items())
                return handler(call, **names)
        if path.startswith("/v1/"):
            raise not_faked(f"`{method} {path}`")
        raise Problem(404, f"There is nothing at {path}.", hint="The API is described at /docs.")


def _part(found: re.Match[str]) -> str:
    return f"(?P<{found[1]}>{'.+' if found[1] == 'path' else '[^/]+'})"


def _check_ids(names: Iterable[tuple[str, str]]) -> None:
    wrong: list[Wrong] = []
    for name, value in names:
        if name == "id":
            identifier(value, name, wrong)
    if wrong:
        raise invalid(wrong)
