"""Use cases of batches: submit, find, list and cancel."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.auth.service import Caller
from app.batches import repository
from app.batches.model import MAX_CHILDREN, BatchRecord, BatchStatus, Membership, NewBatch
from app.batches.repository import Upstream
from app.batches.settling import settle
from app.bootstrap import Process
from app.crash_points import CrashPoint, crash_here
from app.db.engine import Connection, reading, transaction
from app.errors import Conflict, FieldError, InvalidRequest, NotFound, ServiceError, Unavailable
from app.executions import accepting, service
from app.executions.accepting import NewExecution
from app.executions.filters import Filter
from app.executions.listing import conditions
from app.executions.repository import keep
from app.executions.resuming import find_refused
from app.executions.service import LOOKS_FOR_A_KEY, Draft
from app.executions.tables import Execution
from app.files.referring import find_gone
from app.idempotency.model import HEADER, Once
from app.merging import says
from app.quotas import admission
from app.reasons import located
from app.salvage import Salvaged
from app.secrets.confiding import confide_all
from app.webhooks import repository as webhooks
from app.webhooks.asked import Asked, rows_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildDraft:
    """One child of a submission of many. `where` is its path in the request, and `own` what it says there itself, if
    the rest of it are the defaults.

    `needs` are keys of others, `upstream` executions that have ended, by the names under which it gets their outputs.
    `place` is its index, and of how many, if that is not where it stands. If it is not valid, it is what was `left`.
    """

    draft: Draft
    where: str
    key: str | None = None
    needs: Sequence[str] = ()
    upstream: Mapping[str, UUID] = field(default_factory=dict)
    place: tuple[int, int] | None = None
    own: Mapping[str, Any] | None = None
    left: Salvaged[Any] | None = None

    def path(self, field: str, code: str = "") -> str:
        """Where the request says this of it: what all children have wrong is wrong with the defaults."""
        is_its_own = self.own is None or says(self.own, field)
        if code == "missing" and self.where.startswith("items"):
            is_its_own = True
        return f"{self.where if is_its_own else 'defaults'}.{field}"

    def placed(self, refused: ServiceError) -> ServiceError | None:
        """A reason to refuse it, where the request says so."""
        return located(refused, lambda each: self.path(each.field, each.code))

    def located(self, refused: ServiceError) -> list[FieldError]:
        """What is wrong with it, where the request says so, but for what only follows from what was taken away."""
        own = refused if self.left is None else self.left.own(refused)
        placed = None if own is None else self.placed(own)
        return [] if placed is None else list(placed.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDraft:
    """A submission of many, whose every field is valid in itself."""

    name: str | None
    note: str | None
    labels: Mapping[str, str]
    children: Sequence[ChildDraft]
    max_parallel: int | None
    fail_fast: bool
    webhooks: Sequence[Asked] = ()
    rerun_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class SubmittedBatch:
    """The batch after a submission; `replayed` says that it is that of an earlier one, as it stands now.

    `pools` are those of its children, with how many each has.
    """

    record: BatchRecord
    pools: Mapping[str, int]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be written."""

    batch: NewBatch
    children: list[NewExecution]
    needs: dict[UUID, dict[str, UUID]]
    drafts: Sequence[ChildDraft]
    webhooks: Sequence[Mapping[str, Any]]


class _KeyTaken(Exception):
    """Somebody else was faster with this key."""


# What was asked for; raises what a body raises that is not valid.
DraftOf = Callable[[], Awaitable[BatchDraft]]


async def submit(process: Process, caller: Caller, draft_of: DraftOf, *, once: Once | None = None) -> SubmittedBatch:
    """Accept all of it, durably, or nothing; with `once` only if that has not been done.

    Raises `InvalidRequest`, `NotAllowed` and `QuotaExceeded`.
    """
    plan: Plan | None = None
    for _ in range(LOOKS_FOR_A_KEY):
        if once is not None and (original := await _find_submitted(process, caller, once)):
            return original
        if plan is None:
            plan = await prepare(process, caller, await draft_of())
        try:
            async with transaction(process.database) as connection:
                record = await _add(connection, process, caller, plan, once)
        except _KeyTaken:
            continue
        crash_here(CrashPoint.ACCEPTED)
        return SubmittedBatch(record, _pools_of(plan))
    raise Unavailable(f"`{HEADER}` is taken and forgotten too fast.", hint="Send it again.")


async def rehearse(process: Process, caller: Caller, draft_of: DraftOf) -> BatchRecord:
    """What `submit` would do, by doing it and taking it back. Raises `InvalidRequest`."""
    plan = await prepare(process, caller, await draft_of())
    async with process.database.connect() as connection:  # never committed
        return await _add(connection, process, caller, plan, None)


async def prepare(process: Process, caller: Caller, draft: BatchDraft) -> Plan:
    """What the draft becomes, as far as nothing has to be looked up for it. Raises `InvalidRequest`."""
    return await asyncio.to_thread(_plan, process, caller, draft)


async def accept(connection: Connection, process: Process, caller: Caller, plan: Plan) -> BatchRecord:
    """`submit` within the caller's transaction. Raises `InvalidRequest` and `QuotaExceeded`."""
    return await _add(connection, process, caller, plan, None)


async def find_subjects(process: Process, caller: Caller, wanted: Filter) -> list[UUID]:
    """The executions that a batch is to be about: those that match and have ended. Raises `InvalidRequest`."""
    try:
        visible = wanted.within(caller.sees)
    except InvalidRequest as refused:
        fields = [FieldError(f"query.{each.field}", each.code, each.message) for each in refused.fields]
        raise InvalidRequest.of(fields) from None
    statement = (
        select(Execution.id)
        .where(*conditions(visible), Execution.finished_at.is_not(None))
        .order_by(Execution.id)
        .limit(MAX_CHILDREN + 1)
    )
    async with reading(process.database) as connection:
        found = list((await connection.execute(statement)).scalars())
    if not 0 < len(found) <= MAX_CHILDREN:
        message = "matches nothing that has ended" if not found else f"matches more than {MAX_CHILDREN} executions"
        raise InvalidRequest.of([FieldError("query", "no_children" if not found else "too_many", message)])
    return found


async def get(process: Process, caller: Caller, batch: UUID) -> BatchRecord:
    """The batch as it stands. Raises `NotFound`, also for somebody else's."""
    async with reading(process.database) as connection:
        return await get_batch(connection, caller, batch)


async def get_batch(connection: Connection, caller: Caller, batch: UUID) -> BatchRecord:
    """The same within a transaction."""
    record = await repository.find(connection, batch, owner=caller.sees)
    if record is None:
        raise NotFound(f"There is no batch {batch}.")
    return record


async def get_page(
    process: Process, caller: Caller, *, limit: int, before: UUID | None
) -> tuple[list[BatchRecord], bool]:
    """One page, newest first, and whether there are more."""
    async with reading(process.database) as connection:
        records = await repository.list_page(connection, limit=limit + 1, before=before, owner=caller.sees)
    return records[:limit], len(records) > limit


async def get_needs(
    process: Process, caller: Caller, batch: UUID, *, limit: int, after: int
) -> tuple[list[tuple[Any, list[Upstream]]], bool]:
    """One page of children by index, each with what it needs, and whether there are more. Raises `NotFound`."""
    async with reading(process.database) as connection:
        await get_batch(connection, caller, batch)
        places = await repository.list_places(connection, batch, after=after, limit=limit + 1)
        upstream = await repository.list_upstream(connection, [place.id for place in places[:limit]])
    by_child = defaultdict(list)
    for each in upstream:
        by_child[each.execution].append(each)
    return [(place, by_child[place.id]) for place in places[:limit]], len(places) > limit


async def cancel(process: Process, caller: Caller, batch: UUID, *, force: bool) -> tuple[BatchRecord, bool]:
    """Cancel what is queued and stop what runs; the batch after that, and whether it was not over yet.

    Raises `NotFound`, and `Conflict` when all of it has ended otherwise.
    """
    async with transaction(process.database) as connection:
        record = await get_batch(connection, caller, batch)
        if record.finished_at is not None and record.status is not BatchStatus.CANCELED:
            raise Conflict(f"It has ended already: its status is {record.status}.", hint="Run it again if you want to.")
        if record.finished_at is not None:
            return record, False
        await repository.ask_to_stop(
            connection, batch, by=caller.owner, message=f"Canceled by {caller.owner}.", force=force
        )
    await settle(process, batch)
    return await get(process, caller, batch), True


async def _find_submitted(process: Process, caller: Caller, once: Once) -> SubmittedBatch | None:
    """What was accepted with this key before: it stands for the first of the children."""
    async with reading(process.database) as connection:
        original = await service.find_submitted(connection, caller, once)
        if original is None or original.record.batch_id is None:
            return None
        record = await get_batch(connection, caller, original.record.batch_id)
    return SubmittedBatch(record, {original.record.pool: 1}, replayed=True)


def _plan(process: Process, caller: Caller, draft: BatchDraft) -> Plan:
    """What the draft becomes. Takes a while for many: in a thread. Raises `InvalidRequest` naming every field."""
    batch = NewBatch(
        id=uuid7(),
        owner=caller.owner,
        name=draft.name,
        note=draft.note,
        labels=draft.labels,
        size=len(draft.children),
        max_parallel=draft.max_parallel,
        fail_fast=draft.fail_fast,
        has_needs=any(child.needs for child in draft.children),
        rerun_of=draft.rerun_of,
    )
    children = _prepare(process, caller, draft, batch)
    by_key = {child.key: new.id for child, new in zip(draft.children, children, strict=True) if child.key}
    needs = {
        new.id: {**child.upstream, **{key: by_key[key] for key in child.needs}}
        for child, new in zip(draft.children, children, strict=True)
    }
    service.check_key(process, (), draft.webhooks)
    asked = rows_of(process, caller.owner, draft.webhooks, batch=batch.id)
    return Plan(batch, children, needs, draft.children, asked)


def _prepare(process: Process, caller: Caller, draft: BatchDraft, batch: NewBatch) -> list[NewExecution]:
    """The children, as many of them let go as may be. Raises `InvalidRequest` naming every field."""
    children: list[NewExecution] = []
    wrong: list[FieldError] = []
    places = batch.size if draft.max_parallel is None else draft.max_parallel
    for position, child in enumerate(draft.children):
        service.check_key(process, child.draft.secrets, child.draft.webhooks)
        try:
            new = service.prepare(caller, child.draft, process)
        except InvalidRequest as refused:
            wrong += child.located(refused)
            continue
        goes = places > 0 and not child.needs and not new.hold
        places -= goes
        index, size = child.place or (position, batch.size)
        children.append(
            replace(
                new,
                member=Membership(batch=batch.id, index=index, size=size, key=child.key),
                gated=draft.max_parallel is not None and not goes,
                needs_left=len(child.needs),
            )
        )
    if wrong:
        raise InvalidRequest.of(_each_once(wrong))
    return children


async def _add(connection: Connection, process: Process, caller: Caller, plan: Plan, once: Once | None) -> BatchRecord:
    await admission.wait_for_turn(connection, caller, process.settings)
    if unmet := await find_unmet(connection, caller, plan.drafts):
        raise InvalidRequest.of(unmet)
    await admission.check_room(connection, caller, process.settings, adding=len(plan.children))
    await repository.add(connection, plan.batch)
    paths = [draft.path for draft in plan.drafts]
    await accepting.add_all(connection, await confide_all(connection, process.vault, plan.children, paths))
    await repository.add_needs(connection, plan.needs)
    await webhooks.add_asked(connection, plan.webhooks)
    if once is not None and not await accepting.add_key(connection, caller.owner, once, plan.children[0].id):
        raise _KeyTaken
    return await get_batch(connection, caller, plan.batch.id)


async def find_unmet(connection: Connection, caller: Caller, children: Sequence[ChildDraft]) -> list[FieldError]:
    """What has to be looked up: pools, and what is referred to. Every field that is wrong."""
    pools = await accepting.lock_pools(connection, {child.draft.pool for child in children})
    wrong = [
        field
        for child in children
        if child.draft.pool not in pools
        for field in child.located(unknown_pool(child.draft.pool))
    ]
    wrong += await _keep(connection, children)
    sources = {child.draft.resume_from for child in children if child.draft.resume_from is not None}
    refused = await find_refused(connection, caller, sources) if sources else {}
    for child in children:
        if child.draft.resume_from is not None and child.draft.resume_from in refused:
            wrong += child.located(refused[child.draft.resume_from])
    gone = await find_gone(connection, dict(enumerate(child.draft.spec for child in children)), owner=caller.sees)
    for number, child in enumerate(children):
        wrong += child.located(InvalidRequest("", fields=gone[number]))
    return list(dict.fromkeys(wrong))


def unknown_pool(pool: str) -> InvalidRequest:
    """Of one child."""
    return InvalidRequest.of([FieldError("pool", "unknown_pool", f"names a pool that does not exist: `{pool}`")])


def _each_once(wrong: Sequence[FieldError]) -> list[FieldError]:
    """Children that are alike have the same wrong at the same place of the request."""
    return list(dict.fromkeys(wrong))


async def _keep(connection: Connection, children: Sequence[ChildDraft]) -> list[FieldError]:
    """Nobody deletes what the children refer to, nor lets outputs of it go, before they do; somebody may just have done
    so.
    """
    needed = {each for child in children for each in child.upstream.values()}
    referring = (each for child in children for each in (child.draft.resume_from, child.draft.rerun_of))
    others = {each for each in referring if each is not None}
    if not needed and not others:
        return []
    found = await keep(connection, needed | others)
    expired = await repository.list_expired(connection, needed) if needed else set()
    wrong: list[FieldError] = []
    for child in children:
        referred_to = {child.draft.rerun_of, *child.upstream.values()} - {None}
        if not referred_to <= found:
            wrong.append(FieldError(child.where, "gone", "refers to an execution that does not exist, or not any more"))
        wrong += (
            FieldError(child.where, "outputs_expired", f"needs outputs that have expired: `{name}`, of {execution}")
            for name, execution in child.upstream.items()
            if execution in expired
        )
    return wrong


def _pools_of(plan: Plan) -> Mapping[str, int]:
    return Counter(child.pool for child in plan.children)
