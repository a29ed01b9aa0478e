"""What a value may be. A shape is called with a value and where it stands; it returns the value as it is kept, and
says what is wrong in the words of the real server.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from tailrace._document import moment
from tailrace.testing.problems import Wrong

Shape = Callable[[Any, str, list[Wrong]], Any]
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGTP]?)(i?)B?\s*", re.IGNORECASE)


def anything(value: Any, _path: str, _wrong: list[Wrong]) -> Any:
    """JSON."""
    return value


def truth(value: Any, path: str, wrong: list[Wrong]) -> Any:
    """True or false."""
    if not isinstance(value, bool):
        wrong.append(Wrong(path, "bool_type", "must be true or false"))
    return value


def text(most: int = 4096, least: int = 0, *, pattern: str = "", code: str = "", rule: str = "") -> Shape:
    """A string, of which all must match the pattern."""

    def check(value: Any, path: str, wrong: list[Wrong]) -> Any:
        if not isinstance(value, str):
            wrong.append(Wrong(path, "string_type", "must be a string"))
        elif len(value) < least:
            wrong.append(Wrong(path, "string_too_short", f"must be at least {least} {_characters(least)} long"))
        elif len(value) > most:
            wrong.append(Wrong(path, "string_too_long", f"must be at most {most} {_characters(most)} long"))
        elif pattern and not re.fullmatch(pattern, value):
            wrong.append(Wrong(path, code, rule))
        return value

    return check


def _characters(number: int) -> str:
    return "character" if number == 1 else "characters"


def whole(least: int, most: int) -> Shape:
    """A whole number."""

    def check(value: Any, path: str, wrong: list[Wrong]) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            wrong.append(Wrong(path, "int_type", "must be a whole number"))
        else:
            _within(value, least, most, path, wrong)
        return value

    return check


def number(least: float, most: float) -> Shape:
    """A number."""

    def check(value: Any, path: str, wrong: list[Wrong]) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            wrong.append(Wrong(path, "float_type", "must be a number"))
            return value
        _within(value, least, most, path, wrong)
        return float(value)

    return check


def _within(value: float, least: float, most: float, path: str, wrong: list[Wrong]) -> None:
    if value < least:
        wrong.append(Wrong(path, "greater_than_equal", f"must be at least {least:g}"))
    elif value > most:
        wrong.append(Wrong(path, "less_than_equal", f"must be at most {most}"))


def size(least: int, most: int) -> Shape:
    """Bytes, or a string with a unit; kept as bytes."""

    def check(value: Any, path: str, wrong: list[Wrong]) -> Any:
        found = _SIZE.fullmatch(value) if isinstance(value, str) else None
        if found:
            digits, unit, binary = found.groups()
            power = " KMGTP".index(unit.upper() or " ")
            value = int(float(digits) * (1024 if binary else 1000) ** power)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            message = "must be a size: a number of bytes, or a string with a unit such as `512MiB`"
            wrong.append(Wrong(path, "byte_size", message))
        else:
            _within(value, least, most, path, wrong)
        return value

    return check


def one_of(*choices: str) -> Shape:
    """One of these words."""
    *first, last = (f"'{choice}'" for choice in choices)

    def check(value: Any, path: str, wrong: list[Wrong]) -> Any:
        if value not in choices:
            wrong.append(Wrong(path, "enum", f"must be {', '.join(first)} or {last}"))
        return value

    return check


def maybe(shape: Shape) -> Shape:
    """The same, or null."""
    return lambda value, path, wrong: None if value is None else shape(value, path, wrong)


def listed(shape: Shape, most: int) -> Shape:
    """A list."""

    def check(value: Any, path: str, wrong: list[Wrong]) -> Any:
        if not isinstance(value, list):
            wrong.append(Wrong(path, "tuple_type", "must be a list"))
            return value
        if len(value) > most:
            wrong.append(Wrong(path, "too_long", f"must have at most {most} items"))
        return [shape(item, f"{path}[{index}]", wrong) for index, item in enumerate(value)]

    return check


def named(shape: Shape, most: int | None = None, *, key: Shape = anything) -> Shape:
    """An object with names of one's own."""

    def check(value: Any, path: str, wrong: list[Wrong]) -> Any:
        if not isinstance(value, Mapping):
            wrong.append(Wrong(path, "dict_type", "must be an object"))
            return value
        if most is not None and len(value) > most:
            wrong.append(Wrong(path, "too_long", f"must have at most {most} items"))
        for name in value:
            key(name, f"{path}.{name}", wrong)
        return {name: shape(item, f"{path}.{name}", wrong) for name, item in value.items()}

    return check


def fields(shapes: Mapping[str, Shape], defaults: Mapping[str, Any], *, required: tuple[str, ...] = ()) -> Shape:
    """An object with these fields and no others."""

    def check(value: Any, path: str, wrong: list[Wrong]) -> Any:
        if not isinstance(value, Mapping):
            wrong.append(Wrong(path or "body", "model_attributes_type", "must be an object"))
            return value
        before = f"{path}." if path else ""
        kept = {name: value for name, value in defaults.items() if name not in required}
        for name, shape in shapes.items():
            if name in value:
                kept[name] = shape(value[name], f"{before}{name}", wrong)
            elif name in required:
                wrong.append(Wrong(f"{before}{name}", "missing", "is required"))
        unknown = [name for name in value if name not in shapes]
        wrong += [Wrong(f"{before}{name}", "extra_forbidden", "is not a known field") for name in unknown]
        return kept

    return check


def identifier(value: Any, path: str, wrong: list[Wrong]) -> Any:
    """A UUID."""
    try:
        return str(UUID(value))
    except (ValueError, TypeError, AttributeError):
        code = "uuid_parsing" if isinstance(value, str) else "uuid_type"
        wrong.append(Wrong(path, code, "must be a UUID"))
        return value


def time(value: Any, path: str, wrong: list[Wrong]) -> datetime | Any:
    """A time with its zone, kept as one."""
    try:
        at = moment(value)
    except (ValueError, TypeError, AttributeError):
        at = None
    if at is None or at.tzinfo is None:
        wrong.append(Wrong(path, "not_a_time", "must be a time with its zone, such as `2026-01-15T10:00:00Z`"))
        return value
    return at
