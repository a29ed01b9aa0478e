"""What workers write of usage: fenced, with peaks for ever and samples within bounds."""

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, text, update

from app.executions.model import Lease
from app.executions.repository import seconds_from_now
from app.executions.tables import Attempt, Execution
from app.usage import repository
from app.usage.model import SAMPLES_AT_MOST, TICK, Sample, stride_at
from app.usage.tables import AttemptUsage, UsageSample
from support.records import Records

SOME = Sample(cpu_seconds=1.5, cores=0.5, memory=1000, memory_peak=2000, pids=3, disk=4096)


async def usage_of(records: Records, lease: Lease, attempt: int = 1) -> tuple[Any, list[Any]]:
    return await records.commit(lambda connection: repository.read(connection, lease.execution, attempt))


async def add(records: Records, *leases: Lease, sample: Sample = SOME) -> None:
    await records.commit(lambda connection: repository.add(connection, dict.fromkeys(leases, sample)))


async def at_tick(records: Records, lease: Lease, tick: int) -> None:
    """As if it had run for so long."""
    began = seconds_from_now(-(tick + 0.5) * TICK)
    values = update(Attempt).where(Attempt.execution_id == lease.execution).values(started_at=began)
    await records.commit(lambda connection: connection.execute(values))


async def test_peaks_stay_and_the_rest_is_what_was_seen_last(records: Records) -> None:
    lease = (await records.run()).lease
    for tick, sample in enumerate(
        (
            SOME,
            Sample(cpu_seconds=2.0, cores=2.0, memory=5000, memory_peak=None, pids=1, disk=None),
            Sample(cpu_seconds=2.5, missing={"memory": "It is not told."}),
        )
    ):
        await at_tick(records, lease, tick)
        await add(records, lease, sample=sample)
    total, samples = await usage_of(records, lease)
    assert (total.cpu_seconds, total.cores_peak, total.memory_peak, total.pids_peak, total.disk_peak) == (
        2.5,
        2.0,
        5000,
        3,
        4096,
    )
    assert (total.cores, total.memory, total.pids, total.disk) == (None, None, None, 4096)
    assert total.missing == {"memory": "It is not told."}
    assert [(sample.tick, sample.cpu_seconds) for sample in samples] == [(0, 1.5), (1, 2.0), (2, 2.5)]


async def test_two_looks_within_a_tick_are_one_sample(records: Records) -> None:
    lease = (await records.run()).lease
    await at_tick(records, lease, 3)
    await add(records, lease)
    await add(records, lease, sample=Sample(cpu_seconds=2.0))
    _, (sample,) = await usage_of(records, lease)
    assert (sample.tick, sample.cpu_seconds, sample.cores, sample.memory) == (3, 2.0, 0.5, None)


async def test_only_who_holds_it_writes_and_only_while_it_runs(records: Records) -> None:
    running, ended, prepared = (
        (await records.run()).lease,
        (await records.run()).lease,
        (await records.claim()).lease,
    )
    await records.end(ended)
    await add(records, Lease(running.execution, running.epoch + 1), ended, prepared)
    for lease in (running, ended, prepared):
        assert await usage_of(records, lease) == (None, [])
    await add(records, running, ended, prepared)
    total, _ = await usage_of(records, running)
    assert total.cpu_seconds == 1.5
    assert await usage_of(records, ended) == (None, [])


async def test_a_deleted_execution_takes_its_usage_with_it(records: Records) -> None:
    lease = (await records.run()).lease
    await add(records, lease)
    await records.commit(
        lambda connection: connection.execute(delete(Execution).where(Execution.id == lease.execution))
    )
    for table in (AttemptUsage, UsageSample):
        left = select(func.count()).where(table.execution_id == lease.execution)
        assert await records.commit(lambda connection, left=left: connection.scalar(left)) == 0


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(1, 500), min_size=1, max_size=25), st.integers(0, 4 * SAMPLES_AT_MOST))
@example([1] * 5, SAMPLES_AT_MOST - 3)
@example([SAMPLES_AT_MOST * 5, 1], 0)
async def test_the_samples_of_a_long_run_are_thinned_as_it_goes_on(
    records: Records, steps: list[int], tick: int
) -> None:
    lease = (await records.run()).lease
    seen: list[int] = []
    for step in steps:
        tick += step
        await at_tick(records, lease, tick)
        await add(records, lease)
        seen.append(tick)
        total, samples = await usage_of(records, lease)
        assert total.stride == stride_at(tick)
        assert [sample.tick for sample in samples] == [each for each in seen if each % stride_at(tick) == 0]
    await records.end(lease)


async def test_a_whole_day_fits(records: Records) -> None:
    """With what a worker would have written at every tick."""
    lease = (await records.run()).lease
    last = int(86_400 / TICK)
    await at_tick(records, lease, last // 2)
    await add(records, lease)
    filled = text(
        "INSERT INTO usage_samples (execution_id, attempt, tick, at)"
        " SELECT :execution, 1, tick, now() FROM generate_series(0, CAST(:last AS bigint), :stride) AS tick"
        " ON CONFLICT DO NOTHING"
    )
    asked = {"execution": lease.execution, "last": last // 2, "stride": stride_at(last // 2)}
    await records.commit(lambda connection: connection.execute(filled, asked))
    await at_tick(records, lease, last)
    await add(records, lease)
    _, samples = await usage_of(records, lease)
    assert SAMPLES_AT_MOST // 4 < len(samples) <= SAMPLES_AT_MOST
    assert {sample.tick % stride_at(last) for sample in samples} == {0}
