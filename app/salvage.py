"""What is left of a document without what is wrong in it, so that the rest can be judged, too. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from app.errors import ServiceError
from app.reasons import located

# Each takes away something; what is not valid after so many is not judged further.
ROUNDS = 8
# Each is taken away by a copy. Of a document with more than this nothing is looked at beyond what is told already.
WRONG_AT_MOST = 200
_WITHIN = re.compile(r"[.\[]")
M = TypeVar("M", bound=BaseModel)
Part = int | str
Path = tuple[Part, ...]


def itself(place: str, _code: str) -> Iterable[str]:
    """What is wrong somewhere follows from nothing else."""
    return (place,)


@dataclass(frozen=True, slots=True)
class Bearings:
    """How a kind of document is taken apart: `depths` are how many parts of a path name what is taken away, by field.

    Where something has to be, a stand-in is put: for a whole field, an item of a list, or an entry of the object at a
    path. `sources` are the places whose being wrong may be all that is wrong at a place.
    """

    depths: Mapping[str, int] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    items: Mapping[str, Any] = field(default_factory=dict)
    entries: Mapping[str, Any] = field(default_factory=dict)
    sources: Callable[[str, str], Iterable[str]] = itself

    def place(self, path: Path, document: Mapping[str, Any]) -> Path:
        """What is taken away for an error at this path: an entry of an object, but never an item of a list, since
        others would move.
        """
        name, value = str(path[0]), dict[Any, Any](document)
        if name in self.fields:
            return path[:1]
        for length, part in enumerate(path[: self.depths.get(name, 2)]):
            if isinstance(value, list):
                return path[: length + 1] if length == 1 and name in self.items else path[:length]
            if not isinstance(value, Mapping):
                return path[:length]
            if part not in value:
                # Deeper in an entry; or it is not there, and what should have it is bad.
                entry = _WITHIN.split(str(part), maxsplit=1)[0]
                return (*path[:length], entry) if entry in value else path[: max(length, 1)]
            value = value[part]
        return path[: self.depths.get(name, 2)]

    def stand_in(self, place: Path) -> Any:
        """What is put there; None is nothing."""
        name = str(place[0])
        if len(place) == 1:
            return [self.items[name]] if name in self.items else self.fields.get(name)
        return self.items.get(name) if isinstance(place[-1], int) else self.entries.get(text_of(place[:-1]))


@dataclass(frozen=True, slots=True)
class Salvaged(Generic[M]):
    """The rest, if anything can be made of it; what was wrong, as pydantic tells it; and what was taken away."""

    rest: M | None
    bearings: Bearings
    wrong: Sequence[Any] = ()
    taken: frozenset[str] = frozenset()

    def tells(self, place: str, code: str = "") -> bool:
        """Whether something wrong there is a reason of its own, and does not only follow from what was taken away."""
        return not any(is_within(source, self.taken) for source in self.bearings.sources(place, code))

    def own(self, refused: ServiceError) -> ServiceError | None:
        """Of a reason found elsewhere what is one of its own; None if nothing is."""
        return located(refused, lambda each: each.field if self.tells(each.field, each.code) else None)


def salvage(model: type[M], document: Any, bearings: Bearings, already: frozenset[str] = frozenset()) -> Salvaged[M]:
    """The document as far as it is valid. Nothing is told of what was taken away, now or `already`."""
    found: Salvaged[M] = Salvaged(None, bearings, (), already)
    if not isinstance(document, Mapping):
        return found
    for _ in range(ROUNDS):
        try:
            return replace(found, rest=model.model_validate(document))
        except ValidationError as error:
            if error.error_count() > WRONG_AT_MOST:
                break
            errors = error.errors(include_url=False)
        paths = [tuple(_path(each)) for each in errors]
        told = [each for each, path in zip(errors, paths, strict=True) if found.tells(text_of(path), each["type"])]
        found = replace(found, wrong=[*found.wrong, *told])
        if not all(paths):
            break
        places = sorted({bearings.place(path, document) for path in paths}, key=len)
        found = replace(found, taken=found.taken | {text_of(place) for place in places})
        for place in places:
            document = _replaced(document, place, bearings.stand_in(place))
    return found


def text_of(path: Sequence[Part]) -> str:
    """`("limits", "timeout")` → `limits.timeout`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def is_within(place: str, taken: Iterable[str]) -> bool:
    """Whether it is one of these places, or in one."""
    return any(place == each or place.startswith((f"{each}.", f"{each}[")) for each in taken)


def _path(error: Mapping[str, Any]) -> Iterator[Part]:
    """Where it is, to the name within that it gives, if it gives one."""
    yield from (part for part in error["loc"] if part != "[key]")
    if (at := error.get("ctx", {}).get("at")) is not None:
        yield at


def _replaced(value: Any, place: Path, new: Any) -> Any:
    """A copy with something else there; None is nothing."""
    part, rest = place[0], place[1:]
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return [*value[:part], _replaced(value[part], rest, new) if rest else new, *value[part + 1 :]]
    if not isinstance(value, Mapping):
        return value
    copied = dict(value)
    if rest and part in copied:
        copied[part] = _replaced(copied[part], rest, new)
    elif new is None or copied.get(part) == new:
        copied.pop(part, None)
    else:
        copied[part] = new
    return copied
