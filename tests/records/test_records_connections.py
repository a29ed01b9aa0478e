"""What becomes of a connection to the database that went wrong."""

from sqlalchemy import text

from app.db.engine import open_engine, reading, transaction


async def test_a_connection_whose_transaction_never_began_is_not_used_again(database_url: str) -> None:
    """As after a BEGIN that took too long: the driver believes in it, the server knows of none."""
    engine = open_engine(database_url, pool_size=1, application="test")
    try:
        async with reading(engine) as connection:
            raw = await connection.get_raw_connection()
            driver = raw.driver_connection
            assert driver is not None
            await driver.transaction().start()
            await driver.execute("ROLLBACK")
        for _ in range(2):
            async with transaction(engine) as connection:
                assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    finally:
        await engine.dispose()
