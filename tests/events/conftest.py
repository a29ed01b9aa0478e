from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from follower import Replica, replica

from app.bootstrap import Process
from support.records import Records


@pytest.fixture
async def replicas(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[list[Replica]]:
    """Two processes of one installation that each have a feed."""
    prefix = f"test-{uuid4().hex}"
    async with (
        replica(database_url, redis_url, tmp_path, redis_prefix=prefix) as one,
        replica(database_url, redis_url, tmp_path, redis_prefix=prefix) as other,
    ):
        yield [one, other]


@pytest.fixture
def process(replicas: list[Replica]) -> Process:
    return replicas[0].process


@pytest.fixture
async def records(process: Process) -> Records:
    return await Records.of(process)
