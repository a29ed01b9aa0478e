"""The OpenAPI document: what FastAPI derives, plus what holds everywhere, plus the WebSocket, which OpenAPI lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_type_hints

from fastapi import FastAPI
from fastapi.encoders import jsonable_encoder
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode
from typing_extensions import TypedDict

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
from app.logs.protocol import FRAMES, CloseCode
from app.logs.query import TailQuery
from app.problems import MEDIA_TYPE, Problem

Document = dict[str, Any]

DESCRIPTION = """Submit a Docker image and a command; follow its log live; stop it without losing its work.

Every error is a problem (RFC 9457, `application/problem+json`). Ids are UUIDv7, times RFC 3339 in UTC, sizes bytes.
Send the header `Authorization: Bearer <token>` everywhere but at `/`, `/healthz`, `/readyz`, `/docs`, `/login`,
`/openapi.json`, and where others post to a trigger. What GET shows, HEAD says without a body, and waits for nothing.
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
    {"name": "tokens", "description": "Who may do what, and for how long; addresses that show one execution"},
    {"name": "quotas", "description": "Who you are, and how much an owner may have"},
    {"name": "secrets", "description": "Secrets that submissions refer to by name"},
    {"name": "audit", "description": "Who did what"},
    {"name": "workers", "description": "Who is there to run executions"},
    {"name": "stats", "description": "Numbers over all executions"},
    {"name": "retention", "description": "For how long what has ended is kept"},
    {"name": "health", "description": "For supervisors and load balancers; no token"},
    {"name": "metrics", "description": "For Prometheus"},
]
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
    for operation in _operations(document):
        _document_errors(operation)
    document["paths"]["/v1/executions/{id}/tail"] = _tail(schemas)
    return document


def _restore_nulls(schemas: Document) -> None:
    """FastAPI leaves out whatever is null, even where an example means it."""
    for model in _models(BaseModel):
        extra = model.model_config.get("json_schema_extra")
        examples = extra.get("examples") if isinstance(extra, dict) else None
        pruned = jsonable_encoder(examples, exclude_none=True)
        # Those of a name that several models have begin with their module.
        for name in (model.__name__, f"{model.__module__}.{model.__name__}".replace(".", "__")):
            if examples and schemas.get(name, {}).get("examples") == pruned:
                schemas[name]["examples"] = examples


def _models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _operations(document: Document) -> Iterator[Document]:
    for path in document["paths"].values():
        yield from (
            operation for method, operation in path.items() if method in {"get", "post", "put", "patch", "delete"}
        )


def _document_errors(operation: Document) -> None:
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
        responses[status] = _problem(description, _BY_STATUS[status] if status in said else _USUAL[status])


def _problem(description: str, error: type[ServiceError]) -> Document:
    example: Document = {
        "type": f"urn:tailrace:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": (error.__doc__ or "").split("\n")[0],
        "hint": None,
        "errors": [],
        "instance": "/v1/executions",
        **({"used": 100, "limit": 100} if error is QuotaExceeded else {}),
    }
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}, "example": example}}
    response: Document = {"description": description, "content": content}
    if error.retry_after is not None:
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return response


def _tail(schemas: Document) -> Document:
    """The WebSocket, as a path item with an extension: OpenAPI knows requests and answers only."""
    return {
        "summary": "The log live, over a WebSocket",
        "description": "Connect with `ws://` and the token in the Authorization header, or with `ticket=` or `share=` "
        "in the query. JSON text frames come from the server only; resume with `after=` the last seq you have. A "
        "refusal is a close code, without a frame.",
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
            *_query(schemas, TailQuery),
        ],
        "x-websocket": {
            "security": [{"bearer": []}],
            "frames": _frames(schemas),
            "closeCodes": {str(code.value): code.name.lower() for code in CloseCode},
        },
    }


def _query(schemas: Document, model: type[BaseModel]) -> Iterator[Document]:
    """The parameters that a model stands for; adds what their schemas refer to."""
    schema = model.model_json_schema(ref_template=_REF)
    for name, definition in schema.get("$defs", {}).items():
        schemas.setdefault(name, definition)
    for name, content in schema["properties"].items():
        yield {"name": name, "in": "query", "description": content.pop("description"), "schema": content}


def _frames(schemas: Document) -> Document:
    """Adds the schema of each frame; returns references to them, by the frame's `type`."""
    mode: JsonSchemaMode = "serialization"
    # Below Python 3.12 pydantic wants this TypedDict, not the standard library's.
    adapters = [
        (name, mode, TypeAdapter(TypedDict(frame.__name__, get_type_hints(frame))))  # type: ignore[operator]
        for name, frame in FRAMES.items()
    ]
    references, definitions = TypeAdapter.json_schemas(adapters, ref_template=_REF)
    for model, schema in definitions.get("$defs", {}).items():
        schemas.setdefault(model, schema)
    return {name: schema for (name, _), schema in references.items()}
