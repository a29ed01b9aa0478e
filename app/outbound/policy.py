"""What may be connected to on somebody else's word: public addresses at usual ports, and what a setting allows. Pure.

A URL is read once, by the parser that the client uses too. A name is judged by each address that it resolves to, at
the moment of connecting: what it resolved to before says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from yarl import URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

URL_CHARS = 2048
SCHEMES = frozenset({"http", "https"})
# Those of HTTP, and above those of a system's own services: nobody is to speak to SSH or mail servers through us.
WELL_KNOWN = 1023
USUAL = frozenset({80, 443})
_PORTS = f"must have the port 80, 443 or one above {WELL_KNOWN}"
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?\.?")
# What resolvers take for an address, in one of its many old forms.
_ENDS_IN_A_NUMBER = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)\.?$")

# By IANA's registry of special addresses. The standard library's opinion of them changes with its version.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers, and some metadata services
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's own service on every host
        "169.254.0.0/16",  # link-local, and most metadata services
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# Loopback, link-local, unique local, multicast, and every form that has an IPv4 address in it: mapped, compatible,
# translated (NAT64). All of it is outside of what is given to networks.
_GIVEN_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(each)
    for each in (
        "2001::/23",  # protocols; Teredo has an IPv4 address in it
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 has an IPv4 address in it
        "3fff::/20",  # documentation
    )
)


class Refused(Exception):
    """It may not be connected to. The message is a clause that follows the name of a field: "must be …"."""

    hint = ""


class NotPublic(Refused):
    """It could be connected to if a setting allowed it."""

    hint = "Its administrator can allow what is not public: TAILRACE_OUTBOUND_ALLOW."


def is_public(address: Address) -> bool:
    """Whether it is an address in the Internet, of one host, without another address in it."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    return address in _GIVEN_6 and not any(address in network for network in _NOT_PUBLIC_6)


def is_usual(port: int) -> bool:
    """Whether a port may be connected to unless more is said."""
    return port in USUAL or port > WELL_KNOWN


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be connected to besides: a network, a host by its name, or all hosts below a domain (`.corp.example`).

    At `port`, at any port (0), or (None) at the usual ones.
    """

    target: Network | str
    port: int | None = None

    @classmethod
    def parse(cls, item: str) -> Self:
        """From `10.1.0.0/16`, `hooks.local:81`, `*.corp.example:*`, `[fd00::/8]:81`. Raises `ValueError`."""
        target, port = item, None
        head, colon, tail = item.rpartition(":")
        if colon and (tail == "*" or tail.isdecimal()) and (":" not in head or head.startswith("[")):
            target, port = head, 0 if tail == "*" else int(tail)
            if tail != "*" and not 0 < port < 2**16:
                raise ValueError(f"`{item}` does not end in a port")
        target = target.removeprefix("[").removesuffix("]")
        below = target.startswith("*.")
        return cls(_network(target) or "." * below + name_of(target[2 * below :]), port)

    def is_of(self, host: str, address: Address) -> bool:
        """Whether that address is meant when it is that host's."""
        if not isinstance(self.target, str):
            return address in self.target
        name = host.lower().rstrip(".")
        return name.endswith(self.target) if self.target.startswith(".") else name == self.target

    def is_at(self, port: int) -> bool:
        """Whether that port is meant."""
        return is_usual(port) if self.port is None else self.port in {0, port}


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be connected to beside usual ports of public addresses."""

    allowed: tuple[Allowed, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a list of `Allowed`, separated by commas. Raises `ValueError`."""
        return cls(tuple(Allowed.parse(item) for part in text.split(",") if (item := part.strip().lower())))

    def takes(self, host: str, address: Address, port: int | None) -> bool:
        """Whether a connection to that address and port may be made for that host; None is a port that others judge."""
        if is_public(address) and (port is None or is_usual(port)):
            return True
        return any(each.is_of(host, address) and (port is None or each.is_at(port)) for each in self.allowed)

    def _may_take(self, port: int) -> bool:
        """Whether there is anything that may be connected to at that port."""
        return is_usual(port) or any(each.is_at(port) for each in self.allowed)

    def read(self, text: str) -> URL:
        """A URL that may be tried: its host is judged already if it is an address. Raises `Refused`."""
        if len(text) > URL_CHARS:
            raise Refused(f"must have at most {URL_CHARS} characters")
        if any(char <= " " or char == "\x7f" for char in text):
            raise Refused("must not have blanks or control characters in it")
        try:
            url = URL(text)
            host, port = url.raw_host, url.port
        except ValueError:
            raise Refused("must be a URL such as https://example.com/hook") from None
        if url.scheme not in SCHEMES or not host or not port:
            raise Refused("must be a URL of http or https, with a host")
        if url.raw_user is not None or url.raw_password is not None:
            raise Refused("must not have a user or a password in it")
        address = _literal(host)
        if address is None and not _is_name(host):
            raise Refused("must name a host, or an address in its usual form")
        if not self._may_take(port):
            raise NotPublic(_PORTS)
        if address is not None and not self.takes(host, address, None):
            raise NotPublic("must not name an address that is not public")
        if address is not None and not self.takes(host, address, port):
            raise NotPublic(_PORTS)
        return url

    def choose(self, host: str, addresses: Sequence[Address], port: int | None) -> list[Address]:
        """Those of a host's addresses that may be connected to, at least one. Raises `Refused`."""
        taken = [address for address in addresses if self.takes(host, address, port)]
        if not taken:
            raise NotPublic("must name a host with a public address, and a port that may be connected to")
        return taken


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _network(item: str) -> Network | None:
    try:
        return ip_network(item)
    except ValueError:
        if "/" in item or ":" in item:
            raise
        return None


def _is_name(host: str) -> bool:
    return _NAME.fullmatch(host) is not None and not _ENDS_IN_A_NUMBER.search(host)


def name_of(item: str) -> str:
    """A name as URLs have it. Raises `ValueError`."""
    host = URL.build(scheme="http", host=item.rstrip(".")).raw_host
    if not host or not _is_name(host):
        raise ValueError(f"`{item}` is neither a host nor a network")
    return host
