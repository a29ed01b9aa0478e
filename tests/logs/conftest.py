from collections.abc import AsyncIterator

import pytest

from app.bootstrap import Process
from support.logbook import Logbook, writing
from support.records import Records, opened


@pytest.fixture(scope="session")
async def process(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Process]:
    async with opened(database_url, redis_url, tmp_path_factory.mktemp("data"), database_pool=20) as process:
        yield process


@pytest.fixture
async def records(process: Process) -> Records:
    return await Records.of(process)


@pytest.fixture
async def logbook(records: Records) -> AsyncIterator[Logbook]:
    async with writing(records) as logbook:
        yield logbook
