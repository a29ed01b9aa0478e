"""From the body of a submission to what is accepted, or to everything that speaks against it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import Connection
from app.errors import Conflict, InvalidRequest, NotAllowed, QuotaExceeded, ServiceError
from app.executions import service, sketching
from app.executions.record import Record
from app.executions.requests import Submission
from app.executions.resuming import check_resumable
from app.executions.service import Draft, Submitted
from app.executions.sketching import Sketch
from app.files import referring
from app.idempotency.model import HEADER, Once
from app.methods.catalog import look_up
from app.policy.judging import within_policy
from app.quotas import admission
from app.reasons import Reasons, together
from app.salvage import Salvaged
from app.secrets import confiding
from app.webhooks.asked import check_urls


async def submit(process: Process, caller: Caller, submission: Submission, once: Once | None) -> Submitted:
    """Accept it, durably. Raises every reason to refuse it in one, but for quotas, which are judged last."""
    # What was accepted before is not judged again, whatever has become of its method.
    if once is not None and submission.methods and (known := await service.find_before(process, caller, once)):
        return known
    try:
        return await service.submit(process, caller, await draft_of(process, caller, submission), once=once)
    except (InvalidRequest, NotAllowed, Conflict) as refused:
        raise await in_full(process, caller, submission, refused) from None


async def draft_of(process: Process, caller: Caller, submission: Submission) -> Draft:
    """What it is, with its method looked up. Raises `InvalidRequest`, and `Conflict` for one that is disabled."""
    draft = submission.draft(await look_up(process, caller, submission.methods))
    service.check_key(process, draft.secrets, draft.webhooks)
    return draft


async def rehearse(process: Process, caller: Caller, submission: Submission) -> Record:
    """What `submit` would do, by doing it and taking it back. Raises every reason to refuse it in one."""
    try:
        draft = await draft_of(process, caller, submission)
        return await service.rehearse(process, caller, draft)
    except (InvalidRequest, NotAllowed, Conflict, QuotaExceeded) as refused:
        raise await in_full(process, caller, submission, refused) from None


async def in_full(process: Process, caller: Caller, submission: Submission, refused: ServiceError) -> ServiceError:
    """The reason for which it was refused, with all others."""
    if any(each.field == HEADER for each in refused.fields):
        return refused
    valid = Salvaged(submission, sketching.BEARINGS)
    return together([refused, *await _judge(process, caller, valid)])


async def find_reasons(process: Process, caller: Caller, document: Any) -> list[ServiceError]:
    """Everything that speaks against a body, which need not even be valid in itself."""
    return await _judge(process, caller, await asyncio.to_thread(sketching.read, document))


async def _judge(process: Process, caller: Caller, found: Salvaged[Submission]) -> list[ServiceError]:
    methods = found.rest.methods if found.rest is not None else frozenset[str]()
    sketch = sketching.draw(found, await look_up(process, caller, methods))
    if sketch.draft is None:
        return [*sketch.reasons]
    async with process.database.connect() as connection:  # never committed
        return [*sketch.reasons, *await _of_draft(connection, process, caller, sketch, sketch.draft)]


async def _of_draft(
    connection: Connection, process: Process, caller: Caller, sketch: Sketch, draft: Draft
) -> Sequence[ServiceError]:
    """What has to be looked up, each by itself."""
    reasons = check_draft(process, caller, draft)
    with reasons.gather():
        await service.check_pool(connection, draft.pool)
    if draft.resume_from is not None:
        with reasons.gather():
            await check_resumable(connection, caller, draft.resume_from)
    with reasons.gather():
        await referring.check(connection, draft.spec, owner=caller.sees)
    secrets = sum(len(value.get_secret_value().encode()) for value in draft.secrets.values())
    _, wrong = await confiding.look_up(connection, process.vault, caller.owner, [(draft.spec, secrets)], [str])
    with reasons.gather():
        await admission.check_room(connection, caller, process.settings)
    return [own for each in (*reasons, *wrong) if (own := sketch.left.own(each)) is not None]


def check_draft(process: Process, caller: Caller, draft: Draft) -> Reasons:
    """What speaks against it without being looked up."""
    reasons = Reasons()
    with reasons.gather():
        service.check_key(process, draft.secrets, draft.webhooks)
    with reasons.gather():
        service.check_lane(caller, draft)
    with reasons.gather():
        service.check_workspace(caller, draft)
    with reasons.gather():
        referring.check_urls(draft.spec, process.settings)
    limits = draft.limits
    with reasons.gather():
        limits = within_policy(process, caller, draft.spec, limits)
    with reasons.gather():
        admission.check_fits(caller, limits)
    with reasons.gather():
        check_urls(process, draft.webhooks)
    return reasons
