"""Arguments with placeholders: `--rate={{rate}}`. Each stays one argument whatever it is filled with; no shell sees it.

`{{{{` stands for two braces. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_OPENING = re.compile(r"\{\{(?:(\{\{)|([A-Za-z_][A-Za-z0-9_]*)\}\})?", re.ASCII)


class BadTemplate(ValueError):
    """Two braces begin nothing that is known."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Where the value of an input goes."""

    name: str


Part = str | Placeholder


def parse(text: str) -> tuple[Part, ...]:
    """What it consists of. Raises `BadTemplate`."""
    return tuple(_parts(text))


def _parts(text: str) -> Iterator[Part]:
    at = 0
    for found in _OPENING.finditer(text):
        braces, name = found.groups()
        if braces is None and name is None:
            raise BadTemplate(text)
        if before := text[at : found.start()]:
            yield before
        yield Placeholder(name) if name else "{{"
        at = found.end()
    if rest := text[at:]:
        yield rest


def names_in(text: str) -> list[str]:
    """The inputs that it names. Raises `BadTemplate`."""
    return [part.name for part in parse(text) if isinstance(part, Placeholder)]


def only_name(text: str) -> str | None:
    """The input that it names, if it is nothing else."""
    match parse(text):
        case (Placeholder(name),):
            return name
        case _:
            return None


def fill(text: str, values: Mapping[str, Any]) -> str | None:
    """The same with the values; None if one of them has none."""
    filled = []
    for part in parse(text):
        if isinstance(part, Placeholder):
            if part.name not in values:
                return None
            filled.append(written(values[part.name]))
        else:
            filled.append(part)
    return "".join(filled)


def fill_all(arguments: Iterable[str], values: Mapping[str, Any]) -> list[str]:
    """The arguments with the values. One that names an input without a value is left out."""
    return [filled for argument in arguments if (filled := fill(argument, values)) is not None]


def written(value: Any) -> str:
    """A value as an argument: text as it is, a list with commas between, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(written(item) for item in value)
    return orjson.dumps(value).decode()
