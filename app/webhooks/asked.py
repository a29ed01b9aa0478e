"""Webhooks that come with a submission: they hear of that execution or batch alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from uuid_utils.compat import uuid7

from app.bootstrap import Process
from app.errors import FieldError, InvalidRequest
from app.outbound.policy import Refused
from app.webhooks import sealing
from app.webhooks.model import EventType


@dataclass(frozen=True, slots=True)
class Asked:
    """One of them. Without a secret its messages are not signed."""

    url: str
    events: tuple[EventType, ...]
    secret: SecretStr | None = None


def check_urls(process: Process, asked: Sequence[Asked]) -> None:
    """A host is looked up only when something is sent there. Raises `InvalidRequest`."""
    wrong = []
    for index, each in enumerate(asked):
        try:
            process.outbound.read(each.url)
        except Refused as refused:
            wrong.append(FieldError(f"webhooks[{index}].url", "refused", str(refused)))
    if wrong:
        raise InvalidRequest.of(wrong)


def rows_of(
    process: Process,
    owner: str,
    asked: Sequence[Asked],
    *,
    execution: UUID | None = None,
    batch: UUID | None = None,
) -> list[dict[str, Any]]:
    """As they are kept. Raises `InvalidRequest`."""
    check_urls(process, asked)
    return [_row(process, owner, each) | {"execution_id": execution, "batch_id": batch} for each in asked]


def _row(process: Process, owner: str, asked: Asked) -> dict[str, Any]:
    id_, secret = uuid7(), asked.secret.get_secret_value() if asked.secret is not None else None
    return {
        "id": id_,
        "owner": owner,
        "url": asked.url,
        "events": list(asked.events),
        "sealed": sealing.seal(process.vault, id_, secret) if secret is not None else None,
    }
