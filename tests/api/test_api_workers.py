"""Workers: who is there, what they hold, and what an operator wants of them."""

import uuid
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from served import Api
from sqlalchemy import func, select, update

from app.auth.tokens import Scope
from app.bootstrap import Process
from app.db.engine import reading, transaction
from app.workers.model import Wanted
from app.workers.tables import Worker
from support.records import Records
from worker import claims
from worker.claims import EngineHealth

WORKERS = "/v1/workers"


async def listed(client: httpx.AsyncClient, worker: UUID, **parameters: Any) -> dict[str, Any] | None:
    """One worker of the list."""
    response = await client.get(WORKERS, params=parameters)
    assert response.status_code == 200, response.text
    found = [item for item in response.json()["items"] if item["id"] == str(worker)]
    assert len(found) <= 1
    return found[0] if found else None


async def state_of(client: httpx.AsyncClient, worker: UUID) -> str:
    found = await listed(client, worker, all=True)
    assert found is not None
    state: str = found["state"]
    return state


async def change(process: Process, worker: UUID, **columns: Any) -> None:
    async with transaction(process.database) as connection:
        await connection.execute(update(Worker).where(Worker.id == worker).values(**columns))


async def wanted_of(process: Process, worker: UUID) -> str:
    async with reading(process.database) as connection:
        wanted: str = (await connection.execute(select(Worker.wanted).where(Worker.id == worker))).scalar_one()
    return wanted


async def test_a_worker_shows_itself_its_engine_and_its_slots(client: httpx.AsyncClient, process: Process) -> None:
    worker = (await Records.of(process)).worker
    found = await listed(client, worker.id)
    assert found is not None
    engine = found.pop("engine")
    assert (engine["id"], engine["version"], engine["ok"], engine["message"]) == (worker.engine.id, "20.10", True, None)
    assert engine["ok_at"] == found["heartbeat_at"] == found["started_at"]
    assert found == {
        "id": str(worker.id),
        "pool": worker.pool,
        "host": "here",
        "pid": 1,
        "version": "0",
        "slots": 8,
        "busy": 0,
        "free": 8,
        "executions": [],
        "state": "active",
        "message": None,
        "started_at": found["started_at"],
        "heartbeat_at": found["heartbeat_at"],
        "gone_at": None,
    }


async def test_everybody_sees_how_much_it_holds_and_their_own_of_it(
    api: Api, admin: httpx.AsyncClient, client: httpx.AsyncClient, stranger: httpx.AsyncClient, process: Process
) -> None:
    records = await Records.of(process)
    pool = {"image": "busybox:local", "pool": records.worker.pool}
    mine, theirs, queued = [
        (await by.post("/v1/executions", json=pool)).json()["id"] for by in (client, stranger, stranger)
    ]
    await records.take(most=2)
    for by, visible in ((client, [mine]), (stranger, [theirs]), (admin, sorted([mine, theirs]))):
        found = await listed(by, records.worker.id)
        assert found is not None
        assert (found["busy"], found["free"], found["executions"]) == (2, 6, visible)
        assert queued not in found["executions"]


async def test_the_state_follows_from_what_is_wanted_and_heard(client: httpx.AsyncClient, process: Process) -> None:
    worker = (await Records.of(process)).worker.id
    assert await state_of(client, worker) == "active"
    await change(process, worker, wanted=Wanted.PAUSE)
    assert await state_of(client, worker) == "paused"
    await change(process, worker, wanted=Wanted.DRAIN)
    assert await state_of(client, worker) == "draining"
    await change(process, worker, heartbeat_at=func.now() - timedelta(seconds=31))
    assert await state_of(client, worker) == "lost"
    await change(process, worker, gone_at=func.now())
    assert await state_of(client, worker) == "gone"


async def test_who_is_gone_is_shown_for_a_day_and_on_request_only(client: httpx.AsyncClient, process: Process) -> None:
    worker = (await Records.of(process)).worker.id
    await change(process, worker, gone_at=func.now() - timedelta(hours=23))
    assert await listed(client, worker) is None
    found = await listed(client, worker, all=True)
    assert found is not None
    assert found["gone_at"] is not None
    await change(process, worker, gone_at=func.now() - timedelta(hours=25))
    assert await listed(client, worker, all=True) is None


async def test_a_heartbeat_brings_the_engines_health_along(client: httpx.AsyncClient, process: Process) -> None:
    records = await Records.of(process)

    async def beat(health: EngineHealth | None) -> dict[str, Any]:
        await records.commit(lambda connection: claims.heartbeat(connection, records.worker.id, engine=health))
        found = await listed(client, records.worker.id)
        assert found is not None
        return found

    born = await listed(client, records.worker.id)
    assert born is not None
    silent = await beat(None)
    assert silent["engine"] == born["engine"]
    assert silent["heartbeat_at"] > born["heartbeat_at"]
    ill = await beat(EngineHealth("20.10", "It gave no answer."))
    assert (ill["engine"]["ok"], ill["engine"]["message"]) == (False, "It gave no answer.")
    assert (ill["engine"]["ok_at"], ill["state"]) == (born["engine"]["ok_at"], "active")
    well = await beat(EngineHealth("24.0"))
    assert (well["engine"]["ok"], well["engine"]["message"], well["engine"]["version"]) == (True, None, "24.0")
    assert well["engine"]["ok_at"] > ill["heartbeat_at"]


@pytest.mark.parametrize(
    ("verb", "state", "wanted"),
    [("pause", "paused", Wanted.PAUSE), ("drain", "draining", Wanted.DRAIN), ("resume", "active", Wanted.WORK)],
)
async def test_what_is_wanted_of_a_worker_is_noted_and_hinted(
    admin: httpx.AsyncClient, process: Process, verb: str, state: str, wanted: Wanted
) -> None:
    worker = (await Records.of(process)).worker.id
    async with process.listener.subscribe(process.channels.control(worker)) as hints:
        for _ in range(2):
            response = await admin.post(f"{WORKERS}/{worker}/{verb}")
            assert response.status_code == 200
            assert (response.json()["id"], response.json()["state"]) == (str(worker), state)
            assert await hints.get(within=10) == b""
    assert await wanted_of(process, worker) == wanted


async def test_a_worker_learns_what_is_wanted_with_its_heartbeat(admin: httpx.AsyncClient, process: Process) -> None:
    records = await Records.of(process)
    worker = records.worker.id
    for verb, wanted in (("pause", Wanted.PAUSE), ("drain", Wanted.DRAIN), ("resume", Wanted.WORK)):
        await admin.post(f"{WORKERS}/{worker}/{verb}")
        assert await records.commit(lambda connection: claims.heartbeat(connection, worker)) is wanted
    # One that was told to go by a signal says so itself, whatever was wanted.
    assert await records.commit(lambda connection: claims.heartbeat(connection, worker, leaving=True)) is Wanted.DRAIN
    assert await state_of(admin, worker) == "draining"


@pytest.mark.parametrize("verb", ["pause", "drain", "resume"])
async def test_of_one_that_is_gone_or_never_was_nothing_can_be_wanted(
    admin: httpx.AsyncClient, process: Process, verb: str
) -> None:
    worker = (await Records.of(process)).worker.id
    await change(process, worker, gone_at=func.now())
    assert (await admin.post(f"{WORKERS}/{worker}/{verb}")).status_code == 409
    assert await wanted_of(process, worker) == Wanted.WORK
    assert (await admin.post(f"{WORKERS}/{uuid.uuid4()}/{verb}")).status_code == 404
    assert (await admin.post(f"{WORKERS}/nonsense/{verb}")).status_code == 422


async def test_looking_needs_read_and_all_else_an_admin(api: Api, process: Process) -> None:
    worker = (await Records.of(process)).worker.id
    reader, operator = await api.client(None, Scope.READ), await api.client(None, Scope.SUBMIT, Scope.CANCEL)
    assert await listed(reader, worker) is not None
    assert (await operator.get(WORKERS)).status_code == 403
    for verb in ("pause", "drain", "resume"):
        answers = [await client.post(f"{WORKERS}/{worker}/{verb}") for client in (reader, operator)]
        assert [answer.status_code for answer in answers] == [403, 403]
    assert await wanted_of(process, worker) == Wanted.WORK


@pytest.mark.parametrize("query", ["all=perhaps", "pool=x"])
async def test_an_option_that_does_not_exist_is_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"{WORKERS}?{query}")).status_code == 422
