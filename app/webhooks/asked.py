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


def rows_of(
    process: Process,
    owner: str,
    asked: Sequence[Asked],
    *,
    execution: UUID | None = None,
    batch: UUID | None = None,
) -> list[dict[str, Any]]:
    """As they are kept. A host is looked up only when something is sent there. Raises `InvalidRequest`."""
    wrong, rows = [], []
    for index, each in enumerate(asked):
        try:
            process.outbound.read(each.url)
        except Refused as refused:
            wrong.append(FieldError(f"webhooks.{index}.url", "refused", str(refused)))
            continue
        id_, secret = uuid7(), each.secret.get_secret_value() if each.secret is not None else None
        rows.append(
            {
                "id": id_,
                "owner": owner,
                "execution_id": execution,
                "batch_id": batch,
                "url": each.url,
                "events": list(each.events),
                "sealed": sealing.seal(process.vault, id_, secret) if secret is not None else None,
            }
        )
    if wrong:
        raise InvalidRequest.of(wrong)
    return rows
