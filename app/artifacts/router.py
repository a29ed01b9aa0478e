"""Outputs over HTTP. They were written by programs that nobody vouches for: always attachments, never pages."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.convertors import Convertor, register_url_convertor
from typing_extensions import override

from app.artifacts import previewing, service
from app.artifacts.previewing import PreviewQuery, send_preview
from app.artifacts.requests import OutputQuery, ZipQuery
from app.artifacts.schemas import OutputList
from app.artifacts.sending import HEADERS, RESPONSES, send
from app.artifacts.zip import zip_files
from app.attachment import attachment
from app.deps import ExecutionId, ProcessDep, ReaderDep


class _AnyPath(Convertor[str]):
    """Starlette's own `path` stops at a newline, which a file's name may well have."""

    regex = r"[\s\S]*"

    @override
    def convert(self, value: str) -> str:
        return value

    @override
    def to_string(self, value: str) -> str:
        return value


register_url_convertor("file", _AnyPath())
OutputPath = Annotated[str, Path(alias="path", description="Its path among the outputs")]
router = APIRouter(prefix="/v1/executions/{id}", tags=["outputs"])


@router.get("/outputs", operation_id="list_outputs", summary="The files it left behind")
async def list_outputs(
    execution: ExecutionId, query: Annotated[OutputQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> OutputList:
    """Collected at the end, however it ended. Follow `next`."""
    page = await service.list_page(process, caller, execution, limit=query.limit, after=query.after)
    # Each is held against every declaration.
    return await asyncio.to_thread(OutputList.of, page)


@router.get(
    "/outputs.zip",
    operation_id="download_outputs",
    summary="Output files as one zip",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "The zip, made while it is sent"}},
)
async def download_outputs(
    execution: ExecutionId, query: Annotated[ZipQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> StreamingResponse:
    """All, or what `path` names. Names are made safe to unpack: what others take for a separator or a drive is `_`."""
    outputs = await service.get_outputs(process, caller, execution)
    modified_at = outputs.record.finished_at or outputs.record.updated_at
    files = (file async for file in service.each_file(process, outputs.group) if query.takes(file.path))
    pieces = zip_files(process.artifacts, outputs.group, files, modified_at)
    headers = HEADERS | {"Content-Disposition": attachment(f"{execution}-outputs.zip")}
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@router.get(
    "/outputs/{path:file}",
    operation_id="download_output",
    summary="One output file",
    response_class=StreamingResponse,
    responses=RESPONSES,
)
async def download_output(
    execution: ExecutionId, path: OutputPath, request: Request, process: ProcessDep, caller: ReaderDep
) -> Response:
    """As an attachment, and never under a type that a browser would run. `Range` asks for a part of it."""
    output = await service.find_output(process, caller, execution, path)
    name = path.rpartition("/")[2]
    return await send(request, name, output.file, partial(service.open_bytes, process, output.key))


@router.get(
    "/previews/{path:file}",
    operation_id="preview_output",
    summary="What can be shown of an output",
    response_model=None,
    responses=previewing.RESPONSES,
)
async def preview_output(
    execution: ExecutionId,
    path: OutputPath,
    query: Annotated[PreviewQuery, Query()],
    request: Request,
    process: ProcessDep,
    caller: ReaderDep,
) -> Response:
    """A small description, whatever the file is: the head of a text or a table, a document, or what kind it is."""
    output = await service.find_output(process, caller, execution, path)
    return await send_preview(request, path, output.file, query, partial(service.open_bytes, process, output.key))
