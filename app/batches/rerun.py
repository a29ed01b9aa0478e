"""Running a batch again: a new one of the children that did not succeed, or of all, by what is on their records."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import RowMapping

from app.auth.service import Caller
from app.batches import repository
from app.batches.model import BatchRecord
from app.batches.service import BatchDraft, ChildDraft, get_batch
from app.bootstrap import Process
from app.db.engine import reading
from app.errors import Conflict, FieldError, InvalidRequest
from app.executions.model import Limits
from app.executions.record import Record, record_of
from app.executions.rerun import secrets_at_risk
from app.executions.service import Draft
from app.executions.states import Status
from app.methods.catalog import look_up

Needs = Mapping[UUID, Mapping[str, UUID | None]]


async def draft_again(process: Process, caller: Caller, batch: UUID, *, only_failed: bool) -> BatchDraft:
    """What it becomes when it is run again. Those that succeeded are not, and what they left is used again.

    Raises `NotFound`, `Conflict` when it has not ended or there is nothing to run, and `InvalidRequest`.
    """
    async with reading(process.database) as connection:
        record = await get_batch(connection, caller, batch)
        if record.delete_requested_at is not None:
            raise Conflict("It is about to be deleted.", hint="Submit what is to run again.")
        if record.finished_at is None:
            raise Conflict(f"It has not ended: its status is {record.status}.", hint="Cancel it, or wait until it has.")
        rows = await repository.list_children(connection, batch)
        needs = await repository.list_needs(connection, batch)
    await _check_methods(process, caller, rows, only_failed=only_failed)
    return await asyncio.to_thread(_draft, caller, record, rows, needs, only_failed=only_failed)


async def _check_methods(process: Process, caller: Caller, rows: Sequence[RowMapping], *, only_failed: bool) -> None:
    """Nothing of a method that is disabled is accepted. Raises `Conflict`."""
    names = {
        row["method_name"] + "@" + row["method_version"]
        for row in rows
        if row["method_name"] is not None and not (only_failed and row["status"] == Status.SUCCEEDED)
    }
    for found in (await look_up(process, caller, names)).values():
        if isinstance(found, Conflict):
            raise found


def _draft(
    caller: Caller, record: BatchRecord, rows: Sequence[RowMapping], needs: Needs, *, only_failed: bool
) -> BatchDraft:
    wanted = [record_of(row) for row in rows if not (only_failed and row["status"] == Status.SUCCEEDED)]
    if not wanted:
        raise Conflict("There is nothing to run again.", hint='All of it: {"only": "all"}.' if only_failed else "")
    _check(caller, wanted, needs)
    again = {child.id for child in wanted}
    return BatchDraft(
        name=record.name,
        note=record.note,
        labels=record.labels,
        children=[_child(child, needs.get(child.id, {}), again) for child in wanted],
        max_parallel=record.max_parallel,
        fail_fast=record.fail_fast,
        rerun_of=record.id,
    )


def _child(record: Record, needs: Mapping[str, UUID | None], again: set[UUID]) -> ChildDraft:
    index, size = record.batch_index or 0, record.batch_size or 1
    return ChildDraft(
        draft=Draft(
            spec=record.spec,
            # What was accepted once is not held against the caps of today.
            limits=Limits.model_construct(_fields_set=set(), **dict(record.limits)),
            retries=record.retries,
            name=record.name,
            note=record.note,
            labels=record.labels,
            pool=record.pool,
            priority=record.priority,
            lane=record.lane,
            resume_from=record.resumed_from,
            rerun_of=record.id,
        ),
        where=f"children[{index}]",
        key=record.batch_key,
        needs=[name for name, needed in needs.items() if needed in again],
        upstream={name: needed for name, needed in needs.items() if needed is not None and needed not in again},
        # Programs choose their part of the work by it.
        place=(index, size),
    )


def _check(caller: Caller, children: Sequence[Record], needs: Needs) -> None:
    """What cannot be had again. Raises `InvalidRequest`."""
    secrets = "are not kept after the end: run it again by itself, with them"
    wrong = [
        FieldError(f"children[{child.batch_index}].secrets", "missing", secrets)
        for child in children
        if child.spec.secrets
    ]
    wrong += [
        FieldError(f"children[{child.batch_index}].needs", "gone", f"has what was deleted: `{name}`")
        for child in children
        for name, needed in needs.get(child.id, {}).items()
        if needed is None
    ]
    for child in children:
        wrong += secrets_at_risk(caller, child, child.spec, f"children[{child.batch_index}].")
    if wrong:
        raise InvalidRequest.of(wrong)
