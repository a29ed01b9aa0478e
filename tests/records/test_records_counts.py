"""Sums over all executions: they are those of the records at every moment, whoever writes what meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, insert, select, text, update

from app.bootstrap import Process
from app.db.engine import Connection, reading, snapshot, transaction
from app.db.orm import clock
from app.executions.states import TERMINAL, Cause, Status
from app.executions.tables import Execution
from app.stats import repository
from app.stats.model import FINE_FOR, Group, Scope
from app.stats.tables import ended_counts, flow_counts
from support.racing import repeated
from support.records import Records

EVERY = (Group.STATUS, Group.OWNER, Group.POOL)
DAY = timedelta(days=1)


async def real(connection: Connection, *, archived: bool | None) -> dict[tuple[str, ...], int]:
    """By reading all of them."""
    columns = (Execution.status, Execution.owner, Execution.pool)
    statement = select(*columns, func.count().label("n")).group_by(*columns)
    if archived is not None:
        statement = statement.where(Execution.archived_at.is_not(None) if archived else Execution.archived_at.is_(None))
    return {(row.status, row.owner, row.pool): row.n for row in await connection.execute(statement)}


async def counted(connection: Connection, *, archived: bool | None) -> dict[tuple[str, ...], int]:
    counts = await repository.count(connection, Scope(), by=EVERY, archived=archived)
    return {tuple(count.group[group] for group in EVERY): count.n for count in counts}


async def check_counts(process: Process) -> None:
    async with snapshot(process.database) as connection:
        for archived in (None, False, True):
            assert await counted(connection, archived=archived) == await real(connection, archived=archived)


async def flows(process: Process, scope: Scope) -> dict[str, int]:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    async with reading(process.database) as connection:
        found = await repository.sum_flows(connection, scope, since=today - 9 * DAY, until=today + 2 * DAY, step=DAY)
    totals: dict[str, int] = {}
    for flow in found:
        totals[flow.what] = totals.get(flow.what, 0) + flow.n
    return totals


async def fold(process: Process) -> int:
    async with transaction(process.database) as connection:
        return await repository.fold(connection)


async def archive(connection: Connection, execution: UUID, *, back: bool = False) -> None:
    values = {"archived_at": None if back else clock()}
    await connection.execute(update(Execution).where(Execution.id == execution).values(values))


@pytest.mark.parametrize("status", Status)
async def test_one_of_every_status_is_counted_archived_and_deleted(records: Records, status: Status) -> None:
    execution = (await records.in_status(status)).execution
    await check_counts(records.process)
    if status in TERMINAL:
        await records.commit(lambda connection: archive(connection, execution))
        await check_counts(records.process)
        await records.commit(lambda connection: archive(connection, execution, back=True))
        await check_counts(records.process)
    await records.commit(lambda connection: connection.execute(delete(Execution).where(Execution.id == execution)))
    await check_counts(records.process)


async def test_what_is_rolled_back_is_not_counted(records: Records) -> None:
    claim = await records.run()
    async with records.process.database.connect() as connection:
        await connection.execute(
            update(Execution)
            .where(Execution.id == claim.lease.execution)
            .values(status=Status.SUCCEEDED, cause=Cause.OK, finished_at=clock())
        )
        await connection.rollback()
    await check_counts(records.process)


async def test_a_statement_for_many_counts_them_all(records: Records) -> None:
    """As an import, or an operator, may do it."""
    pool, owner = records.worker.pool, f"owner-{uuid4().hex}"
    one = {"owner": owner, "pool": pool, "spec": {"image": "i"}, "limits": {}, "status": "queued"}
    await records.commit(
        lambda connection: connection.execute(insert(Execution), [one | {"id": uuid4()} for _ in range(50)])
    )
    await check_counts(records.process)
    ended = {"status": Status.CRASHED, "cause": Cause.HOST_LOST, "finished_at": clock()}
    mine = Execution.owner == owner
    await records.commit(lambda connection: connection.execute(update(Execution).where(mine).values(ended)))
    await check_counts(records.process)
    assert await flows(records.process, Scope(owners=frozenset({owner}))) == {"submitted": 50, "crashed": 50}
    await records.commit(lambda connection: connection.execute(delete(Execution).where(mine)))
    await check_counts(records.process)
    assert await flows(records.process, Scope(owners=frozenset({owner}))) == {"submitted": 50, "crashed": 50}


async def test_a_fold_makes_fewer_rows_of_the_same_sums(records: Records) -> None:
    owner = f"owner-{uuid4().hex}"
    for _ in range(5):
        execution = await records.submit(owner=owner)
        (claim,) = await records.take()
        await records.start(claim.lease)
        await records.end(claim.lease)
    await records.commit(lambda connection: connection.execute(delete(Execution).where(Execution.id == execution)))
    before = await flows(records.process, Scope(owners=frozenset({owner})))
    assert before == {"submitted": 5, "started": 5, "succeeded": 5}
    assert await fold(records.process) > 0
    await check_counts(records.process)
    assert await flows(records.process, Scope(owners=frozenset({owner}))) == before
    async with reading(records.process.database) as connection:
        kept = select(func.count(), func.sum(ended_counts.c.n)).where(ended_counts.c.owner == owner)
        assert (await connection.execute(kept)).one() == (1, 4)
    await records.commit(lambda connection: connection.execute(delete(Execution).where(Execution.owner == owner)))
    await fold(records.process)
    async with reading(records.process.database) as connection:
        assert (await connection.execute(kept)).one() == (0, None)


async def test_old_flows_are_kept_by_the_hour(records: Records) -> None:
    owner = f"owner-{uuid4().hex}"
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - FINE_FOR - timedelta(hours=2)
    rows = [
        {"at": begin + timedelta(minutes=minute), "owner": owner, "pool": "p", "what": "submitted", "n": 1}
        for minute in range(0, 60, 7)
    ]
    await records.commit(lambda connection: connection.execute(insert(flow_counts), rows))
    await fold(records.process)
    async with reading(records.process.database) as connection:
        kept = select(flow_counts.c.at, flow_counts.c.n).where(flow_counts.c.owner == owner)
        assert (await connection.execute(kept)).all() == [(begin, len(rows))]


async def test_starts_are_those_of_attempts_and_not_the_end_of_a_pause(records: Records) -> None:
    claim = await records.run()
    for _ in range(2):
        assert await records.freeze(claim.lease)
        assert await records.thaw(claim.lease)
    assert await flows(records.process, Scope(pools=frozenset({records.worker.pool}))) == {"submitted": 1, "started": 1}


@repeated
async def test_sums_are_exact_at_every_moment_of_a_tumult(records: Records, repetitions: int) -> None:
    """Users and workers write, a leader who was replaced folds beside the new one, and whoever looks sees the truth."""
    busy = True
    executions: list[UUID] = []

    async def write(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311
        for _ in range(repetitions):
            executions.append(await records.submit(owner=dice.choice(["ann", "bob"])))
            for claim in await records.take(most=2):
                await records.start(claim.lease)
                await records.end(claim.lease, dice.choice([Cause.OK, Cause.EXIT_NONZERO]))
            await _meddle(records, dice, executions)

    async def look() -> None:
        while busy:
            await check_counts(records.process)

    async def fold_on() -> None:
        while busy:
            await fold(records.process)

    beside = [asyncio.create_task(each) for each in (look(), fold_on(), fold_on())]
    try:
        await asyncio.gather(*map(write, range(4)))
    finally:
        busy = False
        await asyncio.gather(*beside)
    await check_counts(records.process)


async def _meddle(records: Records, dice: random.Random, executions: Sequence[UUID]) -> None:
    """Archive, restore or delete one that has ended, if it is still there."""
    chosen = dice.choice(executions)
    ended = (Execution.id == chosen) & Execution.finished_at.is_not(None)
    async with records.process.database.connect() as connection:
        match dice.randrange(3):
            case 0:
                await connection.execute(update(Execution).where(ended).values(archived_at=clock()))
            case 1:
                await connection.execute(update(Execution).where(ended).values(archived_at=None))
            case _:
                await connection.execute(delete(Execution).where(ended))
        await (connection.rollback() if dice.random() < 0.2 else connection.commit())


async def test_counting_reads_no_execution_that_has_ended(records: Records) -> None:
    """Its plan has the partial indexes of what is active, and the sums."""
    async with reading(records.process.database) as connection:
        await connection.execute(text("ANALYZE executions"))
        statement = repository.counting(Scope(), by=EVERY, archived=None)
        compiled = statement.compile(connection.sync_connection, compile_kwargs={"literal_binds": True})
        await connection.execute(text("SET enable_seqscan = off"))
        plan = [row[0] for row in await connection.execute(text(f"EXPLAIN {compiled}"))]
        await connection.execute(text("RESET enable_seqscan"))
    assert not [line for line in plan if "Seq Scan on executions" in line], "\n".join(plan)
