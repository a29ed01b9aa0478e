"""What becomes of a connection to the database that went wrong."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.engine import open_engine, reading, transaction
from support.eventually import eventually


async def test_a_connection_whose_transaction_never_began_is_not_used_again(database_url: str) -> None:
    """As after a BEGIN that took too long: the driver believes in it, the server knows of none."""
    async with open_engine(database_url, pool_size=1, application="test") as engine:
        async with reading(engine) as connection:
            raw = await connection.get_raw_connection()
            driver = raw.driver_connection
            assert driver is not None
            await driver.transaction().start()
            await driver.execute("ROLLBACK")
        for _ in range(2):
            async with transaction(engine) as connection:
                assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1


async def test_an_engine_leaves_no_connection_with_those_who_still_hold_one(database_url: str) -> None:
    """Else it stays open until the garbage collector comes, which cannot close it."""
    held = asyncio.Event()

    async def hold(engine: AsyncEngine) -> None:
        async with reading(engine) as connection:
            held.set()
            await connection.execute(text("SELECT pg_sleep(600)"))

    async with open_engine(database_url, pool_size=1, application="tailrace-holding") as engine:
        holding = asyncio.create_task(hold(engine))
        await held.wait()
    with pytest.raises(DBAPIError):
        await holding
    async with open_engine(database_url, pool_size=1, application="test") as engine, reading(engine) as connection:

        async def gone() -> bool:
            others = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tailrace-holding'")
            return bool((await connection.execute(others)).scalar_one() == 0)

        await eventually(gone)
