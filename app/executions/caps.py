"""The most that an installation allows of some limits. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import ByteSize

from app.errors import FieldError, InvalidRequest
from app.executions.model import Limits
from app.settings import Settings

CAPPED = ("queue_timeout", "pull_timeout", "timeout", "idle_timeout", "grace")


def caps_of(settings: Settings, policy: Mapping[str, float]) -> dict[str, float]:
    """By limit: of each clock that of the settings, of any limit that of the policy; of two, the lower one."""
    caps = {name: cap for name in CAPPED if (cap := getattr(settings, f"max_{name}")) is not None}
    return caps | {name: min(cap, caps.get(name, cap)) for name, cap in policy.items()}


def within_caps(
    limits: Limits,
    caps: Mapping[str, float],
    *,
    asked: Collection[str] | None = None,
    of: Collection[str] | None = None,
) -> Limits:
    """The same; what nobody asked for is at most its cap. Raises `InvalidRequest`.

    `asked` are the limits that somebody asked for; left out, those that were given when `limits` were made. Judged are
    those `of` these names, or all.
    """
    asked = limits.model_fields_set if asked is None else asked
    lowered, wrong = {}, []
    for name, cap in caps.items():
        value = getattr(limits, name)
        if (of is not None and name not in of) or (value is not None and value <= cap):
            continue
        if value is not None and name in asked:
            wrong.append(over(name, value, cap, "over_cap"))
        lowered[name] = cap
    within = limits.model_copy(update=lowered)
    if within.notice and within.notice >= within.grace:
        message = f"must be below `grace`, which is {within.grace}"
        wrong.append(FieldError("limits.notice", "not_below_grace", message))
    if wrong:
        raise InvalidRequest("; ".join(f"`{field.field}` {field.message}" for field in wrong) + ".", fields=wrong)
    return within


def over(name: str, value: object, cap: float, code: str) -> FieldError:
    """That a limit is more than its cap."""
    most = f"{cap} ({ByteSize(cap).human_readable()})" if isinstance(value, ByteSize) else f"{cap}"
    return FieldError(f"limits.{name}", code, f"must be at most {most}, the most allowed here")
