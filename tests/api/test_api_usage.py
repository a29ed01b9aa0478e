"""What an execution uses, as its owner is told."""

from uuid import UUID

import httpx
from hand import Hand
from served import Submit
from sqlalchemy import func, update

from app.bootstrap import Process
from app.db.engine import transaction
from app.executions.model import Lease
from app.executions.repository import seconds_from_now
from app.executions.tables import Attempt
from app.usage import repository
from app.usage.model import SAMPLES_AT_MOST, TICK, Sample

NOTHING = {"cores": None, "memory": None, "pids": None, "disk": None}


async def measured(process: Process, execution: str, sample: Sample, *, tick: int = 0) -> None:
    """As its worker does, so long after the start."""
    began = update(Attempt).where(Attempt.execution_id == UUID(execution))
    async with transaction(process.database) as connection:
        await connection.execute(began.values(start_intent_at=func.now(), started_at=seconds_from_now(-tick * TICK)))
        await repository.add(connection, {Lease(UUID(execution), 1): sample})


async def test_what_runs_shows_what_it_uses_and_what_ended_what_it_used(
    client: httpx.AsyncClient, process: Process, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    record = (await client.get(f"/v1/executions/{execution}")).json()
    own = record["links"]["usage"]
    before = (await client.get(own)).json()
    assert (before["attempt"], before["running"], before["now"], before["samples"]) == (None, False, None, [])
    assert set(before["missing"]) == {"cpu", "network"}

    await hand.start(execution)
    await measured(process, execution, Sample(cpu_seconds=0.2, memory=1000, memory_peak=3000, pids=2, disk=0))
    sample = Sample(cpu_seconds=4.2, cores=0.8, memory=2000, memory_peak=3000, pids=1, missing={"disk": "Too many."})
    await measured(process, execution, sample, tick=1)
    usage = (await client.get(own)).json()
    assert (usage["attempt"], usage["running"], usage["every"]) == (1, True, TICK)
    assert usage["cpu_seconds"] == 4.2
    assert usage["now"] == {"cores": 0.8, "memory": 2000, "pids": 1, "disk": 0}
    assert usage["peak"] == {"cores": 0.8, "memory": 3000, "pids": 2, "disk": 0}
    assert set(usage["missing"]) == {"disk", "network"}
    assert usage["at"] == usage["samples"][-1]["at"]
    assert [each["cpu_seconds"] for each in usage["samples"]] == [0.2, 4.2]
    assert usage["network"] is None

    await hand.end(execution)
    after = (await client.get(own)).json()
    assert after == usage | {"running": False, "now": None}


async def test_of_a_long_run_fewer_samples_are_kept(
    client: httpx.AsyncClient, process: Process, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    await hand.start(execution)
    for tick in (0, 1, 2, SAMPLES_AT_MOST):
        await measured(process, execution, Sample(cpu_seconds=float(tick)), tick=tick)
    usage = (await client.get(f"/v1/executions/{execution}/usage")).json()
    assert usage["every"] == 2 * TICK
    assert [each["cpu_seconds"] for each in usage["samples"]] == [0.0, 2.0, SAMPLES_AT_MOST]


async def test_usage_is_asked_for_of_what_there_is(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    own = f"/v1/executions/{execution}/usage"
    await hand.start(execution)
    assert (await client.get(own, params={"attempt": 1})).json()["peak"] == NOTHING
    assert (await client.get(own, params={"attempt": 2})).status_code == 404
    assert (await stranger.get(own)).status_code == 404
    for params in ({"attempt": 0}, {"attempt": "first"}, {"attempts": 1}):
        assert (await client.get(own, params=params)).status_code == 422
