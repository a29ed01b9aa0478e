"""The document of a method: what it runs, with which inputs, and the presets of both. Pure.

`Document` says what each field may be; `check` what fields mean for each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from app.batches.model import ItemKey
from app.batches.needs import Link, check_needs
from app.executions.model import ImagePolicy, Limits, Network, Then
from app.executions.vocabulary import (
    Argv,
    Env,
    Image,
    InputName,
    Json,
    JsonObject,
    Labels,
    Name,
    NamedSecrets,
    RetryOn,
    StopSignal,
    User,
    Workdir,
)
from app.methods import examples
from app.methods.inputs import InputFormat, InputsSchema, Wrong, wrong
from app.methods.model import MethodName, MethodText, VersionText, Wanted
from app.methods.template import BadTemplate, names_in
from app.pools.model import PoolName

DOCUMENT_BYTES = 256 * 1024
DESCRIPTION_CHARS = 20_000
PROFILES = 20
STEPS = 100
# What a submission may not say otherwise: it is what the method is.
OWN = (
    "image", "command", "entrypoint", "workdir", "user", "stop_signal", "network", "image_policy",
    "setup", "teardown", "outputs", "exit_codes",
)  # fmt: skip
# What it may.
PRESET = ("pool", "max_attempts", "retry_on", "on_timeout", "on_interrupted", "webhooks")
# Parts of a plain submission that a document has as they are.
STAGES = ("setup", "teardown", "outputs", "exit_codes")
PARTS = (*STAGES, "webhooks")

Keyword = Annotated[str, StringConstraints(min_length=1, max_length=63)]
Description = Annotated[str, StringConstraints(max_length=DESCRIPTION_CHARS)]
Values = dict[InputName, Json]


class Program(BaseModel):
    """What is run, and the presets of how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: Image | None = None
    command: Argv | None = Field(
        default=None, description="Arguments, in which `{{name}}` stands for the value of an input"
    )
    entrypoint: Argv | None = None
    env: Env = {}
    named_secrets: NamedSecrets = Field(
        default={}, description="Secrets of whoever submits it, by the file or variable in which the program finds them"
    )
    workdir: Workdir | None = None
    user: User | None = None
    stop_signal: StopSignal = "SIGTERM"
    network: Network = Network.NONE
    image_policy: ImagePolicy = ImagePolicy.MISSING
    setup: Json = None
    teardown: Json = None
    outputs: Json = None
    exit_codes: Json = None
    webhooks: Json = None
    pool: PoolName | None = None
    limits: Limits = Limits()
    max_attempts: int = Field(default=1, ge=1, le=100, strict=True)
    retry_on: RetryOn = ()
    on_timeout: Then = Then.FAIL
    on_interrupted: Then = Then.FAIL


class Profile(BaseModel):
    """A named preset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Name | None = None
    inputs: Values = {}
    limits: Limits = Limits()
    pool: PoolName | None = None


class Step(Program):
    """One step: a method, or an image with what it is to do. Its inputs are values, or `{{name}}` of the whole."""

    method: MethodText | None = Field(default=None, description="With its version: `name@1.2.0`")
    profile: ItemKey | None = None
    needs: tuple[ItemKey, ...] = ()
    inputs: Values = {}


class Document(Program):
    """One version of a method."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DOCUMENT, examples.PIPELINE]})

    name: MethodName
    version: VersionText
    title: Name | None = None
    description: Description | None = None
    keywords: list[Keyword] = Field(default=[], max_length=20)
    category: Keyword | None = None
    authors: list[Name] = Field(default=[], max_length=20)
    labels: Labels = {}
    inputs: InputsSchema = InputsSchema()
    profiles: dict[ItemKey, Profile] = Field(default={}, max_length=PROFILES)
    steps: dict[ItemKey, Step] | None = Field(default=None, min_length=1, max_length=STEPS)

    def kept(self) -> dict[str, Any]:
        """As it is stored and exported: what was given, in our order."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _size(value: JsonObject) -> JsonObject:
    if len(orjson.dumps(value)) > DOCUMENT_BYTES:
        raise PydanticCustomError("too_large", "must be at most 256 KiB of JSON")
    return value


# A document before it is judged: it can be told from others, and its depth and size are bounded.
Written = Annotated[JsonObject, AfterValidator(_size)]


@lru_cache(maxsize=256)
def read_document(text: str, *, own: bool) -> Document:
    """A document as it was stored; somebody else's without its webhooks."""
    document = Document.model_validate_json(text)
    return document if own else Document.model_validate(without_webhooks(document.kept()))


def without_webhooks(written: Mapping[str, Any]) -> JsonObject:
    """The same, telling nobody: what others submit of it, or make of it, is no business of its owner's."""
    steps = {key: without_webhooks(step) for key, step in (written.get("steps") or {}).items()}
    kept = {name: value for name, value in written.items() if name != "webhooks"}
    return {**kept, **({"steps": steps} if steps else {})}


def check(document: Document) -> list[Wrong]:
    """What is wrong between its fields."""
    found = [*_check_kind(document), *_check_inputs(document)]
    if document.steps is None:
        return [*found, *_check_command(document, document.inputs, ())]
    for key, step in document.steps.items():
        found += _check_step(document, step, ("steps", key))
    links = [Link(f"steps.{key}", key, step.needs) for key, step in document.steps.items()]
    return found + [wrong(each.code, (each.field,), each.message) for each in check_needs(links)]


def _check_kind(document: Document) -> Iterator[Wrong]:
    if document.steps is None:
        if document.image is None:
            yield wrong("missing", ("image",), "")
        return
    for name in sorted(document.model_fields_set & Program.model_fields.keys()):
        yield wrong("with_steps", (name,), "is not for a method with `steps`: say it in its steps")
    for name in sorted(document.inputs.having(InputFormat.SECRET)):
        message = "must not be a secret in a method with `steps`: what is handed on is on record"
        yield wrong("with_steps", ("inputs", "properties", name, "format"), message)
    for key, profile in document.profiles.items():
        for name in sorted(profile.model_fields_set & {"limits", "pool"}):
            yield wrong("with_steps", ("profiles", key, name), "is not for a method with `steps`: say it in its steps")


def _check_inputs(document: Document) -> Iterator[Wrong]:
    inputs = document.inputs
    hidden = inputs.having(InputFormat.SECRET) | inputs.having(InputFormat.FILE)
    for name in sorted(hidden & inputs.defaults().keys()):
        path = ("inputs", "properties", name, "default")
        yield wrong("no_preset", path, "must not be preset: it is a secret or a file")
    for name, value in inputs.defaults().items():
        for each in inputs.check({name: value}):
            yield {**each, "loc": ("body", "inputs", "properties", name, "default", *each["loc"][3:])}
    for key, profile in document.profiles.items():
        where = ("profiles", key, "inputs")
        yield from inputs.check(profile.inputs, where)
        for name in sorted(hidden & profile.inputs.keys()):
            yield wrong("no_preset", (*where, name), "must not be preset: it is a secret or a file")


def _check_command(program: Program, inputs: InputsSchema, path: tuple[int | str, ...]) -> Iterator[Wrong]:
    for where, arguments in _templates(program):
        for index, argument in enumerate(arguments):
            yield from _check_template(argument, inputs, (*path, *where, index))


def _templates(program: Program) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The arguments in which inputs are named, and where."""
    yield ("command",), program.command or ()
    for stage in ("setup", "teardown"):
        command = (getattr(program, stage) or {}).get("command") if isinstance(getattr(program, stage), dict) else None
        if isinstance(command, list) and all(isinstance(argument, str) for argument in command):
            yield (stage, "command"), tuple(command)


def _check_template(text: str, inputs: InputsSchema, path: tuple[int | str, ...]) -> Iterator[Wrong]:
    try:
        names = names_in(text)
    except BadTemplate:
        message = "has `{{` that begins no placeholder such as `{{name}}`; two braces themselves are `{{{{`"
        yield wrong("bad_template", path, message)
        return
    for name in names:
        schema = inputs.properties.get(name)
        if schema is None:
            yield wrong("unknown_input", path, f"names an input that there is not: `{name}`")
        elif schema.format is InputFormat.SECRET:
            message = f"must not name a secret: it is the environment variable `INPUT_{name.upper()}`"
            yield wrong("secret_input", path, message)
        elif schema.has_commas:
            message = f"must not name `{name}`: items that may contain commas cannot be told apart in one argument"
            yield wrong("has_commas", path, message)


def _check_step(document: Document, step: Step, path: tuple[int | str, ...]) -> Iterator[Wrong]:
    if (step.method is None) == (step.image is None):
        yield wrong("not_one_way", path, "must have either a `method` or an `image`")
    elif step.method is not None:
        if Wanted.parse(step.method).version is None:
            message = "must name its version, such as `name@1.2.0`: what is published does not change"
            yield wrong("no_version", (*path, "method"), message)
        for name in sorted(step.model_fields_set & set(OWN)):
            yield wrong("methods_own", (*path, name), "is the method's own")
    elif step.profile is not None:
        yield wrong("no_method", (*path, "profile"), "is of a method, and this step has none")
    yield from _check_command(step, document.inputs, path)
    for name, value in step.inputs.items():
        if isinstance(value, str):
            yield from _check_template(value, document.inputs, (*path, "inputs", name))


def given(model: BaseModel, names: tuple[str, ...]) -> Mapping[str, Any]:
    """Those of these fields that were given."""
    return {name: getattr(model, name) for name in names if name in model.model_fields_set}
