"""/v1/methods. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app.attachment import attachment
from app.deps import BackgroundDep, BodyRoute, ProcessDep, ReaderDep, SubmitterDep
from app.errors import UnsupportedMediaType
from app.merging import merged
from app.methods import examples, portable, service
from app.methods.model import MethodName
from app.methods.portable import FileFormat
from app.methods.requests import (
    CloneRequest,
    DiffQuery,
    DisableRequest,
    DocumentBody,
    DocumentChange,
    ImportQuery,
    MethodChange,
    MethodQuery,
    NewVersion,
    VersionOrLatest,
    read_document,
)
from app.methods.schemas import MethodList, MethodSummary, MethodVersionView, MethodView, VersionDiff

router = APIRouter(prefix="/v1/methods", tags=["methods"], route_class=BodyRoute)
one = APIRouter(prefix="/v1/methods/{name}", tags=["methods"], route_class=BodyRoute)
versions = APIRouter(prefix="/v1/methods/{name}/versions/{version}", tags=["methods"], route_class=BodyRoute)
# Files: their bodies are not JSON alone.
files = APIRouter(prefix="/v1", tags=["methods"])

Name = Annotated[MethodName, Path(alias="name", description="The method's name")]
Version = Annotated[VersionOrLatest, Path(alias="version", description="A version, or `latest`")]
MADE: dict[str, Any] = {
    "description": "It is a draft",
    "headers": {"Location": {"schema": {"type": "string"}, "description": "Where it is"}},
}
FILE = {
    "schema": {"type": "object", "description": "The document of a method"},
    "example": {**examples.DOCUMENT, "version": "1.2.0"},
}
MEDIA_TYPES = {
    "application/json": FileFormat.JSON,
    "application/yaml": FileFormat.YAML,
    "application/x-yaml": FileFormat.YAML,
    "text/yaml": FileFormat.YAML,
}


@router.post(
    "",
    operation_id="add_method",
    summary="Make a method",
    status_code=201,
    responses={201: MADE, 409: {"description": "The name is taken"}},
)
async def add_method(
    body: DocumentBody, response: Response, process: ProcessDep, caller: SubmitterDep
) -> MethodVersionView:
    """Its document becomes the first draft. Publish it, and it can be submitted."""
    return _made(response, await service.add(process, caller, read_document(body.root)))


@router.get("", operation_id="list_methods", summary="List and search methods")
async def list_methods(query: Annotated[MethodQuery, Query()], process: ProcessDep, caller: ReaderDep) -> MethodList:
    """Those that you may see, by name. Follow `next`."""
    found, more = await service.list_page(process, caller, query.search(), limit=query.limit, after=query.cursor)
    items = [MethodSummary.of(shown) for shown in found]
    return MethodList(items=items, next=items[-1].name if more else None)


@files.post(
    "/methods:import",
    operation_id="import_method",
    summary="Take in the file of a method",
    responses={
        200: {"description": "It is here already, or a draft was replaced"},
        201: {"model": MethodVersionView, "description": "The version is new"},
        409: {"description": "This version is published, with another document; or the name is somebody else's"},
        415: {"description": "The file is neither JSON nor YAML by its Content-Type"},
    },
    openapi_extra={"requestBody": {"required": True, "content": dict.fromkeys(MEDIA_TYPES, FILE)}},
)
async def import_method(
    request: Request,
    query: Annotated[ImportQuery, Query()],
    response: Response,
    process: ProcessDep,
    caller: SubmitterDep,
) -> MethodVersionView:
    """JSON or YAML, as it was exported. To send it again changes nothing."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise UnsupportedMediaType(f"The body must be `application/json` or `application/yaml`, not `{media_type}`.")
    written = await asyncio.to_thread(portable.read, await request.body(), MEDIA_TYPES[media_type])
    document = read_document(written)
    record, new = await service.take_in(process, caller, document, publish=query.publish)
    return _made(response, record) if new else MethodVersionView.of(record)


@one.get("", operation_id="get_method", summary="One method, and its versions")
async def get_method(name: Name, process: ProcessDep, caller: ReaderDep) -> MethodView:
    """Drafts are shown to its owner."""
    return MethodView.with_versions(await service.get(process, caller, name))


@one.patch("", operation_id="change_method", summary="Change who may see it, and its limits")
async def change_method(
    name: Name, change: MethodChange, process: ProcessDep, background: BackgroundDep, caller: SubmitterDep
) -> MethodView:
    """A JSON merge patch. What runs beyond a new limit is left alone; nothing more is started until it is below."""
    details = await service.change_method(process, caller, name, change.model_dump(exclude_unset=True))
    background.start_once(partial(service.ring, process, name), what=f"method:{name}")
    return MethodView.with_versions(details)


@one.delete(
    "",
    operation_id="delete_method",
    summary="Delete a method of which nothing was ever published",
    status_code=204,
    responses={409: {"description": "It has published versions: it can be retired"}},
)
async def delete_method(name: Name, process: ProcessDep, caller: SubmitterDep) -> None:
    """With its drafts."""
    await service.delete(process, caller, name)


@one.post("/disable", operation_id="disable_method", summary="Accept and start nothing of it")
async def disable_method(name: Name, request: DisableRequest, process: ProcessDep, caller: SubmitterDep) -> MethodView:
    """Submissions are refused with the reason; what is queued waits, and what runs goes on."""
    return MethodView.with_versions(await service.disable(process, caller, name, request.reason))


@one.post("/enable", operation_id="enable_method", summary="Accept and start it again")
async def enable_method(name: Name, process: ProcessDep, background: BackgroundDep, caller: SubmitterDep) -> MethodView:
    """Also after it was disabled for failures in a row, which are counted anew."""
    details = await service.enable(process, caller, name)
    background.start_once(partial(service.ring, process, name), what=f"method:{name}")
    return MethodView.with_versions(details)


@one.post(
    "/clone",
    operation_id="clone_method",
    summary="Make a method of your own of it",
    status_code=201,
    responses={201: MADE, 409: {"description": "The name is taken"}},
)
async def clone_method(
    name: Name, request: CloneRequest, response: Response, process: ProcessDep, caller: SubmitterDep
) -> MethodVersionView:
    """Its document, under another name, becomes a draft."""
    record = await service.clone(process, caller, name, version=request.from_, document_of=request.document)
    return _made(response, record)


@one.get(
    "/diff", operation_id="diff_method", summary="What differs between two versions", response_model_exclude_unset=True
)
async def diff_method(
    name: Name, query: Annotated[DiffQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> VersionDiff:
    """Place by place."""
    before = await service.get_version(process, caller, name, query.from_)
    return VersionDiff.of(before, await service.get_version(process, caller, name, query.to))


@one.post(
    "/versions",
    operation_id="add_method_version",
    summary="Make a new draft of a version",
    status_code=201,
    responses={201: MADE, 409: {"description": "There is such a version"}},
)
async def add_method_version(
    name: Name, request: NewVersion, response: Response, process: ProcessDep, caller: SubmitterDep
) -> MethodVersionView:
    """The document of the latest, or of another one, with changes."""
    record = await service.derive(process, caller, name, version=request.from_, document_of=request.document)
    return _made(response, record)


@versions.get("", operation_id="get_method_version", summary="One version with its document")
async def get_method_version(name: Name, version: Version, process: ProcessDep, caller: ReaderDep) -> MethodVersionView:
    """`latest` is the highest that is published, no pre-release and not retired."""
    return MethodVersionView.of(await service.get_version(process, caller, name, version))


@versions.put(
    "",
    operation_id="replace_method_version",
    summary="Replace the document of a draft",
    responses={409: {"description": "It is published"}},
)
async def replace_method_version(
    name: Name, version: Version, body: DocumentBody, process: ProcessDep, caller: SubmitterDep
) -> MethodVersionView:
    """Name and version stay."""

    def document_of(original: dict[str, Any]) -> Any:
        return read_document(body.root, name=name, version=original["version"])

    return MethodVersionView.of(await service.change(process, caller, name, version, document_of))


@versions.patch(
    "",
    operation_id="change_method_version",
    summary="Change the document of a draft",
    responses={409: {"description": "It is published"}},
)
async def change_method_version(
    name: Name, version: Version, change: DocumentChange, process: ProcessDep, caller: SubmitterDep
) -> MethodVersionView:
    """A JSON merge patch."""

    def document_of(original: dict[str, Any]) -> Any:
        return read_document(merged(original, change.root), name=name, version=original["version"])

    return MethodVersionView.of(await service.change(process, caller, name, version, document_of))


@versions.delete(
    "",
    operation_id="delete_method_version",
    summary="Delete a draft",
    status_code=204,
    responses={409: {"description": "It is published: it can be retired"}},
)
async def delete_method_version(name: Name, version: Version, process: ProcessDep, caller: SubmitterDep) -> None:
    """With the last version goes the method."""
    await service.delete_draft(process, caller, name, version)


@versions.post(
    "/publish",
    operation_id="publish_method_version",
    summary="Freeze a draft, so that it can be submitted",
    responses={409: {"description": "It is published already"}},
)
async def publish_method_version(
    name: Name, version: Version, process: ProcessDep, caller: SubmitterDep
) -> MethodVersionView:
    """For good: from now on nothing of it changes."""
    return MethodVersionView.of(await service.publish(process, caller, name, version, read_document))


@versions.post(
    "/retire",
    operation_id="retire_method_version",
    summary="Withdraw a published version",
    responses={409: {"description": "It is a draft"}},
)
async def retire_method_version(
    name: Name, version: Version, process: ProcessDep, caller: SubmitterDep
) -> MethodVersionView:
    """It is not the latest any more, and not submitted. What was submitted goes on."""
    return MethodVersionView.of(await service.retire(process, caller, name, version, retired=True))


@versions.post(
    "/restore",
    operation_id="restore_method_version",
    summary="Take that back",
    responses={409: {"description": "It is a draft"}},
)
async def restore_method_version(
    name: Name, version: Version, process: ProcessDep, caller: SubmitterDep
) -> MethodVersionView:
    """It can be submitted again."""
    return MethodVersionView.of(await service.retire(process, caller, name, version, retired=False))


@versions.get(
    "/export",
    operation_id="export_method_version",
    summary="The document as one file",
    response_class=Response,
    responses={200: {"content": {each.media_type: FILE for each in FileFormat}, "description": "The file"}},
)
async def export_method_version(
    name: Name,
    version: Version,
    process: ProcessDep,
    caller: ReaderDep,
    format_: Annotated[FileFormat, Query(alias="format", description="Of the file")] = FileFormat.YAML,
) -> Response:
    """As `POST /v1/methods:import` takes it."""
    record = await service.get_version(process, caller, name, version)
    headers = {"Content-Disposition": attachment(f"{name}-{record.version}.{format_}")}
    return Response(portable.written(record.document, format_), media_type=format_.media_type, headers=headers)


def _made(response: Response, record: Any) -> MethodVersionView:
    response.status_code = 201
    response.headers["Location"] = f"/v1/methods/{record.method}/versions/{record.version}"
    return MethodVersionView.of(record)
