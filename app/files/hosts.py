"""From which hosts executions may have files fetched. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from yarl import URL

EVERYWHERE = "*"


@dataclass(frozen=True, slots=True)
class Hosts:
    """Names, and domains with all that is below them; or everywhere."""

    names: frozenset[str] = frozenset()
    domains: tuple[str, ...] = ()
    everywhere: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a list separated by commas: `data.example.com, *.corp.example`, or `*`. Raises `ValueError`."""
        items = [item for part in text.split(",") if (item := part.strip().lower().rstrip("."))]
        if EVERYWHERE in items:
            return cls(everywhere=True)
        domains = tuple(item[1:] for item in items if item.startswith("*."))
        return cls(frozenset(_name(item) for item in items if not item.startswith("*.")), domains)

    @property
    def any(self) -> bool:
        """Whether anything may be fetched at all."""
        return self.everywhere or bool(self.names or self.domains)

    def allow(self, url: str) -> bool:
        """Whether this URL, whose form was judged, may be fetched."""
        host = (URL(url).raw_host or "").lower().rstrip(".")
        return self.everywhere or host in self.names or host.endswith(self.domains)


def _name(item: str) -> str:
    host = URL.build(scheme="http", host=item).raw_host
    if not host:
        raise ValueError(f"`{item}` is not a host")
    return host
