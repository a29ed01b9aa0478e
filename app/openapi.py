"""The OpenAPI document: what FastAPI derives, plus what holds everywhere, plus the WebSockets, which OpenAPI lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_type_hints

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode
from typing_extensions import TypedDict

from app.auth.cookies import cookie_name
from app.batches import examples as batches
from app.errors import (
    Conflict,
    InvalidRequest,
    MalformedRequest,
    NotAcceptable,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    QuotaExceeded,
    RangeNotSatisfiable,
    ServiceError,
    TooFast,
    Unavailable,
    UnsupportedMediaType,
)
from app.events.protocol import FRAMES as EVENT_FRAMES
from app.events.query import EventsQuery
from app.executions import examples as executions
from app.logs.protocol import FRAMES, CloseCode
from app.logs.query import TailQuery
from app.methods import examples as methods
from app.problems import MEDIA_TYPE, Problem
from app.schedules import examples as schedules
from app.triggers import examples as triggers

Document = dict[str, Any]

DESCRIPTION = """Submit a Docker image and a command; follow its log live; stop it without losing its work.

**Try it out.** Who is [logged in](login?next=/docs) is known here, too; or give a token to *Authorize*. Examples can be
sent as they stand: `busybox:local` is wherever `make up` has been. Ids are yours to fill in, in bodies instead of those
that begin with `019a3e5c`; names are those that other examples make.

**Who may.** Send `Authorization: Bearer <token>` everywhere but at `/`, `/healthz`, `/readyz`, `/docs`, `/login`,
`/openapi.json`, and where others post to a trigger. Browsers have a session instead, a cookie.

**Form.** Ids are UUIDv7, times RFC 3339 in UTC, sizes bytes, durations seconds. Every error is a problem (RFC 9457,
`application/problem+json`), with a stable code, a hint, and everything that is wrong with which field. What GET shows,
HEAD says without a body, and waits for nothing.

**Live.** This page cannot show WebSockets. `WS /v1/executions/{id}/tail` is the log of one execution as it is written,
to be resumed at the exact line; `WS /v1/events` is everything that happens. Both are in `openapi.json` with parameters,
frames and close codes (`x-websocket`), and in words in the documents that come with Tailrace: `docs/logs.md` and
`docs/events.md`. The log comes live over HTTP, too: `GET /v1/executions/{id}/logs?follow=true`.
"""
TAGS = [
    {"name": "executions", "description": "One request to run one image, and its record"},
    {"name": "batches", "description": "Many executions, submitted together"},
    {"name": "schedules", "description": "Rules by which executions and batches are submitted again and again"},
    {"name": "methods", "description": "Named, versioned templates of executions, with typed inputs"},
    {"name": "triggers", "description": "Addresses to which others post, and something is submitted"},
    {"name": "logs", "description": "What the program wrote, whole or live"},
    {"name": "outputs", "description": "The files it left behind"},
    {"name": "bundles", "description": "One execution as one archive, out and in"},
    {"name": "files", "description": "Files that you upload, to be inputs"},
    {"name": "webhooks", "description": "Servers of yours that are sent what happens, signed"},
    {"name": "notifications", "description": "People who are told how executions end"},
    {"name": "pools", "description": "Named groups of workers, and how much may run in each"},
    {"name": "workers", "description": "Who is there to run executions"},
    {"name": "tokens", "description": "Who may do what, and for how long; addresses that show one execution"},
    {"name": "quotas", "description": "Who you are, and how much an owner may have"},
    {"name": "secrets", "description": "Secrets that submissions refer to by name"},
    {"name": "audit", "description": "Who did what"},
    {"name": "stats", "description": "Numbers over all executions"},
    {"name": "retention", "description": "For how long what has ended is kept"},
    {"name": "health", "description": "For supervisors and load balancers; no token"},
    {"name": "metrics", "description": "For Prometheus"},
]
# By the operation that they are sent to, where it has several; the one of others is that of their schema.
EXAMPLES: dict[str, dict[str, Any]] = {
    "submit_execution": executions.SUBMISSIONS,
    "change_execution": executions.CHANGES,
    "rerun_execution": executions.RERUNS,
    "submit_batch": batches.SUBMISSIONS,
    "add_method": methods.DOCUMENTS,
    "replace_method_version": {"One program": methods.DOCUMENT},
    "add_schedule": schedules.NEW,
    "change_schedule": schedules.CHANGES,
    "add_trigger": triggers.NEW,
    "change_trigger": triggers.CHANGES,
    "rotate_trigger": triggers.ROTATIONS,
}
# Of parameters, by the noun of the path: what those make. Nobody knows ids before.
_NAMES = {
    ("methods", "name"): methods.DOCUMENT["name"],
    ("methods", "version"): methods.DOCUMENT["version"],
    ("methods", "from"): methods.DOCUMENT["version"],
    ("pools", "name"): "gpu-1",
    ("files", "name"): "rows.csv",
    ("secrets", "name"): "hub-token",
    ("quotas", "owner"): "ann",
    ("executions", "path"): "lines.txt",
}
_SESSION = {
    "type": "apiKey",
    "in": "cookie",
    "name": cookie_name(secure=False),
    "description": "What a browser has that is logged in at `/login`; nothing is to be filled in. Over https it is "
    f"`{cookie_name(secure=True)}`. It counts only where a page of this API sends it",
}
_CONNECT = (
    "Connect with `ws://` and the token in the Authorization header, or with `ticket=` in the query. JSON text frames "
    "come from the server only. A refusal is a close code, without a frame."
)
_NULL = {"type": "null"}
_REF = "#/components/schemas/{model}"
_ALL_ERRORS = (
    MalformedRequest, NotAuthenticated, NotAllowed, NotFound, NotAcceptable, Conflict, PreconditionFailed,
    PayloadTooLarge, UnsupportedMediaType, RangeNotSatisfiable, InvalidRequest, QuotaExceeded, Unavailable,
)  # fmt: skip
_BY_STATUS: dict[str, type[ServiceError]] = {str(error.status): error for error in _ALL_ERRORS}
# What such a status is where the operation says nothing of it.
_USUAL: dict[str, type[ServiceError]] = {**_BY_STATUS, "429": TooFast}


def add_documentation(app: FastAPI) -> None:
    """Have `/openapi.json` be this."""

    def document() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = build_document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the way that FastAPI documents


def build_document(app: FastAPI) -> Document:
    """The whole document."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
    )
    schemas: Document = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    _restore_nulls(schemas)
    problem = TypeAdapter(Problem).json_schema(ref_template=_REF)
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    document["components"]["securitySchemes"]["session"] = _SESSION
    for path, operation in _operations(document):
        _document_errors(operation, path)
        _show_examples(operation, path)
        for part in (*operation.get("parameters", []), *operation.get("requestBody", {}).get("content", {}).values()):
            _plain(part)
        if "security" in operation:
            operation["security"].append({"session": []})
    for path, socket in _sockets(schemas):
        document["paths"][path] = socket
    return document


def _restore_nulls(schemas: Document) -> None:
    """FastAPI leaves out whatever is null, even where an example means it, and sorts some."""
    configured = [model.model_config.get("json_schema_extra") for model in _models(BaseModel)]
    known = [extra["examples"] for extra in configured if isinstance(extra, dict) and "examples" in extra]
    pruned = [jsonable_encoder(examples, exclude_none=True) for examples in known]
    for schema in schemas.values():
        if "examples" in schema and schema["examples"] in pruned:
            schema["examples"] = known[pruned.index(schema["examples"])]


def _models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, item in document["paths"].items():
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
            yield path, item[method]


def _show_examples(operation: Document, path: str) -> None:
    """Of its body, by what each of them shows; and of parameters, what those of others make."""
    if examples := EXAMPLES.get(operation["operationId"]):
        content = operation["requestBody"]["content"]["application/json"]
        content["examples"] = {name: {"summary": name, "value": value} for name, value in examples.items()}
    for parameter in operation.get("parameters", []):
        name = _NAMES.get((path.split("/")[2], parameter["name"]))
        if name and parameter.get("required"):
            parameter["example"] = name


def _plain(part: Document) -> Document:
    """What may be left out cannot be null: neither a body, nor a parameter."""
    schema = part["schema"]
    if _NULL in schema.get("anyOf", []):
        (other,) = (option for option in schema.pop("anyOf") if option != _NULL)
        schema = {key: value for key, value in schema.items() if value is not None}
        part["schema"] = other if "$ref" in other else {**other, **schema}
    return part


def _document_errors(operation: Document, path: str) -> None:
    """Every answer that is not a success, and what holds for all operations of a kind, is a problem."""
    responses = operation["responses"]
    parameters = operation.get("parameters", [])
    expected = {status for status in responses if status in _BY_STATUS and "content" not in responses[status]}
    if "security" in operation:
        # No query may have parameters that are not known.
        expected |= {"401", "403", "422", "429", "503"}
    if any(parameter["in"] == "path" for parameter in parameters):
        expected.add("404")
    if "requestBody" in operation:
        expected |= {"400", "413", "415"}
    responses.pop("422", None)
    if parameters or "requestBody" in operation:
        expected.add("422")
    said = set(responses)
    for status in sorted(expected):
        description = responses.get(status, {}).get("description") or _USUAL[status].title
        error = _BY_STATUS[status] if status in said else _USUAL[status]
        responses[status] = _problem(description, error, path)


def _problem(description: str, error: type[ServiceError], path: str) -> Document:
    example: Document = {
        "type": f"urn:tailrace:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": (error.__doc__ or "").split("\n")[0],
        "hint": None,
        "errors": [],
        "instance": path,
        **({"used": 100, "limit": 100} if error is QuotaExceeded else {}),
    }
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}, "example": example}}
    response: Document = {"description": description, "content": content}
    if error.retry_after is not None:
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return response


def _sockets(schemas: Document) -> Iterator[tuple[str, Document]]:
    """The WebSockets, as path items with an extension: OpenAPI knows requests and answers only."""
    id_ = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    yield (
        "/v1/executions/{id}/tail",
        {
            "summary": "The log live, over a WebSocket",
            "description": f"{_CONNECT} `share=` is good as well. Resume with `after=` the last seq you have.",
            "parameters": [{**id_, "description": "The execution's id"}, *_query(schemas, TailQuery)],
            "x-websocket": _socket(schemas, FRAMES, "Log"),
        },
    )
    yield (
        "/v1/events",
        {
            "summary": "Everything that happens, over a WebSocket",
            "description": f"{_CONNECT} Resume with `after=` the last cursor you have.",
            "parameters": list(_query(schemas, EventsQuery)),
            "x-websocket": _socket(schemas, EVENT_FRAMES, "Event"),
        },
    )


def _socket(schemas: Document, frames: dict[str, Any], kind: str) -> Document:
    return {
        "security": [{"bearer": []}, {"session": []}],
        "frames": _frames(
            schemas, {name: (f"{kind}{frame.__name__.removesuffix('Frame')}", frame) for name, frame in frames.items()}
        ),
        "closeCodes": {str(code.value): code.name.lower() for code in CloseCode},
    }


def _query(schemas: Document, model: type[BaseModel]) -> Iterator[Document]:
    """The parameters that a model stands for; adds what their schemas refer to."""
    schema = model.model_json_schema(ref_template=_REF)
    for name, definition in schema.get("$defs", {}).items():
        schemas.setdefault(name, definition)
    for name, content in schema["properties"].items():
        yield _plain({"name": name, "in": "query", "description": content.pop("description"), "schema": content})


def _frames(schemas: Document, frames: dict[str, tuple[str, Any]]) -> Document:
    """Adds the schema of each frame; returns references to them, by the frame's `type`."""
    mode: JsonSchemaMode = "serialization"
    # Below Python 3.12 pydantic wants this TypedDict, not the standard library's.
    adapters = [
        (name, mode, TypeAdapter(TypedDict(title, get_type_hints(frame))))  # type: ignore[operator]
        for name, (title, frame) in frames.items()
    ]
    references, definitions = TypeAdapter.json_schemas(adapters, ref_template=_REF)
    for model, schema in definitions.get("$defs", {}).items():
        schemas.setdefault(model, schema)
    return {name: schema for (name, _), schema in references.items()}
