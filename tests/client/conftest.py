from collections.abc import AsyncIterator, Iterator

import pytest

from support.fault_proxy import FaultProxy, fault_proxy
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


@pytest.fixture
async def line(tailrace: Running) -> AsyncIterator[FaultProxy]:
    """A line to the API that can break."""
    async with fault_proxy(("127.0.0.1", 0), ("127.0.0.1", int(tailrace.url.rpartition(":")[2]))) as proxy:
        yield proxy


@pytest.fixture
async def far(tailrace: Running, line: FaultProxy) -> AsyncIterator[AsyncClient]:
    """A client behind that line."""
    async with AsyncClient(f"http://127.0.0.1:{line.port}", tailrace.token) as client:
        yield client
