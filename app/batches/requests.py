"""What clients ask of batches: bodies and queries, and what each item of a submission of many becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from app.batches import examples
from app.batches.matrix import combinations, count_combinations
from app.batches.model import MAX_CHILDREN, ItemKey
from app.batches.needs import Link, check_needs
from app.batches.service import BatchDraft, ChildDraft
from app.errors import FieldError, InvalidRequest
from app.executions.query import MAX_PAGE, FilterBody
from app.executions.requests import Submission
from app.executions.vocabulary import IsJson, JsonObject, Labels, Name, Note
from app.idempotency.model import Once
from app.merging import is_own, merged
from app.problems import fields_of
from app.secrets.vault import Vault

# No more is looked for: the answer has fewer.
MOST_WRONG = 1000
# The name of the execution that a child of a `query` is about: of an input, and of a directory of inputs.
SUBJECT = "execution"
# Bytes of JSON that all children together may repeat: each has its own copy of the defaults, and of its combination.
MAX_REPEATED = 64 * 1024 * 1024
# How a submission says who its children are.
WAYS = ("items", "matrix", "count", "query")


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
    """Many executions at once, in exactly one of four ways: `items`, `matrix`, `count` or `query`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": examples.SUBMISSIONS})

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
    query: FilterBody | None = Field(
        default=None,
        description="One child per execution that matches and has ended. It has the id as the input `execution`, and "
        "finds the outputs in `/tailrace/inputs/execution`",
    )
    max_parallel: int | None = Field(
        default=None,
        ge=1,
        le=MAX_CHILDREN,
        strict=True,
        description="So many children at most have been let go and not ended",
    )
    fail_fast: StrictBool = Field(default=False, description="The first child that fails cancels all others")

    @model_validator(mode="after")
    def _check_ways(self) -> Self:
        given = [way for way in WAYS if getattr(self, way) is not None]
        if len(given) != 1:
            message = "must say who its children are in exactly one way: `items`, `matrix`, `count` or `query`"
            raise PydanticCustomError("not_one_way", message, {"at": given[-1] if given else "items"})
        return self

    def draft(self, subjects: list[UUID] | None = None) -> BatchDraft:
        """The same for the service; `subjects` are what its query found. Raises `InvalidRequest` naming every field."""
        self._check_size(len(subjects or []))
        children: list[ChildDraft] = []
        wrong: dict[tuple[str, str], FieldError] = {}
        for where, patch in self._patches(subjects or []):
            try:
                item = Item.model_validate(merged(self.defaults, patch))
            except ValidationError as error:
                for found in fields_of([_located(each, where, patch) for each in error.errors(include_url=False)]):
                    wrong.setdefault((found.field, found.code), found)
            else:
                needs = tuple(dict.fromkeys(item.needs))
                children.append(ChildDraft(draft=item.draft(), key=item.key, needs=needs, where=_path(where)))
            if len(wrong) >= MOST_WRONG:
                break
        if wrong:
            raise InvalidRequest.of(list(wrong.values()))
        children *= self.count or 1
        if refused := check_needs([Link(child.where, child.key, child.needs) for child in children]):
            raise InvalidRequest.of(refused)
        if subjects is not None:
            pairs = zip(children, subjects, strict=True)
            children = [replace(child, upstream={SUBJECT: subject}) for child, subject in pairs]
        return BatchDraft(
            name=self.name,
            note=self.note,
            labels=self.labels,
            children=children,
            max_parallel=self.max_parallel,
            fail_fast=self.fail_fast,
        )

    def _check_size(self, subjects: int) -> None:
        """Raise `InvalidRequest` if the children would be far larger than the request."""
        axes = self.matrix.axes() if self.matrix else {}
        children = len(self.items or []) or self.count or subjects or count_combinations(axes, most=MAX_CHILDREN)
        combined = (values for named in axes.values() for values in named.values())
        sizes = {
            "defaults": len(orjson.dumps(self.defaults)),
            "matrix": sum(len(orjson.dumps(values)) // len(values) for values in combined),
        }
        if sum(sizes.values()) * children > MAX_REPEATED:
            message = f"must be smaller: {children} children would repeat more than 64 MiB of JSON"
            raise InvalidRequest.of([FieldError(max(sizes, key=sizes.__getitem__), "too_large", message)])

    def _patches(self, subjects: list[UUID]) -> Iterator[tuple[tuple[object, ...], JsonObject]]:
        """What each child has beside the defaults, and where in the body that is."""
        if self.items is not None:
            yield from ((("items", index), item) for index, item in enumerate(self.items))
        elif self.matrix is not None:
            yield from ((("matrix",), {**item}) for item in combinations(self.matrix.axes()))
        elif self.count is not None:
            # All are the same.
            yield ("defaults",), {}
        else:
            yield from ((("query",), {"inputs": {SUBJECT: str(subject)}}) for subject in subjects)

    def confided(self) -> dict[str, Any]:
        """What makes this body another one, but is not to be read anywhere: whatever was written of secrets."""
        written = [fields["secrets"] for fields in (self.defaults, *(self.items or [])) if fields.get("secrets")]
        return {"secrets": written} if written else {}


def _located(error: ErrorDetails, where: tuple[object, ...], patch: JsonObject) -> dict[str, Any]:
    """The error where the client wrote it: what all children have wrong is wrong with the defaults."""
    path = [part for part in error["loc"] if part != "[key]"]
    own = is_own(patch, path) or (error["type"] == "missing" and where[0] == "items")
    return {**error, "loc": ("body", *(where if own else ("defaults",)), *error["loc"])}


def _path(where: tuple[object, ...]) -> str:
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


class BatchListQuery(BaseModel):
    """Pages of the list of batches."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: UUID | None = Field(default=None, description="The `next` of the page before")
