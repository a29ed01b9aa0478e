"""What the API answers, as objects: known fields by name and with their types, unknown ones kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar, overload

from typing_extensions import override

T = TypeVar("T")
D = TypeVar("D", bound="Document")


class Field(Generic[T]):
    """A known field. What is missing, or cannot be read, is its default: an old or a new server is no error."""

    def __init__(self, read: Callable[[Any], T], default: Callable[[], T], doc: str) -> None:
        self._read = read
        self._default = default
        self.__doc__ = doc
        self.name = ""

    def __set_name__(self, owner: type[Document], name: str) -> None:
        self.name = name.rstrip("_")
        owner.known = owner.known | {self.name}

    @overload
    def __get__(self, instance: None, owner: type[Document]) -> Field[T]: ...
    @overload
    def __get__(self, instance: Document, owner: type[Document]) -> T: ...
    def __get__(self, instance: Document | None, owner: type[Document]) -> Field[T] | T:
        if instance is None:
            return self
        value = instance.raw.get(self.name)
        if value is None:
            return self._default()
        try:
            return self._read(value)
        except (TypeError, ValueError, AttributeError):
            return self._default()


class Document(Mapping[str, Any]):
    """An answer of the API. Fields are attributes; as a mapping it is the JSON as it came: `dict(record)`.

    Values of closed sets are plain strings, so a value that this version does not know is a string like any other.
    """

    known: ClassVar[frozenset[str]] = frozenset()
    """The names of the fields that this version knows."""
    _shown: ClassVar[tuple[str, ...]] = ("id", "name")

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        """The JSON as it came."""

    @property
    def extra(self) -> dict[str, Any]:
        """Fields that this version of the client does not know."""
        return {name: value for name, value in self.raw.items() if name not in self.known}

    @override
    def __getitem__(self, name: str) -> Any:
        return self.raw[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    @override
    def __len__(self) -> int:
        return len(self.raw)

    @override
    def __hash__(self) -> int:
        return hash((type(self), str(self.raw.get("id"))))

    @override
    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={self.raw[name]!r}" for name in self._shown if self.raw.get(name) is not None)
        return f"{type(self).__name__}({shown})"


def text(doc: str) -> Field[str]:
    """A string that is always there."""
    return Field(str, str, doc)


def maybe_text(doc: str) -> Field[str | None]:
    """A string, or None."""
    return Field(str, _nothing, doc)


def whole(doc: str) -> Field[int]:
    """A whole number that is always there."""
    return Field(int, int, doc)


def maybe_whole(doc: str) -> Field[int | None]:
    """A whole number, or None."""
    return Field(int, _nothing, doc)


def maybe_seconds(doc: str) -> Field[float | None]:
    """A number of seconds, or None."""
    return Field(float, _nothing, doc)


def flag(doc: str) -> Field[bool]:
    """Yes or no."""
    return Field(bool, bool, doc)


def maybe_flag(doc: str) -> Field[bool | None]:
    """Yes or no, or not known."""
    return Field(bool, _nothing, doc)


def maybe_time(doc: str) -> Field[datetime | None]:
    """A time with its zone, or None."""
    return Field(moment, _nothing, doc)


def texts(doc: str) -> Field[Sequence[str]]:
    """Strings."""
    return Field(_sequence, list, doc)


def table(doc: str) -> Field[Mapping[str, Any]]:
    """JSON by name."""
    return Field(_mapping, dict, doc)


def anything(doc: str) -> Field[Any]:
    """JSON."""
    return Field(_as_it_is, _nothing, doc)


def part(kind: type[D], doc: str) -> Field[D]:
    """A document within, without anything in it if it is missing."""
    return Field(lambda value: kind(_mapping(value)), lambda: kind({}), doc)


def maybe_part(kind: type[D], doc: str) -> Field[D | None]:
    """A document within, or None."""
    return Field(lambda value: kind(_mapping(value)), _nothing, doc)


def parts(kind: type[D], doc: str) -> Field[Sequence[D]]:
    """Documents within."""
    return Field(lambda value: [kind(_mapping(item)) for item in _sequence(value)], list, doc)


def moment(value: str) -> datetime:
    """RFC 3339, which Python 3.10 does not read by itself. Raises `ValueError`."""
    if value.endswith(("Z", "z")):
        value = value[:-1] + "+00:00"
    return datetime.fromisoformat(value)


def _nothing() -> None:
    return None


def _as_it_is(value: Any) -> Any:
    return value


def _sequence(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(value)
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(value)
    return value
