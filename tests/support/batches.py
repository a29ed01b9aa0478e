"""Batches of executions that nobody runs."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from app.batches import service
from app.batches.service import BatchDraft, ChildDraft
from app.db.engine import reading
from app.executions.model import NO_RETRIES, Limits, Retries, Spec
from app.executions.service import Draft
from app.executions.tables import Execution
from support.records import ANN, Records


async def submit_batch(
    records: Records,
    *needs: Sequence[str],
    size: int = 0,
    max_parallel: int | None = None,
    fail_fast: bool = False,
    retries: Retries = NO_RETRIES,
    hold: Sequence[int] = (),
) -> tuple[UUID, list[UUID]]:
    """A batch and its children: those with these `needs`, whose keys are `a`, `b`, …; or so many without."""
    children = [
        ChildDraft(
            draft=Draft(
                spec=Spec(image="busybox:local"),
                limits=Limits(),
                retries=retries,
                labels={},
                pool=records.worker.pool,
                hold=index in hold,
            ),
            where=f"items[{index}]",
            key=("abcdefgh"[index] if len(needs) <= 8 else f"c{index}") if needs else None,
            needs=each,
        )
        for index, each in enumerate(needs or [()] * size)
    ]
    draft = BatchDraft(
        name=None, note=None, labels={}, children=children, max_parallel=max_parallel, fail_fast=fail_fast
    )

    async def draft_of() -> BatchDraft:
        return draft

    batch = (await service.submit(records.process, ANN, draft_of)).record.id
    async with reading(records.process.database) as connection:
        rows = await connection.execute(
            select(Execution.id).where(Execution.batch_id == batch).order_by(Execution.batch_index)
        )
        return batch, list(rows.scalars())
