"""The TCP port of the API: whether it is free, and a free one."""

from __future__ import annotations

import errno
import socket

from stack.errors import StackError

EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def check_port(host: str, port: int) -> None:
    """Raise `StackError` if somebody listens there: better now than as a child that dies again and again."""
    try:
        _bind(host, port)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "is taken by another program" if taken else f"cannot be used ({error.strerror})"
        raise StackError(f"{host}:{port} {reason}; set TAILRACE_PORT to another port") from error


def free_port(host: str) -> int:
    """A port that nobody listens on at the moment."""
    return _bind(host, 0)


def url_of(host: str, port: int) -> str:
    """Where a client on this machine finds who listens there."""
    reachable = "127.0.0.1" if host in EVERYWHERE else host
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As the API does: connections of its predecessor that still linger are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])
