from collections.abc import AsyncIterator, Iterator

import pytest

from support.running import Running
from tailrace import AsyncClient, Client


@pytest.fixture
def client(tailrace: Running) -> Iterator[Client]:
    """The one with nothing to await; the installation runs in other processes."""
    with Client(tailrace.url, tailrace.token) as client:
        yield client


@pytest.fixture
async def aclient(tailrace: Running) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(tailrace.url, tailrace.token) as client:
        yield client
