"""What clients ask of batches: bodies and queries, and what each item of a submission of many becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from app.batches import examples
from app.batches.matrix import combinations, count_combinations
from app.batches.model import MAX_CHILDREN, ItemKey
from app.batches.needs import Link, check_needs
from app.batches.service import BatchDraft, ChildDraft
from app.batches.subjects import Subject, SubjectQuery, patch_of, upstream_of
from app.errors import Conflict, FieldError, InvalidRequest, ServiceError
from app.executions.query import MAX_PAGE
from app.executions.requests import MAX_WAIT, Submission
from app.executions.service import Draft
from app.executions.vocabulary import Inputs, IsJson, JsonObject, Labels, Name, Note
from app.explaining import fields_of
from app.idempotency.model import Once
from app.merging import merged, says
from app.methods.document import Document
from app.methods.model import MethodText, is_method
from app.methods.resolution import Catalog, Refused, expand, unknown_method
from app.reasons import located
from app.secrets.vault import Vault
from app.webhooks.asked import Asked
from app.webhooks.model import EventType
from app.webhooks.vocabulary import BatchWebhooks

# No more is looked for: the answer has fewer.
MOST_WRONG = 1000
# Bytes of JSON that all children together may repeat: each has its own copy of the defaults, and of its combination.
MAX_REPEATED = 64 * 1024 * 1024
# How a submission says who its children are.
WAYS = ("items", "matrix", "count", "query", "method")


class Item(Submission):
    """One child: a submission, and its place among the others."""

    key: ItemKey | None = None
    needs: tuple[ItemKey, ...] = ()


class Matrix(BaseModel):
    """One child per combination of these values."""

    model_config = ConfigDict(extra="forbid")

    # Not value by value: there may be millions, until they are counted.
    inputs: Annotated[dict[str, Annotated[list[Any], Field(min_length=1)]], IsJson] = Field(
        default={}, description="Values by name"
    )
    env: Annotated[dict[str, Annotated[list[str], Field(min_length=1)]], IsJson] = Field(
        default={}, description="Values by name"
    )

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if not self.inputs and not self.env:
            raise PydanticCustomError("empty", "must have values for at least one name")
        if count_combinations(self.axes(), most=MAX_CHILDREN) > MAX_CHILDREN:
            raise PydanticCustomError("too_many", "must have at most {most} combinations", {"most": MAX_CHILDREN})
        return self

    def axes(self) -> Mapping[str, Mapping[str, list[Any]]]:
        """The values by field and name."""
        return {"inputs": self.inputs, "env": self.env}


class BatchSubmission(BaseModel):
    """Many executions at once, in exactly one of five ways: `items`, `matrix`, `count`, `query` or `method`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [*examples.SUBMISSIONS.values()]})

    name: Name | None = Field(default=None, description="For people")
    note: Note | None = Field(default=None, description="For people")
    labels: Labels = Field(default={}, description="Of the batch; those of its children are among the defaults")
    defaults: JsonObject = Field(default={}, description="Fields of a submission, which all children have")
    items: list[JsonObject] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_CHILDREN,
        description="One child each: fields of a submission, laid over the defaults as a JSON merge patch (RFC 7396), "
        "and with `needs` the `key` of others that must have succeeded before",
    )
    matrix: Matrix | None = Field(default=None, description="One child per combination")
    count: int | None = Field(default=None, ge=1, le=MAX_CHILDREN, strict=True, description="So many children alike")
    query: SubjectQuery | None = Field(
        default=None,
        description="One child per execution that matches and has ended. It has the id as the input `execution`, and "
        "finds the outputs in `/tailrace/inputs/execution`. Or, with `files`, one per uploaded file, which it finds in "
        "`/tailrace/inputs/file/`; the input `file` is the path",
    )
    method: MethodText | None = Field(default=None, description="One child per step of this method, which has `steps`")
    profile: ItemKey | None = Field(default=None, description="A preset of that method")
    inputs: Inputs = Field(default={}, description="The inputs of that method, which hands them on to its steps")
    max_parallel: int | None = Field(
        default=None,
        ge=1,
        le=MAX_CHILDREN,
        strict=True,
        description="So many children at most have been let go and not ended",
    )
    fail_fast: StrictBool = Field(default=False, description="The first child that fails cancels all others")
    webhooks: BatchWebhooks = Field(default=(), description="Who is told when all of it has ended, once")

    @model_validator(mode="after")
    def _check_ways(self) -> Self:
        given = [way for way in WAYS if getattr(self, way) is not None]
        if len(given) != 1:
            ways = ", ".join(f"`{way}`" for way in WAYS)
            message = f"must say who its children are in exactly one way, of {ways}"
            raise PydanticCustomError("not_one_way", message, {"at": given[-1] if given else "items"})
        for name in ("profile", "inputs"):
            if self.method is None and getattr(self, name):
                message = "is of a method with steps; what all children have is in `defaults`"
                raise PydanticCustomError("no_method", message, {"at": name})
        return self

    @property
    def methods(self) -> frozenset[str]:
        """The methods that have to be looked up for it, but for those of its method's steps."""
        named = {fields.get("method") for fields in (self.defaults, *(self.items or []))} | {self.method}
        return frozenset(name for name in named if isinstance(name, str) and is_method(name))

    def draft(self, subjects: Sequence[Subject] | None = None, catalog: Catalog | None = None) -> BatchDraft:
        """The same for the service; `subjects` are what its query found, the catalog has the methods that it names.

        Raises `InvalidRequest` naming every field, and `Conflict` for a method that is disabled.
        """
        self.check_size(len(subjects or []))
        catalog = catalog or {}
        children: list[ChildDraft] = []
        wrong: dict[tuple[str, str], FieldError] = {}
        # How large a method is, the request itself does not tell.
        from_methods = 0
        for where, patch in self.patches(subjects or [], catalog):
            try:
                item = Item.model_validate(merged(self.defaults, patch))
                draft = _draft(item, catalog, path_of(where) if says(patch, "method") else "defaults")
            except ValidationError as error:
                found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
                wrong |= _located(fields_of(found), path_of(where), patch)
            except Refused as refused:
                wrong |= _located(refused.fields, path_of(where), patch)
            else:
                from_methods += _size_by_method(draft) * (self.count or 1)
                if from_methods > MAX_REPEATED:
                    raise _too_large("defaults" if "method" in self.defaults else "items", "its children")
                needs = tuple(dict.fromkeys(item.needs))
                children.append(ChildDraft(draft=draft, key=item.key, needs=needs, where=path_of(where), own=patch))
            if len(wrong) >= MOST_WRONG:
                break
        if wrong:
            raise InvalidRequest.of(list(wrong.values()))
        children *= self.count or 1
        if unmet := check_needs([Link(child.where, child.key, child.needs) for child in children]):
            raise InvalidRequest.of(unmet)
        if subjects is not None:
            pairs = zip(children, subjects, strict=True)
            children = [replace(child, upstream=upstream_of(subject)) for child, subject in pairs]
        return BatchDraft(
            name=self.name or self._name_of_method(catalog),
            note=self.note,
            labels=self.labels,
            children=children,
            max_parallel=self.max_parallel,
            fail_fast=self.fail_fast,
            webhooks=[Asked(each.url, (EventType.BATCH_ENDED,), each.secret) for each in self.webhooks],
        )

    def check_size(self, subjects: int) -> None:
        """Raise `InvalidRequest` if the children would be far larger than the request."""
        axes = self.matrix.axes() if self.matrix else {}
        children = len(self.items or []) or self.count or subjects or count_combinations(axes, most=MAX_CHILDREN)
        combined = (values for named in axes.values() for values in named.values())
        sizes = {
            "defaults": len(orjson.dumps(self.defaults)),
            "matrix": sum(len(orjson.dumps(values)) // len(values) for values in combined),
        }
        if sum(sizes.values()) * children > MAX_REPEATED:
            raise _too_large(max(sizes, key=sizes.__getitem__), f"{children} children")

    def _name_of_method(self, catalog: Catalog) -> str | None:
        document = catalog.get(self.method or "")
        return f"{document.name}@{document.version}" if isinstance(document, Document) else None

    def patches(self, subjects: Sequence[Subject], catalog: Catalog) -> Iterator[tuple[tuple[object, ...], JsonObject]]:
        """What each child has beside the defaults, and where in the body that is. Raises `ServiceError`."""
        if self.method is not None:
            yield from ((("steps", step["key"]), step) for step in self._steps(self.method, catalog))
        elif self.items is not None:
            yield from ((("items", index), item) for index, item in enumerate(self.items))
        elif self.matrix is not None:
            yield from ((("matrix",), {**item}) for item in combinations(self.matrix.axes()))
        elif self.count is not None:
            # All are the same.
            yield ("defaults",), {}
        else:
            by_method = self.defaults.get("method") is not None
            yield from ((("query",), patch_of(subject, by_method=by_method)) for subject in subjects)

    def _steps(self, name: str, catalog: Catalog) -> list[JsonObject]:
        found = catalog.get(name) or unknown_method(name)
        if isinstance(found, ServiceError):
            raise found
        return expand(found, {"profile": self.profile, "inputs": self.inputs})

    def confided(self) -> dict[str, Any]:
        """What makes this body another one, but is not to be read anywhere: whatever was written of secrets."""
        bodies = (self.defaults, *(self.items or []))
        written = [fields["secrets"] for fields in bodies if fields.get("secrets")]
        signed = [fields["webhooks"] for fields in bodies if fields.get("webhooks")]
        signed += [each.confided() for each in self.webhooks if each.secret is not None]
        # Which inputs of a method are secret, only the method tells.
        inputs = [self.inputs, *(fields.get("inputs") for fields in bodies)] if self.methods else []
        parts = {"secrets": written, "webhooks": signed, "inputs": inputs}
        return {name: part for name, part in parts.items() if part}

    def once(self, key: str, vault: Vault) -> Once:
        """What tells this request from others with the same key."""
        # Without a key to seal them with secrets are refused further on.
        return Once.of(key, self, self.confided() if vault.has_key else {}, vault)


def _draft(item: Item, catalog: Catalog, where: str) -> Draft:
    """Raises `InvalidRequest`, and `Conflict` for a method that is disabled, where it was said."""
    try:
        return item.draft(catalog)
    except Conflict as disabled:
        raise located(disabled, lambda each: f"{where}.{each.field}") or disabled from None


def _size_by_method(draft: Draft) -> int:
    return len(draft.spec.model_dump_json()) if draft.spec.method is not None else 0


def _too_large(field: str, whose: str) -> InvalidRequest:
    message = f"must be smaller: {whose} would repeat more than 64 MiB of JSON"
    return InvalidRequest.of([FieldError(field, "too_large", message)])


def _located(found: Sequence[FieldError], where: str, patch: JsonObject) -> dict[tuple[str, str], FieldError]:
    """What is wrong where the client wrote it: what all children have wrong is wrong with the defaults."""
    wrong = {}
    for each in found:
        own = says(patch, each.field) or (each.code == "missing" and where.startswith("items"))
        field = f"{where if own else 'defaults'}.{each.field}"
        wrong[field, each.code] = FieldError(field, each.code, each.message)
    return wrong


def path_of(where: tuple[object, ...]) -> str:
    """Where a child is in the request."""
    return "".join(f"[{part}]" if isinstance(part, int) else str(part) for part in where)


class Again(StrEnum):
    """Which children are run again."""

    FAILED = "failed"
    ALL = "all"


class RerunBatchRequest(BaseModel):
    """What of it is run again. The body may be left out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"only": "failed"}]})

    only: Again = Field(default=Again.FAILED, description="`failed`: those that did not succeed; or `all`")

    def once(self, key: str, batch: UUID, vault: Vault) -> Once:
        """What tells this request from others with the same key."""
        return Once.of(key, _BatchAgain(rerun_of=batch, only=self.only), {}, vault)


class _BatchAgain(BaseModel):
    rerun_of: UUID
    only: Again


class BatchQuery(BaseModel):
    """Options of a single batch."""

    model_config = ConfigDict(extra="forbid")

    wait: float = Field(default=0, ge=0, le=MAX_WAIT, description="Seconds to wait for its end")


class NeedsQuery(BaseModel):
    """Pages of who needs whom."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=MAX_PAGE, ge=1, le=MAX_PAGE, description="Children per page")
    cursor: int = Field(default=-1, ge=-1, le=MAX_CHILDREN, description="The `next` of the page before")


class BatchListQuery(BaseModel):
    """Pages of the list of batches."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: UUID | None = Field(default=None, description="The `next` of the page before")
