"""/v1/files. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from app.artifacts import previewing
from app.artifacts.previewing import PreviewQuery, send_preview
from app.artifacts.sending import OPAQUE, RESPONSES, send
from app.artifacts.service import open_bytes
from app.deps import ProcessDep, ReaderDep, SubmitterDep
from app.errors import MalformedRequest
from app.files import service
from app.files.requests import FileListQuery, UploadQuery
from app.files.schemas import FileList, FileView

router = APIRouter(prefix="/v1/files", tags=["files"])
one = APIRouter(prefix="/v1/files/{id}", tags=["files"])

FileId = Annotated[UUID, Path(alias="id", description="The file's id")]
_BODY = {"requestBody": {"required": True, "content": {OPAQUE: {"schema": {"type": "string", "format": "binary"}}}}}


@router.post(
    "",
    operation_id="upload_file",
    summary="Upload a file",
    status_code=201,
    openapi_extra=_BODY,
    responses={201: {"description": "It is kept", "headers": {"Location": {"schema": {"type": "string"}}}}},
)
async def upload_file(
    query: Annotated[UploadQuery, Query()],
    request: Request,
    response: Response,
    process: ProcessDep,
    caller: SubmitterDep,
) -> FileView:
    """The body is the file itself, of any size up to the installation's limit; its media type is the Content-Type."""
    try:
        record = await service.upload(process, caller, query.new(request), request.stream())
    except ClientDisconnect:
        raise MalformedRequest("The body broke off.", hint="Nothing of it was kept: send it again.") from None
    view = FileView.of(record)
    response.headers["Location"] = view.links.self
    return view


@router.get("", operation_id="list_files", summary="List files, newest first")
async def list_files(query: Annotated[FileListQuery, Query()], process: ProcessDep, caller: ReaderDep) -> FileList:
    """Yours, or with the scope `admin` everybody's. Follow `next` for older ones."""
    records, more = await service.get_page(
        process, caller, limit=query.limit, before=query.cursor, begins=query.name, labels=query.labels()
    )
    return FileList.of(records, more=more)


@one.get("", operation_id="get_file", summary="One file's record")
async def get_file(file: FileId, process: ProcessDep, caller: ReaderDep) -> FileView:
    """What it is; its bytes: `/content`."""
    return FileView.of(await service.get(process, caller, file))


@one.get(
    "/content",
    operation_id="download_file",
    summary="The file itself",
    response_class=StreamingResponse,
    responses=RESPONSES,
)
async def download_file(file: FileId, request: Request, process: ProcessDep, caller: ReaderDep) -> Response:
    """As an attachment, and never under a type that a browser would run. `Range` asks for a part of it."""
    record = await service.get(process, caller, file)
    return await send(request, record.name, record, partial(open_bytes, process, record.key))


@one.get(
    "/preview",
    operation_id="preview_file",
    summary="What can be shown of a file",
    response_model=None,
    responses=previewing.RESPONSES,
)
async def preview_file(
    file: FileId, query: Annotated[PreviewQuery, Query()], request: Request, process: ProcessDep, caller: ReaderDep
) -> Response:
    """As of an output."""
    record = await service.get(process, caller, file)
    return await send_preview(request, record.name, record, query, partial(open_bytes, process, record.key))


@one.delete(
    "",
    operation_id="delete_file",
    summary="Delete a file",
    status_code=204,
    responses={409: {"description": "An execution that has not ended has it among its inputs"}},
)
async def delete_file(file: FileId, process: ProcessDep, caller: SubmitterDep) -> None:
    """What has ended keeps its record, and cannot be run again with it."""
    await service.delete(process, caller, file)
