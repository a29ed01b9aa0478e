"""From the body of a submission of many to what is accepted, or to everything that speaks against it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.auth.service import Caller
from app.batches import service, sketching
from app.batches.model import BatchRecord
from app.batches.requests import BatchSubmission
from app.batches.service import BatchDraft, ChildDraft, SubmittedBatch
from app.batches.steps import catalog_of
from app.batches.subjects import Subject, a_subject, find_subjects
from app.bootstrap import Process
from app.errors import Conflict, InvalidRequest, NotAllowed, QuotaExceeded, ServiceError
from app.executions.service import check_key
from app.executions.submitting import check_draft
from app.idempotency.model import HEADER, Once
from app.quotas import admission
from app.reasons import Reasons, together
from app.salvage import Salvaged
from app.secrets import confiding
from app.webhooks.asked import Asked, check_urls


async def submit(process: Process, caller: Caller, submission: BatchSubmission, once: Once | None) -> SubmittedBatch:
    """Accept all of it, durably, or nothing. Raises every reason to refuse it in one, but for quotas."""

    async def draft() -> BatchDraft:
        return await draft_of(process, caller, submission)

    try:
        return await service.submit(process, caller, draft, once=once)
    except (InvalidRequest, NotAllowed, Conflict) as refused:
        raise await in_full(process, caller, submission, refused) from None


async def rehearse(process: Process, caller: Caller, submission: BatchSubmission) -> BatchRecord:
    """What `submit` would do, by doing it and taking it back. Raises every reason to refuse it in one."""

    async def draft() -> BatchDraft:
        return await draft_of(process, caller, submission)

    try:
        return await service.rehearse(process, caller, draft)
    except (InvalidRequest, NotAllowed, Conflict, QuotaExceeded) as refused:
        raise await in_full(process, caller, submission, refused) from None


async def draft_of(process: Process, caller: Caller, submission: BatchSubmission) -> BatchDraft:
    """What it is, with what it is about and its methods looked up. Raises `InvalidRequest` and `Conflict`."""
    subjects = None
    if submission.query is not None:
        subjects = await find_subjects(process, caller, submission.query)
    return await asyncio.to_thread(submission.draft, subjects, await catalog_of(process, caller, submission))


async def in_full(process: Process, caller: Caller, submission: BatchSubmission, refused: ServiceError) -> ServiceError:
    """The reason for which it was refused, with all others."""
    if any(each.field == HEADER for each in refused.fields):
        return refused
    reasons = await _judge(process, caller, Salvaged(submission, sketching.BEARINGS))
    return together([refused, *reasons])


async def find_reasons(process: Process, caller: Caller, document: Any) -> list[ServiceError]:
    """Everything that speaks against a body, which need not even be valid in itself."""
    return await _judge(process, caller, await asyncio.to_thread(sketching.read, document))


async def _judge(process: Process, caller: Caller, left: Salvaged[BatchSubmission]) -> list[ServiceError]:
    submission, reasons = left.rest, Reasons()
    if left.wrong:
        reasons.append(InvalidRequest.of(sketching.fields(left.wrong)))
    if submission is None:
        return reasons
    wrong = Reasons()
    subjects, is_known = await _subjects(process, caller, submission, wrong)
    reasons += (each for found in wrong if (each := left.own(found)) is not None)
    catalog = await catalog_of(process, caller, submission)
    children, wrong = await asyncio.to_thread(sketching.draw, submission, subjects, catalog, are_known=is_known)
    wrong += await asyncio.to_thread(_of_children, process, caller, children)
    webhooks = [Asked(each.url, (), each.secret) for each in submission.webhooks]
    with wrong.gather():
        check_key(process, (), webhooks)
    with wrong.gather():
        check_urls(process, webhooks)
    wrong += await _looked_up(process, caller, children, size=len(children) * (submission.count or 1))
    own = left if is_known else replace(left, taken=left.taken | {"query"})
    return [*reasons, *(each for found in wrong if (each := own.own(found)) is not None)]


async def _subjects(
    process: Process, caller: Caller, submission: BatchSubmission, reasons: Reasons
) -> tuple[Sequence[Subject], bool]:
    """What its query finds, if it has one; else something that stands for it."""
    if submission.query is None:
        return [], True
    with reasons.gather():
        return await find_subjects(process, caller, submission.query), True
    return [a_subject(submission.query)], False


def _of_children(process: Process, caller: Caller, children: Sequence[ChildDraft]) -> list[ServiceError]:
    """What speaks against them without being looked up, each once."""
    found = (
        placed
        for child in children
        for each in check_draft(process, caller, child.draft)
        if (own := child.left.own(each) if child.left else each) is not None
        and (placed := child.placed(own)) is not None
    )
    return list({(type(each), each.fields): each for each in found}.values())


async def _looked_up(
    process: Process, caller: Caller, children: Sequence[ChildDraft], *, size: int
) -> Sequence[ServiceError]:
    reasons = Reasons()
    async with process.database.connect() as connection:  # never committed
        if unmet := await service.find_unmet(connection, caller, children):
            reasons.append(InvalidRequest.of(unmet))
        if children:
            wanted = [
                (child.draft.spec, sum(len(each.get_secret_value().encode()) for each in child.draft.secrets.values()))
                for child in children
            ]
            paths = [child.path for child in children]
            reasons += (await confiding.look_up(connection, process.vault, caller.owner, wanted, paths))[1]
        with reasons.gather():
            await admission.check_room(connection, caller, process.settings, adding=size)
    return reasons
