"""Everything that speaks against targets at once, also of those that are not valid in themselves."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.auth.service import Caller
from app.batches import submitting as batches
from app.bootstrap import Process
from app.errors import ServiceError
from app.executions import submitting as executions
from app.executions.vocabulary import InputName
from app.quotas import admission
from app.reasons import together
from app.schedules import targets
from app.schedules.targets import NOTHING, Body, Origin

_JUDGES = {"execution": executions.find_reasons, "batch": batches.find_reasons}
_INPUT = TypeAdapter(InputName)
# Each may be a batch of very many: once they have taken so long, seconds, no more of them are looked at.
_LOOK_FOR = 5.0


async def rehearse(process: Process, caller: Caller, bodies: Mapping[str, Body], origin: Origin) -> None:
    """Submit these bodies, by their paths, and take it back. Raises what a submission raises, but for quotas."""
    unlimited = admission.without_quotas(caller)
    try:
        prepared = await targets.prepare(process, unlimited, bodies, origin, rehearsing=True)
        async with process.database.connect() as connection:  # never committed
            await targets.accept(connection, process, unlimited, prepared)
    except targets.REFUSALS as refused:
        raise together([refused, *await find_reasons(process, caller, bodies, origin)]) from None


async def find_reasons(
    process: Process, caller: Caller, bodies: Mapping[str, Any], origin: Origin
) -> list[ServiceError]:
    """What each submission of these bodies, by their paths, would be told, but for quotas."""
    unlimited = admission.without_quotas(caller)
    reasons: list[ServiceError] = []
    until = time.monotonic() + _LOOK_FOR
    for where, body in bodies.items():
        if time.monotonic() > until:
            break
        # What is no target, its model says.
        kinds = [kind for kind in _JUDGES if isinstance(body, dict) and isinstance(body.get(kind), dict)]
        if len(kinds) == 1:
            (kind,) = kinds
            found = await _JUDGES[kind](process, unlimited, targets.told(body, origin)[kind])
            reasons += (targets.located(each, f"{where}.{kind}") for each in found if not _finds_nothing(each))
    return reasons


def _finds_nothing(refused: ServiceError) -> bool:
    """That a query finds nothing now is no reason: it is asked again each time."""
    return [each.code for each in refused.fields] == [NOTHING]


def time_input_of(document: Mapping[str, Any]) -> str | None:
    """The input that gets the time, if it is one."""
    try:
        return _INPUT.validate_python(document.get("time_input"))
    except ValidationError:
        return None


def names_a_method(written: Any, *, deep: int = 4) -> bool:
    """Whether a target may be of a method, whose inputs are not all known yet."""
    if isinstance(written, dict):
        inner = list(written.values())
        return "method" in written or (deep > 0 and any(names_a_method(each, deep=deep - 1) for each in inner))
    return isinstance(written, list) and deep > 0 and any(names_a_method(each, deep=deep - 1) for each in written)
