"""What a firing submits: bodies as a client would send them, judged by the same models each time they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self, TypeVar
from uuid import UUID

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app import reasons
from app.auth.service import Caller
from app.batches import service as batches
from app.batches.model import MAX_CHILDREN
from app.batches.requests import BatchSubmission
from app.batches.service import Plan
from app.batches.steps import catalog_of
from app.batches.subjects import Subject, SubjectQuery, a_subject, find_subjects
from app.bootstrap import Process
from app.db.engine import Connection
from app.errors import Conflict, FieldError, InvalidRequest, NotAllowed, ServiceError
from app.executions import service as executions
from app.executions import submitting
from app.executions.requests import Submission
from app.executions.service import Draft
from app.explaining import explain
from app.methods.catalog import look_up
from app.methods.inputs import InputFormat
from app.secrets.vault import Vault

# What stands where a value is that nobody gets to see.
HIDDEN = "***"
# Bytes of JSON of all targets: they are read whenever it fires, and in every list.
MOST_BYTES = 1024 * 1024
# What says why a target is not accepted.
REFUSALS = (InvalidRequest, NotAllowed, Conflict)
_SEALED_AS = "targets"
# The code of what is told of a query that matches nothing.
NOTHING = "no_children"

Body = dict[str, Any]
T = TypeVar("T")


class Target(BaseModel):
    """One thing that each firing submits: an execution or a batch, as it would be sent there."""

    model_config = ConfigDict(extra="forbid")

    execution: Submission | None = Field(default=None, description="A body of `POST /v1/executions`")
    batch: BatchSubmission | None = Field(default=None, description="A body of `POST /v1/batches`")

    _body: Body = PrivateAttr()

    @model_validator(mode="wrap")
    @classmethod
    def _check(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        target = handler(value)
        if (target.execution is None) == (target.batch is None):
            raise PydanticCustomError("not_one_way", "must be an `execution` or a `batch`, one of the two")
        if names := sorted(_not_given(value)):
            message = "has `***` for {name}, which is only shown: give the value again"
            raise PydanticCustomError("hidden", message, {"name": f"`{names[0]}`", "at": target.kind})
        target._body = value  # noqa: SLF001 - its own
        return target

    @property
    def body(self) -> Body:
        """As it was sent, with its secrets."""
        return self._body

    @property
    def kind(self) -> str:
        """The name of its one field."""
        return "batch" if self.execution is None else "execution"

    @property
    def is_confided(self) -> bool:
        """Whether anything in it may be nobody else's business."""
        what = self.execution or self.batch
        return what is not None and bool(what.confided())

    @property
    def names_methods(self) -> bool:
        """Whether only a method tells what in it is secret."""
        what = self.execution or self.batch
        return what is not None and bool(what.methods)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who submits: a `schedule`, for a logical time, or something else. `inputs` are given to each.

    They come over the inputs of an execution, and of the defaults of a batch, but not over what a child has of its own.
    """

    source: str
    inputs: Mapping[str, Any]
    schedule: UUID | None = None
    at: datetime | None = None

    @classmethod
    def of_schedule(cls, schedule: UUID, at: datetime, time_input: str | None) -> Self:
        """A schedule, which gives the time in that input, if in any."""
        return cls("schedule", {} if time_input is None else {time_input: written(at)}, schedule, at)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A target as it is to be accepted. `where` is its path."""

    where: str
    what: Draft | Plan

    @property
    def size(self) -> int:
        """How many executions that is."""
        return len(self.what.children) if isinstance(self.what, Plan) else 1


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a firing has made, and the pools in which it waits."""

    made: Sequence[Mapping[str, str]]
    pools: frozenset[str]


def written(at: datetime) -> str:
    """A time as programs get it."""
    return at.isoformat().replace("+00:00", "Z")


def check_size(where: str, targets: Sequence[Target]) -> None:
    """Raises `InvalidRequest`."""
    if sum(len(orjson.dumps(target.body)) for target in targets) > MOST_BYTES:
        message = "must be at most 1 MiB of JSON: what is larger belongs in a method or in a file"
        raise InvalidRequest.of([FieldError(where, "too_large", message)])


async def find_secret_inputs(process: Process, caller: Caller, targets: Mapping[str, Target]) -> frozenset[str]:
    """Inputs that a method of these targets, by their paths, takes for secrets. Raises why a method cannot be had."""
    secret: set[str] = set()
    for where, target in targets.items():
        if target.batch is not None:
            catalog = await catalog_of(process, caller, target.batch)
        else:
            catalog = await look_up(process, caller, target.execution.methods if target.execution else ())
        for found in catalog.values():
            if isinstance(found, ServiceError):
                raise located(found, f"{where}.{target.kind}")
            secret |= found.inputs.having(InputFormat.SECRET)
    return frozenset(secret)


def seal(
    vault: Vault, schedule: UUID, targets: Sequence[Target], secret_inputs: Collection[str]
) -> tuple[list[Body], bytes | None]:
    """The bodies as they are kept: if anything is confided in them as they are shown, and sealed as they were sent.

    Without a key there are no secrets in them: those are refused when they are judged.
    """
    bodies = [target.body for target in targets]
    if not vault.has_key or not any(target.is_confided for target in targets):
        return bodies, None
    public = [_shown(target.body, secret_inputs) for target in targets]
    return public, vault.seal(orjson.dumps(bodies).decode(), execution=schedule, name=_SEALED_AS)


def unseal(vault: Vault, schedule: UUID, kept: Sequence[Mapping[str, Any]], sealed: bytes | None) -> list[Body]:
    """The bodies as they were sent. Raises `NoKey` and `WrongKey`."""
    if sealed is None:
        return [dict(body) for body in kept]
    bodies: list[Body] = orjson.loads(vault.open(sealed, execution=schedule, name=_SEALED_AS))
    return bodies


def by_path(targets: Sequence[T]) -> dict[str, T]:
    """Targets, or their bodies, by their paths in a schedule."""
    return {f"targets[{index}]": each for index, each in enumerate(targets)}


def shown(kept: Sequence[Mapping[str, Any]]) -> list[Body]:
    """As clients get to see them: of variables and secrets the names only, as on a record."""
    return [_shown(body) for body in kept]


def _shown(body: Mapping[str, Any], secret_inputs: Collection[str] = ()) -> Body:
    copied: Body = orjson.loads(orjson.dumps(body))
    for fields in _submissions(copied):
        for name in ("env", "secrets"):
            if name in fields:
                fields[name] = _hidden(fields[name])
        inputs = fields.get("inputs") or {}
        inputs |= _hidden({name: value for name, value in inputs.items() if name in secret_inputs})
        for webhook in fields.get("webhooks") or ():
            if webhook.get("secret"):
                webhook["secret"] = HIDDEN
    return copied


async def prepare(
    process: Process, caller: Caller, bodies: Mapping[str, Body], origin: Origin, *, rehearsing: bool = False
) -> list[Prepared]:
    """What the bodies, by their paths, become. A batch of what a query finds is left out if it finds nothing.

    Rehearsing it is judged with anything that it might find, and left out. Raises `InvalidRequest` and `NotAllowed`.
    """
    prepared: list[Prepared] = []
    for where, body in bodies.items():
        # It may be as large as a request.
        target = await asyncio.to_thread(_target, where, told(body, origin))
        try:
            if target.execution is not None:
                draft = await submitting.draft_of(process, caller, target.execution)
                prepared.append(Prepared(f"{where}.execution", _of(draft, origin)))
            elif target.batch is not None:
                plan = await _plan(process, caller, target.batch, origin, rehearsing=rehearsing)
                prepared += [] if plan is None else [Prepared(f"{where}.batch", plan)]
        except REFUSALS as refused:
            raise located(refused, f"{where}.{target.kind}") from None
        # All of it is one transaction.
        if sum(each.size for each in prepared) > MAX_CHILDREN:
            message = f"is too much: all targets together may be {MAX_CHILDREN} executions"
            raise InvalidRequest.of([FieldError(f"{where}.{target.kind}", "too_many", message)])
    return prepared


async def accept(connection: Connection, process: Process, caller: Caller, prepared: Sequence[Prepared]) -> Accepted:
    """All of them, within the caller's transaction. Raises `InvalidRequest`, `NotAllowed` and `QuotaExceeded`."""
    made: list[Mapping[str, str]] = []
    pools: set[str] = set()
    for each in prepared:
        try:
            if isinstance(each.what, Plan):
                batch = await batches.accept(connection, process, caller, each.what)
                made.append({"batch": str(batch.id)})
                pools |= {child.pool for child in each.what.children}
            else:
                record = (await executions.accept(connection, process, caller, each.what)).record
                made.append({"execution": str(record.id)})
                pools.add(record.pool)
        except REFUSALS as refused:
            raise located(refused, each.where) from None
    return Accepted(made, frozenset(pools))


def located(refused: ServiceError, where: str) -> ServiceError:
    """The same, with the fields where they are in the targets."""
    return reasons.located(refused, lambda each: f"{where}.{each.field}") or refused


async def _plan(
    process: Process, caller: Caller, batch: BatchSubmission, origin: Origin, *, rehearsing: bool
) -> Plan | None:
    """None if there is nothing to submit."""
    try:
        subjects = await _subjects(process, caller, batch.query, rehearsing=rehearsing)
    except InvalidRequest as refused:
        if [each.code for each in refused.fields] == [NOTHING]:
            return None
        raise
    draft = await asyncio.to_thread(batch.draft, subjects, await catalog_of(process, caller, batch))
    children = [replace(child, draft=_of(child.draft, origin)) for child in draft.children]
    plan = await batches.prepare(process, caller, replace(draft, children=children))
    return None if rehearsing and subjects is not None else plan


async def _subjects(
    process: Process, caller: Caller, query: SubjectQuery | None, *, rehearsing: bool
) -> Sequence[Subject] | None:
    """What a query finds, if there is one; rehearsing, anything."""
    if query is None:
        return None
    return [a_subject(query)] if rehearsing else await find_subjects(process, caller, query)


def _of(draft: Draft, origin: Origin) -> Draft:
    return replace(draft, source=origin.source, schedule=origin.schedule)


def _target(where: str, body: Body) -> Target:
    try:
        return Target.model_validate(body)
    except ValidationError as error:
        raise explain([{**each, "loc": ("body", where, *each["loc"])} for each in error.errors()]) from None


def told(body: Body, origin: Origin) -> Body:
    """The body with what each execution of it is told, which need not be valid."""
    given: Body = {} if origin.at is None else {"logical_time": written(origin.at)}
    key = "execution" if body.get("execution") is not None else "batch"
    fields: Body = dict(body[key])
    submission = fields if key == "execution" else fields.get("defaults") or {}
    # A method with steps hands its inputs on by itself.
    by_steps = bool(fields.get("method")) and key == "batch"
    inputs = (fields if by_steps else submission).get("inputs") or {} if isinstance(submission, dict) else None
    if origin.inputs and isinstance(inputs, dict):
        (fields if by_steps else given)["inputs"] = {**inputs, **origin.inputs}
    if not isinstance(submission, dict):
        return {key: fields}
    both = {**submission, **given}
    return {key: both if key == "execution" else {**fields, "defaults": both}}


def _submissions(body: Mapping[str, Any]) -> Iterator[Body]:
    """Every object in a body that has fields of a submission."""
    if body.get("execution"):
        yield body["execution"]
    if batch := body.get("batch"):
        yield batch
        yield from (each for each in (batch.get("defaults"), batch.get("matrix"), *(batch.get("items") or [])) if each)


def _not_given(body: Mapping[str, Any]) -> Iterator[str]:
    """What came back as it was shown."""
    for fields in _submissions(body):
        for name in ("env", "secrets"):
            values = fields.get(name)
            if isinstance(values, dict):
                yield from (f"{name}.{each}" for each, value in values.items() if value == HIDDEN)


def _hidden(values: Any) -> Any:
    """The names. What is no object was never accepted, and null takes a name away."""
    if not isinstance(values, dict):
        return None
    return {name: None if value is None else HIDDEN for name, value in values.items()}
