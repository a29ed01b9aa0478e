"""From which hosts executions may have files fetched. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

from yarl import URL

from app.outbound.policy import name_of

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
        items = [item for part in text.split(",") if (item := part.strip().lower())]
        domains = tuple(f".{name_of(item[2:])}" for item in items if item.startswith("*."))
        names = frozenset(_host(item) for item in items if item != EVERYWHERE and not item.startswith("*."))
        return cls(names, domains, EVERYWHERE in items)

    @property
    def any(self) -> bool:
        """Whether anything may be fetched at all."""
        return self.everywhere or bool(self.names or self.domains)

    def allow(self, url: str) -> bool:
        """Whether this URL, whose form was judged, may be fetched."""
        host = (URL(url).raw_host or "").lower().rstrip(".")
        return self.everywhere or host in self.names or host.endswith(self.domains)


def _host(item: str) -> str:
    """A name or an address. Raises `ValueError`."""
    try:
        return str(ip_address(item))
    except ValueError:
        return name_of(item)
