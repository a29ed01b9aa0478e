"""What clients ask of methods: documents, changes and queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    RootModel,
    StrictBool,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import CoreSchema, PydanticCustomError
from typing_extensions import override

from app.errors import InvalidRequest
from app.executions.model import Limits
from app.executions.query import MAX_PAGE, Shelf, Words
from app.executions.requests import Submission, fitting_limits
from app.executions.vocabulary import JsonObject, Note
from app.explaining import fields_of
from app.merging import merged
from app.methods.document import PARTS, Document, Keyword, Written, check
from app.methods.inputs import InputFormat, Wrong, wrong
from app.methods.model import LATEST, MethodName, VersionText, Visibility
from app.methods.repository import Search
from app.salvage import Bearings, salvage, text_of

Most = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
VersionOrLatest = Annotated[str, StringConstraints(max_length=64)]
SHARED_WITH = 200
_WRITTEN = TypeAdapter(Written)


def _sources(place: str, code: str) -> Iterator[str]:
    """Of what is wrong in a document, what else may be all that is."""
    yield place
    match place.split("."):
        case ["image"]:
            yield "steps"
        case ["steps", key] if code == "not_one_way":
            yield from (f"steps.{key}.method", f"steps.{key}.image")
        case ["steps", key, "profile"]:
            yield f"steps.{key}.method"
        case ["profiles", _, "inputs", name]:
            yield f"inputs.properties.{name}"
        case ["limits", "notice"]:
            yield "limits.grace"
        case ["profiles", key, "limits", "notice"]:
            yield from ("limits.grace", f"profiles.{key}.limits.grace")
        case _:
            pass
    if code == "unknown_input":
        yield from ("inputs", "inputs.properties")
    if code == "unknown_key":
        yield "steps"


# An input that is taken away is still one.
BEARINGS = Bearings(
    depths={"inputs": 3, "profiles": 3, "steps": 3},
    fields={"name": "unknown", "version": "0.0.0"},
    entries={"inputs.properties": {"type": "string"}, "steps": {"image": "unknown"}},
    sources=_sources,
)


def read_document(written: Mapping[str, Any], *, name: str | None = None, version: str | None = None) -> Document:
    """A document that may be kept, under this name and version if they are fixed. Raises `InvalidRequest`."""
    try:
        _WRITTEN.validate_python(written)
    except ValidationError as error:
        wrong_as_json = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
        raise InvalidRequest.of(fields_of(wrong_as_json)) from None
    left = salvage(Document, written, BEARINGS)
    found: list[Any] = [*_parts(written, ()), *({**each, "loc": ("body", *each["loc"])} for each in left.wrong)]
    document = left.rest
    if document is not None:
        between = [*check(document), *_limits(document), *_files(document)]
        for field, fixed in (("name", name), ("version", version)):
            if fixed is not None and getattr(document, field) != fixed:
                between.append(wrong("fixed", (field,), f"must be `{fixed}`: it cannot be changed"))
        found += [each for each in between if left.tells(text_of(each["loc"][1:]), each["type"])]
    if document is None or found:
        raise InvalidRequest.of(fields_of(found))
    return document


def _parts(written: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[Any]:
    """What is wrong with those parts that are as in a plain submission."""
    known = {name: written[name] for name in PARTS if name in written}
    beside = {name: written[name] for name in ("retry_on",) if name in written}
    try:
        Submission.model_validate({"image": "placeholder", **beside, **known})
    except ValidationError as error:
        for each in error.errors(include_url=False):
            if each["loc"][0] in known:
                yield {**each, "loc": ("body", *path, *each["loc"])}
    webhooks = known.get("webhooks")
    for index, webhook in enumerate(webhooks if isinstance(webhooks, list) else []):
        if isinstance(webhook, dict) and webhook.get("secret") is not None:
            message = "must not be in a method, which is kept as it is: say `webhooks` when you submit it"
            yield wrong("secret_in_method", (*path, "webhooks", index, "secret"), message)
    steps = written.get("steps")
    if not path and isinstance(steps, Mapping):
        for key, step in steps.items():
            if isinstance(step, Mapping):
                yield from _parts(step, ("steps", key))


def _limits(document: Document) -> Iterator[Wrong]:
    """Limits that do not go together, in any profile."""
    presets: dict[tuple[str, ...], Limits] = {("limits",): document.limits}
    for key, profile in document.profiles.items():
        both = {
            each: getattr(part, each) for part in (document.limits, profile.limits) for each in part.model_fields_set
        }
        presets["profiles", key, "limits"] = Limits(**both)
    for path, limits in presets.items():
        try:
            fitting_limits(limits)
        except PydanticCustomError as error:
            yield wrong(error.type, (*path, "notice"), error.message())


def _files(document: Document) -> Iterator[Wrong]:
    if "files" in Submission.model_fields:
        return
    for name in sorted(document.inputs.having(InputFormat.FILE)):
        yield wrong("unknown_format", ("inputs", "properties", name, "format"), "cannot be a file in this version")


class DocumentBody(RootModel[JsonObject]):
    """The document of a method."""

    @classmethod
    @override
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # It is judged as a whole, so that everything wrong is told at once; what it is to be, says this.
        return dict(handler.resolve_ref_schema(handler(Document.__pydantic_core_schema__)))


class DocumentChange(RootModel[JsonObject]):
    """A JSON merge patch of the document of a draft."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Train longer", "limits": {"timeout": 7200}}]})


class NewVersion(BaseModel):
    """A new draft, made from a version of the same method."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"version": "1.1.0", "changes": {"limits": {"timeout": 7200}}}]}
    )

    version: VersionText
    from_: VersionOrLatest = Field(default=LATEST, alias="from", description="Which version it is made from")
    changes: JsonObject = Field(default={}, description="What is otherwise: a JSON merge patch of its document")

    def document(self, original: dict[str, Any]) -> Document:
        """What it becomes. Raises `InvalidRequest`."""
        written = merged(original, self.changes)
        return read_document({**written, "version": self.version}, name=original["name"])


class CloneRequest(BaseModel):
    """A method of your own, made from a version of another."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "my-train"}]})

    name: MethodName
    version: VersionText | None = Field(default=None, description="Of the new one; default: as of the original")
    from_: VersionOrLatest = Field(default=LATEST, alias="from", description="Which version it is made from")
    changes: JsonObject = Field(default={}, description="What is otherwise: a JSON merge patch of its document")

    def document(self, original: dict[str, Any]) -> Document:
        """What it becomes. Raises `InvalidRequest`."""
        own = {"name": self.name, "version": self.version or original["version"]}
        return read_document({**merged(original, self.changes), **own})


class MethodChange(BaseModel):
    """What to change. A field that is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"visibility": "everyone", "max_running": 4}]}
    )

    visibility: Visibility = Field(default=Visibility.PRIVATE, description="Who else may see and submit it")
    shared_with: list[Annotated[Note, StringConstraints(min_length=1, max_length=200)]] = Field(
        default=[], max_length=SHARED_WITH, description="Owners who may, if it is `named`"
    )
    max_running: Most | None = Field(
        default=None, description="So many executions of it take a slot at once, over all pools; null: no limit"
    )
    pause_after_failures: Annotated[int, Field(ge=1, le=1000, strict=True)] | None = Field(
        default=None, description="Disable it when so many of its owner's in a row have failed; null: never"
    )
    retired: StrictBool = Field(default=False, description="Hide it from the list, and accept nothing of it")


class DisableRequest(BaseModel):
    """Why nothing of it is to be accepted."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "The model is being moved."}]})

    reason: Annotated[Note, StringConstraints(min_length=1, max_length=1000)]


class MethodQuery(BaseModel):
    """Which methods; all filters must hold."""

    model_config = ConfigDict(extra="forbid")

    q: Words | None = Field(
        default=None, description="All of these words in the name, title, description, category or keywords"
    )
    keyword: Keyword | None = Field(default=None, description="With this keyword")
    category: Keyword | None = Field(default=None, description="Of this category")
    owner: Words | None = Field(default=None, description="Of this owner")
    retired: Shelf = Field(default=Shelf.FALSE, description="Retired ones too (`any`), or only (`true`)")
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: MethodName | None = Field(default=None, description="The `next` of the page before")

    def search(self) -> Search:
        """The same for whoever looks for them."""
        return Search(
            words=(self.q or "").lower().split(),
            keyword=self.keyword,
            category=self.category,
            owner=self.owner,
            retired=self.retired.wanted,
        )


class DiffQuery(BaseModel):
    """Which two versions."""

    model_config = ConfigDict(extra="forbid")

    from_: VersionOrLatest = Field(alias="from", description="A version, or `latest`")
    to: VersionOrLatest = Field(default=LATEST, description="Another one")


class ImportQuery(BaseModel):
    """What is done with it."""

    model_config = ConfigDict(extra="forbid")

    publish: bool = Field(default=False, description="Publish it at once")
