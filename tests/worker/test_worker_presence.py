import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from app.db.engine import open_engine, reading
from app.workers.tables import Worker
from stack.engine import ensure_engine
from support.eventually import eventually
from support.fault_proxy import fault_proxy
from support.records import Records, opened
from worker import claims, presence
from worker.engine.docker import DockerRuntime
from worker.metrics import WorkerMetrics
from worker.presence import EngineWatch, Presence, ProcessLock, bury, list_gone
from worker.supervisor import open_supervisor

REPOSITORY = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pathlib import Path
from uuid import UUID
from worker.presence import ProcessLock

lock = ProcessLock(Path(sys.argv[1]), UUID(sys.argv[2]))
print("locked", flush=True)
sys.stdin.read()
lock.release()
"""


class Elsewhere:
    """Another worker process that holds its lock."""

    def __init__(self, data: Path, worker: UUID) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(data), str(worker)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"locked\n"

    def leave(self) -> None:
        """In order."""
        self.process.communicate()

    def die(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def worker() -> UUID:
    return uuid4()


@pytest.fixture
def elsewhere(tmp_path: Path, worker: UUID) -> Iterator[Elsewhere]:
    other = Elsewhere(tmp_path, worker)
    yield other
    if other.process.returncode is None:
        other.die()


def test_a_worker_that_runs_is_not_gone(tmp_path: Path, elsewhere: Elsewhere) -> None:
    assert elsewhere.process.poll() is None
    assert list_gone(tmp_path) == []
    assert list_gone(tmp_path) == []


def test_a_worker_that_was_killed_is_provably_gone_until_it_is_buried(
    tmp_path: Path, elsewhere: Elsewhere, worker: UUID
) -> None:
    elsewhere.die()
    assert list_gone(tmp_path) == [worker]
    assert list_gone(tmp_path) == [worker]
    bury(tmp_path, worker)
    assert list_gone(tmp_path) == []
    bury(tmp_path, worker)


def test_a_worker_that_left_in_order_leaves_nothing(tmp_path: Path, elsewhere: Elsewhere) -> None:
    elsewhere.leave()
    assert elsewhere.process.returncode == 0
    assert list_gone(tmp_path) == []
    assert list((tmp_path / "run" / "workers").iterdir()) == []


def test_our_own_lock_does_not_make_us_gone(tmp_path: Path, worker: UUID) -> None:
    lock = ProcessLock(tmp_path, worker)
    assert list_gone(tmp_path) == []
    lock.release()
    assert list_gone(tmp_path) == []


def test_a_host_without_workers_has_none_that_are_gone(tmp_path: Path) -> None:
    assert list_gone(tmp_path) == []


async def test_a_worker_renews_its_heartbeat(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "HEARTBEAT_EVERY", 0.01)
    await records.run()
    heir = await records.colleague()

    async def silence() -> float:
        (orphan,) = await heir.commit(lambda connection: claims.find_orphans(connection, heir.worker))
        return orphan.silent_for

    async def is_silent() -> bool:
        return await silence() > 0.2

    async def is_heard() -> bool:
        return await silence() < 0.2

    await eventually(is_silent)
    alive = Presence(records.process.database, records.worker.id)
    renewing = asyncio.create_task(alive.run())
    await eventually(is_heard)
    assert alive.certain
    renewing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await renewing


async def test_a_worker_without_a_database_is_uncertain_after_a_while_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "HEARTBEAT_EVERY", 0.01)
    monkeypatch.setattr(presence, "FENCE_MYSELF_AFTER", 0.5)
    nowhere = f"postgresql://tailrace@/nowhere?host={tmp_path}"
    async with open_engine(nowhere, pool_size=1, application="test") as database:
        alone = Presence(database, uuid4())
        assert alone.certain
        renewing = asyncio.create_task(alone.run())
        await eventually(lambda: not alone.certain)
        assert not renewing.done()
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def test_a_worker_of_which_the_record_knows_nothing_ends_instead_of_claiming_nothing(records: Records) -> None:
    unknown = Presence(records.process.database, uuid4())
    unknown.asked.set()
    with pytest.raises(ExceptionGroup) as ended:
        await unknown.run()
    assert ended.group_contains(claims.Unregistered)


async def test_a_worker_whose_connections_are_all_busy_renews_all_the_same(
    records: Records, images: None, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = {"database_pool": 1, "pool": f"pool-{uuid4().hex}"}
    async with (
        opened(database_url, redis_url, tmp_path, **settings) as process,
        DockerRuntime() as runtime,
        open_supervisor(process, runtime, WorkerMetrics()) as supervisor,
    ):
        presence = supervisor._presence
        beating = asyncio.create_task(presence.run())
        async with process.database.connect():
            await renewed(records, presence)
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def test_an_engine_that_hangs_is_told_of_and_makes_nobody_wait(
    records: Records, images: None, tmp_path: Path
) -> None:
    engine = Path(ensure_engine().docker_host.removeprefix("unix://"))
    async with fault_proxy(tmp_path / "engine", engine) as proxy, DockerRuntime(f"unix://{tmp_path}/engine") as runtime:
        watch = EngineWatch(runtime, await runtime.identify(), within=1)
        patient = EngineWatch(runtime, await runtime.identify(), within=60)
        alive = Presence(records.process.database, records.worker.id, watch)
        beating = asyncio.create_task(alive.run())
        await proxy.hang()
        looking = asyncio.create_task(patient.look())
        await renewed(records, alive)
        assert not looking.done()
        await watch.look()
        await renewed(records, alive)
        row = await row_of(records)
        assert (row.engine_ok, row.engine_message) == (False, watch.health.message)
        assert row.engine_ok_at < row.heartbeat_at
        await proxy.refuse()
        await watch.look()
        assert not watch.health.ok
        await proxy.heal()

        async def is_well() -> bool:
            await watch.look()  # which may take longer than it is given here
            return watch.health.ok

        await eventually(is_well)
        await renewed(records, alive)
        ill, row = row, await row_of(records)
        assert (row.engine_ok, row.engine_message) == (True, None)
        assert row.engine_ok_at > ill.heartbeat_at
        await asyncio.gather(looking)
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def test_another_engine_at_the_same_address_is_no_good_engine(images: None) -> None:
    async with DockerRuntime() as runtime:
        watch = EngineWatch(runtime, replace(await runtime.identify(), id="the one before"))
        await watch.look()
    assert not watch.health.ok
    assert "another engine" in (watch.health.message or "")


async def renewed(records: Records, presence: Presence) -> None:
    """Ask for a beat, and wait until it has come."""
    before = (await row_of(records, presence._worker)).heartbeat_at

    async def later() -> bool:
        return (await row_of(records, presence._worker)).heartbeat_at > before

    presence.asked.set()
    await eventually(later)


async def row_of(records: Records, worker: UUID | None = None) -> Any:
    statement = select(Worker.__table__).where(Worker.id == (worker or records.worker.id))
    async with reading(records.process.database) as connection:
        return (await connection.execute(statement)).one()


async def test_nobody_judges_others_before_having_been_steady_for_as_long_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "LOST_AFTER", 0.0)
    async with open_engine("postgresql:///x", pool_size=1, application="test") as database:
        fresh = Presence(database, uuid4())
        assert fresh.may_judge
        monkeypatch.setattr(claims, "LOST_AFTER", 30.0)
        assert not fresh.may_judge
