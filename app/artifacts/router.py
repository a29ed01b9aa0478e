"""Outputs over HTTP. They were written by programs that nobody vouches for: always attachments, never pages."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.convertors import Convertor, register_url_convertor
from typing_extensions import override

from app.artifacts import service
from app.artifacts.model import Artifact
from app.artifacts.schemas import OutputList
from app.artifacts.zip import zip_files
from app.attachment import attachment
from app.deps import ExecutionId, ProcessDep, ReaderDep
from app.etags import is_known


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
router = APIRouter(prefix="/v1/executions/{id}", tags=["outputs"])

OPAQUE = "application/octet-stream"
# What no browser ever runs, opened directly or not.
_HARMLESS = re.compile(r"text/(plain|csv|markdown)|application/(json|pdf|zip|gzip)|image/(png|jpeg|gif|webp|bmp)")
_PLAIN_NAME = re.compile(r"[^A-Za-z0-9._ -]")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-cache",
}


@router.get("/outputs", operation_id="list_outputs", summary="The files it left behind")
async def list_outputs(execution: ExecutionId, process: ProcessDep, caller: ReaderDep) -> OutputList:
    """Collected at the end, however it ended."""
    return OutputList.of(await service.get_outputs(process, caller, execution))


@router.get(
    "/outputs.zip",
    operation_id="download_outputs",
    summary="All output files as one zip",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "The zip, made while it is sent"}},
)
async def download_outputs(execution: ExecutionId, process: ProcessDep, caller: ReaderDep) -> StreamingResponse:
    """Names are made safe to unpack: what other systems take for a separator or a drive becomes `_`."""
    outputs = await service.get_outputs(process, caller, execution)
    modified_at = outputs.record.finished_at or outputs.record.updated_at
    pieces = zip_files(process.artifacts, outputs.group, outputs.files, modified_at)
    headers = HEADERS | {"Content-Disposition": attachment(f"{execution}-outputs.zip")}
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@router.get(
    "/outputs/{path:file}",
    operation_id="download_output",
    summary="One output file",
    response_class=StreamingResponse,
    responses={
        200: {"content": {OPAQUE: {}}, "description": "The file's bytes, as an attachment"},
        304: {"description": "Its SHA-256 is the ETag in `If-None-Match`"},
    },
)
async def download_output(
    execution: ExecutionId, path: str, request: Request, process: ProcessDep, caller: ReaderDep
) -> Response:
    """As an attachment, and never under a type that a browser would run."""
    output = await service.open_output(process, caller, execution, path)
    headers = _headers_of(output.file)
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return StreamingResponse(output.pieces, headers=headers | {"Content-Length": str(output.file.bytes)})


def _headers_of(file: Artifact) -> dict[str, str]:
    return HEADERS | {
        "Content-Type": file.media_type if _HARMLESS.fullmatch(file.media_type) else OPAQUE,
        "Content-Disposition": attachment(file.path.rpartition("/")[2]),
        "ETag": f'"{file.sha256}"',
    }
