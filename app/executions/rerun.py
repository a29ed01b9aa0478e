"""Running again what has ended: a new execution, by what is on the record and what is asked for otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from app.auth.service import Caller
from app.batches.repository import Upstream, copy_needs, list_upstream
from app.bootstrap import Process
from app.crash_points import CrashPoint, crash_here
from app.db.engine import Connection, transaction
from app.errors import FieldError, InvalidRequest, NotAllowed, NotFound, QuotaExceeded, ServiceError
from app.executions import accepting, repository, service, submitting
from app.executions.accepting import NewExecution
from app.executions.finding import get_record
from app.executions.model import Spec
from app.executions.operations import Operation, is_due
from app.executions.record import Record
from app.executions.service import Draft, Submitted
from app.idempotency.model import Once
from app.methods.catalog import look_up_within
from app.methods.resolution import Catalog
from app.quotas import admission
from app.reasons import Reasons, located, together


class Changes(Protocol):
    """What is to be otherwise when an execution is run again."""

    def methods(self, record: Record) -> Collection[str]:
        """The methods that have to be looked up for it."""

    def draft(self, record: Record, catalog: Catalog) -> Draft:
        """What it becomes. Raises what a body raises that is not valid."""

    def document(self, record: Record, catalog: Catalog) -> dict[str, Any]:
        """The whole submission that it would be, valid or not."""

    @property
    def limits_asked(self) -> frozenset[str]:
        """Those that are to be otherwise."""

    def check_secrets(self, record: Record) -> None:
        """Raises `InvalidRequest` if one is neither given again nor taken away."""


_INPUT = "secrets.INPUT_"
ALL_OF_IT = 'Run the batch that it is of again, all of it: {"only": "all"}.'


async def rerun(
    process: Process, caller: Caller, execution: UUID, changes: Changes, *, once: Once | None = None
) -> Submitted:
    """Accept it anew, durably; with `once` only if that has not been done.

    Raises `NotFound`, `Conflict` when it has not ended, and `InvalidRequest`.
    """
    async with transaction(process.database) as connection:
        submitted = await _again(connection, process, caller, execution, changes, once)
    crash_here(CrashPoint.ACCEPTED)
    return submitted


async def rehearse(process: Process, caller: Caller, execution: UUID, changes: Changes) -> Record:
    """What `rerun` would do, by doing it and taking it back. Raises every reason to refuse it in one."""
    async with process.database.connect() as connection:  # never committed
        try:
            return (await _again(connection, process, caller, execution, changes, None)).record
        except (InvalidRequest, NotAllowed, QuotaExceeded) as error:
            refused = error
            record = await get_record(connection, execution, caller.sees)
            catalog = await look_up_within(connection, caller, changes.methods(record))
    raise together([refused, *await _find_reasons(process, caller, record, changes, catalog)])


async def _find_reasons(
    process: Process, caller: Caller, record: Record, changes: Changes, catalog: Catalog
) -> list[ServiceError]:
    """All that speaks against it as a submission, but for what it may keep as it was."""
    secrets = Reasons()
    with secrets.gather():
        changes.check_secrets(record)
    # One that is no more may have been an input; that it is to be given again is told.
    known = {
        f"inputs.{name.removeprefix(_INPUT).lower()}"
        for each in secrets
        for name in (field.field for field in each.fields)
    }

    def place(wrong: FieldError) -> str | None:
        head, _, limit = wrong.field.partition(".")
        kept = head == "limits" and limit not in changes.limits_asked
        return None if kept or wrong.field in known else wrong.field

    found = await submitting.find_reasons(process, caller, changes.document(record, catalog))
    return [*secrets, *(own for each in found if (own := located(each, place)) is not None)]


async def _again(
    connection: Connection, process: Process, caller: Caller, execution: UUID, changes: Changes, once: Once | None
) -> Submitted:
    # Nothing is judged again of what was accepted before: by now the original may be deleted.
    if once is not None and (submitted := await service.find_submitted(connection, caller, once)):
        return submitted
    record = await get_record(connection, execution, caller.sees)
    return await rerun_within(connection, process, caller, record, changes, once=once)


async def rerun_within(
    connection: Connection,
    process: Process,
    caller: Caller,
    record: Record,
    changes: Changes,
    *,
    once: Once | None = None,
) -> Submitted:
    """`rerun` within the caller's transaction. Raises the same."""
    again = prepare(process, record, changes, await look_up_within(connection, caller, changes.methods(record)))
    kept = await keep(connection, process, caller, [again])
    return await accept(connection, process, caller, again, kept, once=once)


@dataclass(frozen=True, slots=True)
class Again:
    """What has ended, and what it is to become."""

    record: Record
    draft: Draft


@dataclass(frozen=True, slots=True)
class Kept:
    """What is not deleted before the transaction ends, and what those that are run again get from others."""

    executions: set[UUID]
    upstream: Mapping[UUID, Sequence[Upstream]]


def prepare(process: Process, record: Record, changes: Changes, catalog: Catalog) -> Again:
    """What it is to become. Raises `Conflict` when it has not ended, and `InvalidRequest`."""
    is_due(Operation.RERUN, record.status, record.pause_mode)
    draft = changes.draft(record, catalog)
    service.check_key(process, draft.secrets, draft.webhooks)
    return Again(record, draft)


async def keep(connection: Connection, process: Process, caller: Caller, many: Sequence[Again]) -> Kept:
    """Nobody deletes what these refer to, nor lets outputs of it go, while the new ones are being accepted."""
    await admission.wait_for_turn(connection, caller, process.settings)
    with_needs = [each.record.id for each in many if (each.record.batch_id or each.record.rerun_of) is not None]
    upstream = await list_upstream(connection, with_needs) if with_needs else []
    referred_to = {each.record.id for each in many} | {each.draft.resume_from for each in many}
    referred_to |= {each.needed for each in upstream}
    kept = await repository.keep(connection, {each for each in referred_to if each is not None})
    if upstream:
        # Somebody may just have let go of some of it.
        upstream = await list_upstream(connection, with_needs)
    by_execution: dict[UUID, list[Upstream]] = {}
    for each in upstream:
        by_execution.setdefault(each.execution, []).append(each)
    return Kept(kept, by_execution)


async def accept(
    connection: Connection, process: Process, caller: Caller, again: Again, kept: Kept, *, once: Once | None = None
) -> Submitted:
    """Accept one of those for which that was kept. Raises `NotFound`, `InvalidRequest` and `QuotaExceeded`."""
    upstream = _check(caller, again, kept)
    submitted = await service.accept(connection, process, caller, again.draft, once=once)
    if upstream and not submitted.replayed:
        await copy_needs(connection, again.record.id, submitted.record.id)
    return submitted


async def accept_all(
    connection: Connection, process: Process, caller: Caller, many: Sequence[Again], kept: Kept
) -> dict[UUID, UUID | ServiceError]:
    """The same for all of them; what each was run again as, or why it was not."""
    pools = await accepting.lock_pools(connection, {again.draft.pool for again in many})
    new: list[NewExecution] = []
    became: dict[UUID, UUID | ServiceError] = {}
    for again in many:
        try:
            _check(caller, again, kept)
            if again.draft.pool not in pools:
                await service.check_pool(connection, again.draft.pool)
            new.append(await service.resolve(connection, caller, again.draft, process, ahead=len(new)))
        except ServiceError as refused:
            became[again.record.id] = refused
        else:
            became[again.record.id] = new[-1].id
    await accepting.add_all(connection, new)
    for original, upstream in kept.upstream.items():
        again_as = became.get(original)
        if upstream and isinstance(again_as, UUID):
            await copy_needs(connection, original, again_as)
    return became


def secrets_at_risk(caller: Caller, record: Record, spec: Spec, path: str = "") -> list[FieldError]:
    """Names of somebody else's secrets, which would become the caller's own of that name in a program that is not."""
    if record.owner == caller.owner:
        return []
    message = f"would be your own secret, in a program of {record.owner}: take it away, or submit it as yours"
    before = record.spec.named_secrets
    return [
        FieldError(f"{path}named_secrets.{key}", "of_somebody_else", message)
        for key, each in spec.named_secrets.items()
        if before.get(key) == each
    ]


def _check(caller: Caller, again: Again, kept: Kept) -> Sequence[Upstream]:
    """What it gets from others. Raises `NotFound` and `InvalidRequest`."""
    if again.record.id not in kept.executions:
        raise NotFound(f"There is no execution {again.record.id}.")
    if at_risk := secrets_at_risk(caller, again.record, again.draft.spec):
        raise InvalidRequest.of(at_risk)
    upstream = kept.upstream.get(again.record.id, ())
    wrong = [FieldError(f"needs.{each.name}", "gone", each.lost) for each in upstream if each.lost is not None]
    if wrong:
        refused = InvalidRequest.of(wrong)
        raise InvalidRequest(refused.detail, hint=ALL_OF_IT, fields=wrong)
    return upstream
