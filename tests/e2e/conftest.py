from collections.abc import AsyncIterator

import pytest

from support.running import Running


@pytest.fixture(scope="session")
async def tailrace(tailrace: Running) -> AsyncIterator[Running]:
    """The shared one; its processes must not have met anything that they did not expect."""
    yield tailrace
    complaints = [line for line in tailrace.log.read_text(errors="replace").splitlines() if "[error" in line]
    assert not complaints, "\n".join(complaints)


@pytest.fixture
async def installation(patient: Running) -> Running:
    """The `patient` of a module, which loses its workers, with a worker, whatever the test before did to it."""
    if "worker" not in patient.processes:
        await patient.start("worker", "worker")
    return patient
