"""Whether an execution may start from the checkpoint of another."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, literal, or_, select

from app.auth.service import Caller
from app.batches.tables import Batch
from app.db.engine import Connection
from app.errors import FieldError, InvalidRequest
from app.executions.tables import Attempt, Execution

AFRESH = "Submit without `resume_from` to start afresh."


async def check_resumable(connection: Connection, caller: Caller, execution: UUID) -> None:
    """Whether another one may start from its checkpoint. Raises `InvalidRequest` if not."""
    refused = await find_refused(connection, caller, [execution])
    if refused:
        raise refused[execution]


async def find_refused(
    connection: Connection, caller: Caller, executions: Collection[UUID]
) -> dict[UUID, InvalidRequest]:
    """Of these, those from whose checkpoint nobody may start, and why."""
    kept = select(Attempt.number).where(Attempt.execution_id == Execution.id, Attempt.checkpoint_files > 0).exists()
    to_go = or_(Execution.delete_requested_at.is_not(None), Batch.delete_requested_at.is_not(None))
    statement = (
        select(
            Execution.id,
            Execution.status,
            Execution.finished_at,
            Execution.checkpoint_expired_at,
            to_go.label("to_go"),
            kept.label("kept"),
        )
        .outerjoin(Batch, Batch.id == Execution.batch_id)
        .where(Execution.id == any_(literal(list(executions), ARRAY(Uuid))))
    )
    if caller.sees is not None:
        statement = statement.where(Execution.owner == caller.sees)
    rows = {row.id: row for row in await connection.execute(statement)}
    looked_at = {execution: _why_not(rows.get(execution)) for execution in executions}
    return {execution: refused for execution, refused in looked_at.items() if refused is not None}


def _why_not(row: Any | None) -> InvalidRequest | None:
    if row is None:
        return _refused("not_found", "is not an execution that you can see", "List yours: GET /v1/executions.")
    if row.finished_at is None:
        hint = "Cancel it or wait until it has ended, then submit again."
        return _refused("still_active", f"is still {row.status}", hint)
    if row.to_go:
        return _refused("being_deleted", "is about to be deleted", AFRESH)
    if row.checkpoint_expired_at is not None:
        when = f"{row.checkpoint_expired_at:%Y-%m-%d %H:%M} UTC"
        return _refused("checkpoint_expired", f"had a checkpoint, which expired at {when}", AFRESH)
    if not row.kept:
        hint = f"A program saves one by writing to `/tailrace/checkpoint`. {AFRESH}"
        return _refused("no_checkpoint", "has kept no checkpoint", hint)
    return None


def _refused(code: str, message: str, hint: str) -> InvalidRequest:
    return InvalidRequest(f"`resume_from` {message}.", hint=hint, fields=[FieldError("resume_from", code, message)])
