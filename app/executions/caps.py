"""What the settings of an installation allow of each clock. Pure."""

from __future__ import annotations

from collections.abc import Collection

from app.errors import FieldError, InvalidRequest
from app.executions.model import Limits
from app.settings import Settings

CAPPED = ("queue_timeout", "pull_timeout", "timeout", "idle_timeout", "grace")


def within_caps(
    limits: Limits, settings: Settings, *, asked: Collection[str] | None = None, of: Collection[str] = CAPPED
) -> Limits:
    """The same; what nobody asked for is at most its cap. Raises `InvalidRequest`.

    `asked` are the limits that somebody asked for; left out, those that were given when `limits` were made. Judged are
    those `of` these names.
    """
    asked = limits.model_fields_set if asked is None else asked
    lowered, wrong = {}, []
    for name in (name for name in CAPPED if name in of):
        cap, value = getattr(settings, f"max_{name}"), getattr(limits, name)
        if cap is None or (value is not None and value <= cap):
            continue
        if value is not None and name in asked:
            wrong.append(FieldError(f"limits.{name}", "over_cap", f"must be at most {cap}, the most allowed here"))
        lowered[name] = cap
    within = limits.model_copy(update=lowered)
    if within.notice and within.notice >= within.grace:
        message = f"must be below `grace`, which is {within.grace}"
        wrong.append(FieldError("limits.notice", "not_below_grace", message))
    if wrong:
        raise InvalidRequest("; ".join(f"`{field.field}` {field.message}" for field in wrong) + ".", fields=wrong)
    return within
