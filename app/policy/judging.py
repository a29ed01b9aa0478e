"""What a submission becomes by the policy, or everything that speaks against it at once."""

from __future__ import annotations

from collections.abc import Mapping

from app.auth.service import Caller
from app.bootstrap import Process
from app.errors import FieldError, InvalidRequest
from app.executions.caps import caps_of, within_caps
from app.executions.model import Limits, Spec


def caps_for(process: Process, caller: Caller) -> Mapping[str, float]:
    """The most that somebody may ask for of some limits: by the settings, and by the policy."""
    return caps_of(process.settings, process.policy.current.of(caller.owner, caller.scopes).caps)


def within_policy(process: Process, caller: Caller, spec: Spec, limits: Limits) -> Limits:
    """The limits as they are accepted: what nobody asked for is made to fit. Raises `InvalidRequest`.

    The runtime of who asks for none is chosen when it runs: what is allowed by then, counts.
    """
    allowed = process.policy.current.of(caller.owner, caller.scopes)
    wrong: list[FieldError] = allowed.refuse(spec)
    try:
        limits = within_caps(limits, caps_of(process.settings, allowed.caps))
    except InvalidRequest as refused:
        wrong += refused.fields
    if wrong:
        raise InvalidRequest.of(wrong)
    return limits
