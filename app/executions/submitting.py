"""From the body of a submission to what is accepted, and everything that speaks against it at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import Connection
from app.errors import FieldError, InvalidRequest, ServiceError
from app.executions import service
from app.executions.record import Record
from app.executions.requests import Submission
from app.executions.resuming import check_resumable
from app.executions.service import Draft, Submitted
from app.files import referring
from app.idempotency.model import Once
from app.methods.catalog import look_up
from app.quotas import admission


async def submit(process: Process, caller: Caller, submission: Submission, once: Once | None) -> Submitted:
    """Accept it, durably. Raises `InvalidRequest`, `Conflict`, `NotAllowed` and `QuotaExceeded`."""
    # What was accepted before is not judged again, whatever has become of its method.
    if once is not None and submission.methods and (known := await service.find_before(process, caller, once)):
        return known
    return await service.submit(process, caller, await draft_of(process, caller, submission), once=once)


async def draft_of(process: Process, caller: Caller, submission: Submission) -> Draft:
    """What it is, with its method looked up. Raises `InvalidRequest`, and `Conflict` for one that is disabled."""
    draft = submission.draft(await look_up(process, caller, submission.methods))
    service.check_key(process, draft.secrets, draft.webhooks)
    return draft


async def rehearse(process: Process, caller: Caller, submission: Submission) -> Record:
    """What `submit` would do, by doing it and taking it back. Raises every reason to refuse it in one."""
    reasons: list[ServiceError] = []
    try:
        draft = await draft_of(process, caller, submission)
    except ServiceError as refused:
        reasons, draft = [refused], submission.sketch()
    async with process.database.connect() as connection:  # never committed
        reasons += [reason async for reason in _reasons(connection, process, caller, draft)]
    if reasons:
        raise _all_in_one(reasons)
    return await service.rehearse(process, caller, draft)


async def _reasons(
    connection: Connection, process: Process, caller: Caller, draft: Draft
) -> AsyncIterator[ServiceError]:
    """What speaks against it, each by itself."""
    try:
        service.prepare(caller, replace(draft, secrets={}), process)
    except ServiceError as refused:
        yield refused
    checks = [service.check_pool(connection, draft.pool), admission.check_room(connection, caller, process.settings)]
    if draft.resume_from is not None:
        checks.append(check_resumable(connection, caller, draft.resume_from))
    if draft.spec.files:
        checks.append(referring.check(connection, draft.spec, owner=caller.sees))
    for check in checks:
        try:
            await check
        except ServiceError as refused:
            yield refused


def _all_in_one(reasons: Sequence[ServiceError]) -> ServiceError:
    if len(reasons) == 1:
        return reasons[0]
    fields = [
        field for each in reasons for field in each.fields or [FieldError("body", each.code, each.detail.rstrip("."))]
    ]
    error = InvalidRequest.of(fields)
    error.hint = " ".join(each.hint for each in reasons if each.hint)
    return error
