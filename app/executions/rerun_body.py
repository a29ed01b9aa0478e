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
from app.explaining import explain
from app.idempotency.model import Once
from app.merging import merged
from app.methods.document import OWN, Document
from app.methods.model import is_method
from app.methods.resolution import Catalog, inputs_of_files
from app.secrets.vault import Vault

FROM_CHECKPOINT = "from_checkpoint"
# Which inputs of a method are secret, only the method tells.
_CONFIDED = ("secrets", "inputs")


class RerunRequest(RootModel[dict[str, Json]]):
    """Any fields of a submission; what is left out stays as it was, null takes away. Objects are merged, key by key.

    `from_checkpoint: true` starts from a copy of its own last checkpoint. `secrets` are to be given again.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [*examples.RERUNS.values()]})

    root: dict[str, Json] = {}

    def once(self, key: str, execution: UUID, vault: Vault) -> Once:
        """What tells this request from others with the same key."""
        fields, secrets = self.parted(vault)
        return Once.of(key, _Again(rerun_of=execution, fields=fields), secrets, vault)

    def parted(self, vault: Vault) -> tuple[dict[str, Json], dict[str, Json]]:
        """What it says in the open, and of secrets."""
        if not vault.has_key:
            # Secrets are refused further on.
            return {name: value for name, value in self.root.items() if name != "secrets"}, {}
        confided = {name: self.root[name] for name in _CONFIDED if self.root.get(name)}
        return {name: value for name, value in self.root.items() if name not in _CONFIDED}, confided

    def methods(self, record: Record) -> frozenset[str]:
        """The method that it is of, and another one if it is to be of that. None if it is to be of none."""
        original = _method_of(record)
        named = self.root.get("method", original)
        if not isinstance(named, str) or not is_method(named):
            return frozenset()
        return frozenset({named}) if original is None else frozenset({named, original})

    def draft(self, record: Record, catalog: Catalog) -> Draft:
        """What the execution becomes. Raises `InvalidRequest`, and `Conflict` if its method is disabled."""
        submission = self._submission(record, catalog)
        self.check_secrets(record)
        draft = submission.draft(catalog)
        # What was not asked for now is not held against the caps of today.
        limits = Limits.model_construct(_fields_set=set(self.limits_asked), **dict(draft.limits))
        return replace(draft, limits=limits, rerun_of=record.id)

    def document(self, record: Record, catalog: Catalog) -> dict[str, Any]:
        """The whole submission that it would be, valid or not."""
        patch = dict(self.root)
        if patch.pop(FROM_CHECKPOINT, None) is True:
            patch.setdefault("resume_from", str(record.id))
        document: dict[str, Any] = merged(self._original(record, catalog), patch)
        return document

    def _submission(self, record: Record, catalog: Catalog) -> Submission:
        if not isinstance(self.root.get(FROM_CHECKPOINT), bool | None):
            raise explain([{"type": "bool_type", "loc": ("body", FROM_CHECKPOINT)}])
        try:
            return Submission.model_validate(self.document(record, catalog))
        except ValidationError as error:
            raise explain([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None

    def _original(self, record: Record, catalog: Catalog) -> dict[str, Any]:
        """What it was submitted with; by its method, if it is to stay one of that."""
        if "method" in self.root and self.root["method"] is None:
            return submitted(record)
        return submitted_by_method(record, catalog)

    @property
    def limits_asked(self) -> frozenset[str]:
        """Those that are to be otherwise, as far as that can be read."""
        return self._named("limits")

    def _named(self, field: str) -> frozenset[str]:
        value = self.root.get(field)
        return frozenset(value) if isinstance(value, dict) else frozenset()

    def check_secrets(self, record: Record) -> None:
        """Raises `InvalidRequest` if one is neither given again nor taken away."""
        if "secrets" in self.root and self.root["secrets"] is None:
            return  # it does without any
        given = self._named("secrets")
        if record.spec.method is not None:
            given |= {f"INPUT_{name.upper()}" for name in self._named("inputs")}
        missing = sorted(set(record.spec.secrets) - given)
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
        **record.spec.model_dump(mode="json", exclude={"secrets", "method"}),
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


def submitted_by_method(record: Record, catalog: Catalog) -> dict[str, Any]:
    """The same by its method, if it has one: what is the method's own is left out."""
    method, document = record.spec.method, catalog.get(_method_of(record) or "")
    if method is None:
        return submitted(record)
    said = {name: value for name, value in submitted(record).items() if name not in OWN}
    if isinstance(document, Document):
        files = inputs_of_files(document.inputs, said["inputs"], said["files"])
        said["inputs"] |= files
        said["files"] = {path: each for path, each in said["files"].items() if path.partition("/")[0] not in files}
        said["env"] = {name: value for name, value in said["env"].items() if name not in document.env}
    return {**said, "method": _method_of(record), "profile": method.profile}


def _method_of(record: Record) -> str | None:
    method = record.spec.method
    return f"{method.name}@{method.version}" if method else None
