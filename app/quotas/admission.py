"""Whether an owner may queue more. Exact, however many submit at once: whoever has a limit submits one after the other.

Whoever accepts executions calls these functions in the transaction that adds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.auth.service import Caller
from app.db.engine import Connection
from app.errors import FieldError, InvalidRequest, QuotaExceeded
from app.executions.model import Limits
from app.quotas import repository
from app.settings import Settings

# More than anybody could ever have queued.
ANY_NUMBER = 2**53


def max_queued(caller: Caller, settings: Settings) -> int | None:
    """How many the caller may have queued at once; None is any number."""
    return settings.max_queued_per_owner if caller.max_queued is None else caller.max_queued


def is_judged(caller: Caller, settings: Settings) -> bool:
    """Whether something has to be counted before the caller may submit."""
    return max_queued(caller, settings) is not None or _is_kept_bounded(caller)


def without_quotas(caller: Caller) -> Caller:
    """The same, for judging what is submitted later: by then what they have will be another amount."""
    return replace(caller, max_queued=ANY_NUMBER, bounds=replace(caller.bounds, max_log_bytes=None, max_storage=None))


def check_fits(caller: Caller, limits: Limits) -> None:
    """Whether one with these limits could ever run by the caller's quota. Raises `InvalidRequest`."""
    wrong = [
        FieldError(f"limits.{name}", "over_quota", f"is more than the {most:g} that `{caller.owner}` may have at once")
        for name, most in (("cpus", caller.bounds.max_cpus), ("memory", caller.bounds.max_memory))
        if most is not None and getattr(limits, name) > most
    ]
    if wrong:
        error = InvalidRequest.of(wrong)
        error.hint = "GET /v1/me shows your quota; only an administrator changes it."
        raise error


async def resize(connection: Connection, caller: Caller, limits: Limits) -> None:
    """What is queued is about to get these limits; its row is locked, which no claim waits for. Raises
    `InvalidRequest`.
    """
    await repository.hold_quota(connection, caller.owner)
    check_fits(caller, limits)


async def wait_for_turn(connection: Connection, caller: Caller, settings: Settings) -> None:
    """Wait until no other submission of this owner is under way, if they have a limit. Before anything is locked."""
    if max_queued(caller, settings) is not None:
        await repository.lock_queue(connection, caller.owner)


async def check_room(
    connection: Connection, caller: Caller, settings: Settings, *, adding: int = 1, ahead: int = 0
) -> None:
    """Raises `QuotaExceeded` if that many more are too many, `ahead` being about to be added already; or if so much of
    them is kept that nothing may come to it.
    """
    exceeded = await _kept(connection, caller)
    limit = max_queued(caller, settings)
    if limit is not None:
        used = ahead + (await repository.count(connection, caller.owner)).queued
        if used + adding > limit:
            exceeded.append(_too_many(caller, used, limit, adding))
    _refuse(exceeded)


async def check_kept(connection: Connection, caller: Caller, *, adding: int = 0) -> None:
    """Whether more may be kept of this owner: so many bytes, or none as yet, since nobody knows what a submission will
    leave. Raises `QuotaExceeded`.
    """
    _refuse(await _kept(connection, caller, adding=adding))


def _refuse(exceeded: Sequence[QuotaExceeded]) -> None:
    """Raise them as one, whose numbers are those of the first."""
    if not exceeded:
        return
    raise QuotaExceeded(
        " ".join(each.detail for each in exceeded),
        hint=" ".join(dict.fromkeys(each.hint for each in exceeded)),
        used=exceeded[0].used,
        limit=exceeded[0].limit,
    )


def _too_many(caller: Caller, used: int, limit: int, adding: int) -> QuotaExceeded:
    wanted = "" if adding == 1 else f", and these are {adding} more"
    return QuotaExceeded(
        f"`{caller.owner}` has {used} executions queued of at most {limit}{wanted}.",
        hint="Wait until some of them have started, or cancel some.",
        used=used,
        limit=limit,
    )


async def _kept(connection: Connection, caller: Caller, *, adding: int = 0) -> list[QuotaExceeded]:
    """The quotas of what is kept that leave no room for so much."""
    exceeded: list[QuotaExceeded] = []
    if not _is_kept_bounded(caller):
        return exceeded
    kept, bounds = await repository.count_kept(connection, caller.owner), caller.bounds
    if bounds.max_log_bytes is not None and kept.log_bytes >= bounds.max_log_bytes:
        error = QuotaExceeded(
            f"Of `{caller.owner}` logs of {kept.log_bytes} bytes are kept, of at most {bounds.max_log_bytes}.",
            hint="Delete what is not needed any more, or archive it without its log (`archive: outputs`).",
            used=kept.log_bytes,
            limit=bounds.max_log_bytes,
        )
        exceeded.append(error)
    if bounds.max_storage is not None and kept.storage + max(adding, 1) > bounds.max_storage:
        error = QuotaExceeded(
            f"Of `{caller.owner}` outputs, checkpoints and files of {kept.storage} bytes are kept, of at most "
            f"{bounds.max_storage}{f', and these are {adding} more' if adding else ''}.",
            hint="Delete what is not needed any more, executions or files, or archive the record alone "
            "(`archive: record`).",
            used=kept.storage,
            limit=bounds.max_storage,
        )
        exceeded.append(error)
    return exceeded


def _is_kept_bounded(caller: Caller) -> bool:
    return caller.bounds.max_log_bytes is not None or caller.bounds.max_storage is not None
