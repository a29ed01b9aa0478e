"""The body of a rerun: a JSON merge patch (RFC 7396) on what the original was submitted with, as its record has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from app.errors import FieldError, InvalidRequest
from app.executions import examples
from app.executions.model import Limits
from app.executions.record import Record
from app.executions.requests import Submission
from app.executions.service import Draft
from app.executions.vocabulary import Json
from app.idempotency.model import Once
from app.merging import merged
from app.problems import explain
from app.secrets.vault import Vault

FROM_CHECKPOINT = "from_checkpoint"


class RerunRequest(RootModel[dict[str, Json]]):
    """Any fields of a submission; what is left out stays as it was, null takes away. Objects are merged, key by key.

    `from_checkpoint: true` starts from a copy of its own last checkpoint. `secrets` are to be given again.
    """

    model_config = ConfigDict(json_schema_extra={"examples": examples.RERUNS})

    root: dict[str, Json] = {}

    def once(self, key: str, execution: UUID, vault: Vault) -> Once:
        """What tells this request from others with the same key."""
        fields = {name: value for name, value in self.root.items() if name != "secrets"}
        # Without a key to seal them with they are refused further on.
        secrets = self.root.get("secrets") if vault.has_key else None
        return Once.of(key, _Again(rerun_of=execution, fields=fields), {"secrets": secrets} if secrets else {}, vault)

    def draft(self, record: Record) -> Draft:
        """What the execution becomes. Raises `InvalidRequest`."""
        submission = self._submission(record)
        self._check_secrets(record)
        given = self.root.get("limits") or {}
        # What was not asked for now is not held against the caps of today.
        limits = Limits.model_construct(_fields_set=set(given), **dict(submission.limits))
        return replace(submission.draft(), limits=limits, rerun_of=record.id)

    def _submission(self, record: Record) -> Submission:
        patch = dict(self.root)
        from_checkpoint = patch.pop(FROM_CHECKPOINT, None)
        if from_checkpoint is True:
            patch.setdefault("resume_from", str(record.id))
        elif from_checkpoint is not None and from_checkpoint is not False:
            raise explain([{"type": "bool_type", "loc": ("body", FROM_CHECKPOINT)}])
        try:
            return Submission.model_validate(merged(submitted(record), patch))
        except ValidationError as error:
            raise explain([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None

    def _check_secrets(self, record: Record) -> None:
        missing = sorted(set(record.spec.secrets) - set(self.root.get("secrets") or {}))
        if missing:
            message = "must be given again, or null: secrets are not kept after the end"
            names = ", ".join(f"`secrets.{name}`" for name in missing)
            raise InvalidRequest(
                f"{names} {message}.", fields=[FieldError(f"secrets.{name}", "missing", message) for name in missing]
            )


class _Again(BaseModel):
    """Whose rerun it is, and what it asks for."""

    rerun_of: UUID
    fields: dict[str, Any]


def submitted(record: Record) -> dict[str, Any]:
    """The submission that becomes the same execution, with its defaults spelled out and without its secrets."""
    return {
        **record.spec.model_dump(mode="json", exclude={"secrets"}),
        **record.retries.model_dump(mode="json"),
        "limits": record.limits.model_dump(mode="json"),
        "name": record.name,
        "note": record.note,
        "labels": record.labels,
        "pool": record.pool,
        "priority": record.priority,
        "lane": record.lane,
        "resume_from": str(record.resumed_from) if record.resumed_from else None,
    }
