"""How many may run of a method over all pools, and that failures in a row disable it. All of it exact."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select, update

from app.bootstrap import Process
from app.db.engine import transaction
from app.executions import accepting
from app.executions.model import MethodRef
from app.executions.repository import find
from app.executions.states import Cause, Status
from app.executions.waiting import WaitingOn
from app.methods import repository
from app.methods.model import MethodRecord
from app.methods.tables import Method
from app.pools.tables import Pool
from support.eventually import eventually
from support.racing import is_blocked_by, race, repeated, winners
from support.records import Records
from worker.claims import Claim


async def a_method(process: Process, **columns: Any) -> str:
    name = f"m-{uuid4().hex[:12]}"
    async with transaction(process.database) as connection:
        await connection.execute(insert(Method).values(name=name, owner="ann", **columns))
    return name


async def change(process: Process, name: str, **columns: Any) -> None:
    async with transaction(process.database) as connection:
        await connection.execute(update(Method).where(Method.name == name).values(**columns))


async def method(process: Process, name: str) -> MethodRecord:
    async with transaction(process.database) as connection:
        found = await repository.find_method(connection, name)
    assert found is not None
    return found


async def submit(records: Records, name: str | None, **more: Any) -> UUID:
    new = records.a_submission(**more)
    if name is not None:
        of = MethodRef(name=name, version="1.0.0")
        new = replace(new, spec=new.spec.model_copy(update={"method": of}))
    await records.commit(lambda connection: accepting.add(connection, new))
    return new.id


def methods_of(claims: Sequence[Claim]) -> list[str | None]:
    return [claim.record.spec.method.name if claim.record.spec.method else None for claim in claims]


# How many run


async def test_no_more_run_than_a_method_allows(records: Records) -> None:
    few, many = await a_method(records.process, max_running=2), await a_method(records.process)
    for _ in range(4):
        await submit(records, few)
    for name in (many, None):
        await submit(records, name)
    taken = await records.take(most=6)
    assert methods_of(taken) == [few, few, many, None]
    assert await records.take(most=6) == []
    await records.finish(taken[0])
    assert methods_of(await records.take(most=6)) == [few]
    await change(records.process, few, max_running=None)
    assert methods_of(await records.take(most=6)) == [few]


async def test_a_method_that_is_full_keeps_nobody_else_waiting(records: Records) -> None:
    full = await a_method(records.process, max_running=0)
    for _ in range(20):
        await submit(records, full)
        await submit(records, full, owner="bob")
    await submit(records, None)
    other = await a_method(records.process, max_running=1)
    await submit(records, other, owner="bob")
    await submit(records, other, owner="cy")
    assert sorted(map(str, methods_of(await records.take(most=2)))) == sorted(["None", other])


async def test_what_waits_for_its_method_says_so(records: Records) -> None:
    name = await a_method(records.process, max_running=1)
    first, second = await submit(records, name), await submit(records, name)

    async def waits(execution: UUID) -> WaitingOn | None:
        record = await records.commit(lambda connection: find(connection, execution))
        assert record is not None
        return record.waiting_on

    assert await waits(first) is WaitingOn.SLOT
    await records.take()
    assert (await waits(first), await waits(second)) == (None, WaitingOn.QUOTA)
    await records.commit(lambda connection: repository.disable(connection, name, by="ann", reason="Broken."))
    assert await waits(second) is WaitingOn.HOLD
    await change(records.process, name, max_running=None)
    assert await records.take(most=4) == []
    await records.commit(lambda connection: repository.enable(connection, name))
    assert await waits(second) is WaitingOn.SLOT
    assert len(await records.take(most=4)) == 1


@repeated
async def test_a_methods_limit_holds_over_all_pools_however_many_claim_at_once(
    records: Records, repetitions: int
) -> None:
    name = await a_method(records.process, max_running=3)
    pools = [records, *[await Records.of(records.process) for _ in range(3)]]
    chance = random.Random(repetitions)  # noqa: S311 - a schedule
    running: list[tuple[Records, Claim]] = []
    for _ in range(repetitions):
        for pool in pools:
            await submit(pool, name)
        free = await submit(pools[0], None)
        races = await race(records.process, *(pool.claiming(most=4) for pool in pools))
        won = [(pool, claim) for pool, claims in zip(pools, winners(races), strict=True) for claim in claims]
        assert free in [claim.lease.execution for _, claim in won]
        running += [(pool, claim) for pool, claim in won if claim.lease.execution != free]
        assert len(running) == 3
        for ended in chance.sample(running, chance.randint(1, 3)):
            await ended[0].finish(ended[1])
            running.remove(ended)
        for pool, claim in won:
            if claim.lease.execution == free:
                await pool.finish(claim)


async def test_what_came_of_a_method_after_the_lock_has_the_next_turn(records: Records) -> None:
    """Nobody would have counted what runs of it elsewhere."""
    name = await a_method(records.process, max_running=1)
    await submit(records, None)
    async with records.process.database.connect() as connection:
        await connection.execute(select(Pool).where(Pool.name == records.worker.pool).with_for_update(key_share=True))
        waiting = asyncio.create_task(records.take(most=4))
        await eventually(lambda: is_blocked_by(records.process, connection))
        await submit(records, name)
        await connection.commit()
    assert methods_of(await waiting) == [None]
    assert methods_of(await records.take(most=4)) == [name]


# Failures in a row


async def fail(records: Records, execution: UUID, cause: Cause = Cause.EXIT_NONZERO) -> None:
    """As a worker would, with nothing beside the end."""
    await records.move(execution, Status.FAILED, cause=cause, only_from={Status.QUEUED}, message="It failed.")


async def test_failures_in_a_row_disable_a_method(records: Records) -> None:
    name = await a_method(records.process, pause_after_failures=3)
    failed = [await submit(records, name) for _ in range(3)]
    for execution in failed[:2]:
        await fail(records, execution)
    assert ((await method(records.process, name)).failures, (await method(records.process, name)).runnable) == (2, True)
    await fail(records, failed[2])
    stopped = await method(records.process, name)
    assert (stopped.runnable, stopped.disabled_by) == (False, "system")
    assert stopped.disabled_reason is not None
    assert stopped.disabled_reason.startswith("3 executions in a row failed")
    assert all(str(execution) in stopped.disabled_reason for execution in failed)
    await records.commit(lambda connection: repository.enable(connection, name))
    again = await method(records.process, name)
    assert (again.runnable, again.failures) == (True, 0)


async def test_a_success_ends_the_row_and_what_is_no_fault_of_it_does_not_count(records: Records) -> None:
    name = await a_method(records.process, pause_after_failures=3)

    async def failures() -> int:
        return (await method(records.process, name)).failures

    await fail(records, await submit(records, name))
    canceled = await submit(records, name)
    await records.move(canceled, Status.CANCELED, cause=Cause.CANCELED_BY_USER, message="x")
    crashed = await submit(records, name)
    await records.move(crashed, Status.CRASHED, cause=Cause.ENGINE_ERROR, message="x")
    late = await submit(records, name)
    await records.move(late, Status.TIMED_OUT, cause=Cause.QUEUE_TIMEOUT, message="x")
    assert await failures() == 1
    await submit(records, name)
    (claim,) = await records.take()
    await records.start(claim.lease)
    await records.finish(claim)
    assert await failures() == 0
    await fail(records, await submit(records, name))
    assert (await failures(), (await method(records.process, name)).runnable) == (1, True)


async def test_nobody_can_disable_the_method_of_another_by_failing_on_purpose(records: Records) -> None:
    name = await a_method(records.process, pause_after_failures=2)

    async def failures() -> int:
        return (await method(records.process, name)).failures

    await fail(records, await submit(records, name))
    for _ in range(3):
        await fail(records, await submit(records, name, owner="bob"))
    assert (await failures(), (await method(records.process, name)).runnable) == (1, True)
    # Nor keep it from being disabled.
    await submit(records, name, owner="bob")
    (claim,) = await records.take()
    await records.start(claim.lease)
    await records.finish(claim)
    assert await failures() == 1
    await fail(records, await submit(records, name))
    assert (await failures(), (await method(records.process, name)).runnable) == (2, False)


async def test_what_somebody_disabled_keeps_their_reason(records: Records) -> None:
    name = await a_method(records.process, pause_after_failures=1)
    await records.commit(lambda connection: repository.disable(connection, name, by="ann", reason="Mine."))
    await fail(records, await submit(records, name))
    assert (await method(records.process, name)).disabled_reason == "Mine."


async def test_nobody_counts_who_did_not_ask_for_it(records: Records) -> None:
    name = await a_method(records.process)
    await fail(records, await submit(records, name))
    assert (await method(records.process, name)).failures == 0


@pytest.mark.parametrize("repetitions", [3, pytest.param(30, marks=pytest.mark.slow)])
async def test_failures_are_counted_exactly_however_many_fail_at_once(records: Records, repetitions: int) -> None:
    for _ in range(repetitions):
        name = await a_method(records.process, pause_after_failures=8)
        executions = [await submit(records, name) for _ in range(8)]
        await asyncio.gather(*(fail(records, execution) for execution in executions[:7]))
        assert (await method(records.process, name)).runnable
        await fail(records, executions[7])
        stopped = await method(records.process, name)
        assert (stopped.runnable, stopped.failures) == (False, 8)


async def test_what_a_method_is_counted_by_goes_with_its_executions(records: Records) -> None:
    """A method that nobody knows is no reason for an end to fail."""
    execution = await submit(records, "m-nobody")
    await fail(records, execution)
    async with transaction(records.process.database) as connection:
        counted = select(func.count()).select_from(Method).where(Method.name == "m-nobody")
        assert (await connection.execute(counted)).scalar_one() == 0
