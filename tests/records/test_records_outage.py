"""What a database that is away, starting or too busy looks like to us, and what it must not be mistaken for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import is_outage, is_reachable, open_engine, reading, transaction
from stack.postgres import EmbeddedPostgres
from support.eventually import eventually
from support.faults import breakable_postgres


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    async with breakable_postgres(tmp_path_factory.mktemp("breakable")) as server:
        yield server


@pytest.fixture
async def engine(server: EmbeddedPostgres) -> AsyncIterator[AsyncEngine]:
    async with open_engine(server.url(), pool_size=4, application="tailrace-test") as engine:
        yield engine


async def run(engine: AsyncEngine, *statements: str) -> None:
    """All in one transaction."""
    async with transaction(engine) as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def failure_of(engine: AsyncEngine, *statements: str) -> Exception:
    """What they fail with."""
    with pytest.raises(Exception) as failed:  # noqa: PT011 - which one is what the tests ask
        await run(engine, *statements)
    return failed.value


async def test_nothing_that_a_restart_causes_is_taken_for_a_mistake_of_ours(
    server: EmbeddedPostgres, engine: AsyncEngine
) -> None:
    """Connections break, the socket is gone, and a server that starts or stops says so: all of it is an outage."""
    failures: list[Exception] = []
    done = asyncio.Event()

    async def work() -> None:
        while not done.is_set():
            try:
                async with transaction(engine) as connection:
                    await connection.execute(text("SELECT pg_sleep(0.002)"))
            except Exception as error:  # noqa: BLE001 - judged below
                failures.append(error)
                await asyncio.sleep(0)

    workers = [asyncio.create_task(work()) for _ in range(4)]
    for end in (server.stop, server.kill, server.stop, server.kill):
        await eventually(lambda: is_reachable(engine))
        seen = len(failures)
        await end()
        await eventually(lambda seen=seen: len(failures) > seen)
        await server.start()
    await eventually(lambda: is_reachable(engine))
    done.set()
    await asyncio.gather(*workers)
    assert [error for error in failures if not is_outage(error)] == []


async def test_a_server_that_is_gone_is_not_reachable(server: EmbeddedPostgres, engine: AsyncEngine) -> None:
    assert await is_reachable(engine)
    await server.stop()
    try:
        assert not await is_reachable(engine)
    finally:
        await server.start()
    assert await is_reachable(engine)


async def test_connections_that_broke_while_nobody_used_them_are_not_given_out(
    server: EmbeddedPostgres, engine: AsyncEngine
) -> None:
    for end in (server.stop, server.kill):
        await asyncio.gather(*(run(engine, "SELECT pg_sleep(0.2)") for _ in range(4)))
        await end()
        await server.start()
        await asyncio.gather(*(run(engine, "SELECT pg_sleep(0.2)") for _ in range(4)))


async def test_a_server_without_a_free_connection_is_an_outage(server: EmbeddedPostgres) -> None:
    async def hold(engine: AsyncEngine, until: asyncio.Event) -> None:
        async with transaction(engine) as connection:
            await connection.execute(text("SELECT 1"))
            await until.wait()

    release = asyncio.Event()
    async with open_engine(server.url(), pool_size=60, application="tailrace-test") as engine:
        holders = [asyncio.create_task(hold(engine, release)) for _ in range(40)]
        await eventually(lambda: any(holder.done() for holder in holders))
        release.set()
        failures = [error for error in await asyncio.gather(*holders, return_exceptions=True) if error]
    assert failures
    assert all(is_outage(error) for error in failures)


async def test_a_pool_without_a_free_connection_is_an_outage(server: EmbeddedPostgres) -> None:
    async with open_engine(server.url(), pool_size=1, application="tailrace-test") as engine:
        engine.pool._timeout = 0.05  # type: ignore[attr-defined]
        async with transaction(engine):
            error = await failure_of(engine, "SELECT 1")
            assert not await is_reachable(engine)
    assert is_outage(error)


@pytest.mark.parametrize(
    "statements",
    [
        ("SET LOCAL statement_timeout = 20", "SELECT pg_sleep(5)"),
        ("SELECT pg_terminate_backend(pg_backend_pid())",),
    ],
)
async def test_a_statement_that_was_cut_off_is_an_outage(engine: AsyncEngine, statements: tuple[str, ...]) -> None:
    assert is_outage(await failure_of(engine, *statements))


async def test_a_statement_has_the_time_that_the_engine_was_opened_with(server: EmbeddedPostgres) -> None:
    async with open_engine(server.url(), pool_size=1, application="tailrace-test", statement_timeout=0.1) as engine:
        error = await failure_of(engine, "SELECT pg_sleep(60)")
    assert "statement timeout" in str(error)


async def test_what_the_driver_leaves_half_said_runs_out_of_time_on_nobody(
    server: EmbeddedPostgres,
) -> None:
    """It was parsed when its argument turned out to be none, and nobody has told the server that nothing follows."""
    async with (
        open_engine(server.url(), pool_size=1, application="tailrace-test", statement_timeout=0.5) as engine,
        open_engine(server.url(), pool_size=1, application="tailrace-test") as patient,
    ):
        with pytest.raises(DBAPIError, match="invalid input"):
            async with reading(engine) as connection:
                await connection.exec_driver_sql("SELECT $1::uuid", (5,))
        async with reading(patient) as connection:
            await connection.execute(text("SELECT pg_sleep(1)"))
        async with transaction(engine) as connection:
            assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1


async def test_a_lock_that_was_not_had_in_time_is_an_outage(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text("LOCK TABLE pools IN ACCESS EXCLUSIVE MODE"))
        error = await failure_of(engine, "SET LOCAL lock_timeout = 20", "SELECT * FROM pools")
    assert is_outage(error)


async def test_a_deadlock_is_an_outage_for_the_one_that_was_chosen(engine: AsyncEngine) -> None:
    both_hold = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with transaction(engine) as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({first})"))
            await both_hold.wait()
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({second})"))

    outcomes = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    failures = [outcome for outcome in outcomes if outcome is not None]
    assert len(failures) == 1
    assert is_outage(failures[0])


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 / 0",
        "SELECT * FROM no_such_table",
        "SELEC 1",
        "INSERT INTO pools (name) VALUES ('default')",
        "INSERT INTO pools (name) VALUES (NULL)",
        "SELECT '\\x00'::bytea::text::integer",
    ],
)
async def test_a_mistake_of_ours_is_no_outage(engine: AsyncEngine, statement: str) -> None:
    assert not is_outage(await failure_of(engine, statement))


@pytest.mark.parametrize("error", [ValueError(), RuntimeError(), KeyError("x"), asyncio.CancelledError()])
async def test_an_error_that_has_nothing_to_do_with_the_database_is_no_outage(error: BaseException) -> None:
    assert not is_outage(error)


async def test_what_was_committed_survives_a_crash_and_what_was_not_does_not(
    server: EmbeddedPostgres, engine: AsyncEngine
) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text("INSERT INTO pools (name) VALUES ('committed')"))
    async with engine.connect() as connection:
        await connection.execute(text("INSERT INTO pools (name) VALUES ('not committed')"))
        await server.kill()
        await server.start()
        with pytest.raises(Exception) as failed:  # noqa: PT011
            await connection.commit()
        assert is_outage(failed.value)
    assert await names(engine) >= {"committed"}
    assert "not committed" not in await names(engine)


async def names(engine: AsyncEngine) -> set[Any]:
    async with reading(engine) as connection:
        return set((await connection.execute(text("SELECT name FROM pools"))).scalars())
