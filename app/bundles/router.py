"""Bundles over HTTP: one execution as one archive, out and in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect

from app.attachment import attachment
from app.bundles import exporting, importing
from app.bundles.document import Contents
from app.deps import ExecutionId, ProcessDep, SubmitterDep
from app.errors import MalformedRequest, UnsupportedMediaType
from app.executions.answers import answer
from app.executions.schemas import Execution

router = APIRouter(prefix="/v1/imports", tags=["bundles"])
one = APIRouter(prefix="/v1/executions/{id}", tags=["bundles"])

ZIP = "application/zip"
_BODY = {"requestBody": {"required": True, "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}}


class BundleQuery(BaseModel):
    """How much goes into it."""

    model_config = ConfigDict(extra="forbid")

    contents: Contents = Field(
        default=Contents.ALL,
        description="`record` with its history and provenance; `outputs`: these too; `all`: also log and checkpoint",
    )


@one.get(
    "/bundle",
    operation_id="export_execution",
    summary="All of it as one archive",
    response_class=StreamingResponse,
    responses={
        200: {"content": {ZIP: {}}, "description": "The zip, made while it is sent"},
        409: {"description": "It has not ended"},
    },
)
async def export_execution(
    execution: ExecutionId,
    query: Annotated[BundleQuery, Query()],
    process: ProcessDep,
    # It shows the values of `env`, as who submits it again can let its program do.
    caller: SubmitterDep,
) -> StreamingResponse:
    """Record, history, log, outputs, checkpoint and provenance (PROV-JSON), with checksums; never a secret."""
    export = await exporting.collect(process, caller, execution, query.contents)
    headers = {"Content-Disposition": attachment(f"{execution}.zip"), "Cache-Control": "private, no-cache"}
    return StreamingResponse(exporting.bundle(process, export), media_type=ZIP, headers=headers)


@router.post(
    "",
    operation_id="import_execution",
    summary="Take in an execution from a bundle",
    status_code=201,
    openapi_extra=_BODY,
    response_model=Execution,
    responses={
        201: {"description": "It is on record", "headers": {"Location": {"schema": {"type": "string"}}}},
        409: {"description": "An execution with its id is here already"},
        429: {"description": "Its files are more than its new owner may have"},
    },
)
async def import_execution(request: Request, process: ProcessDep, caller: SubmitterDep) -> Response:
    """The body is the zip. It becomes yours, with its own id, as it ended; whatever was changed in it is refused."""
    _refuse_forms(request)
    try:
        record = await importing.import_bundle(process, caller, request.stream())
    except ClientDisconnect:
        raise MalformedRequest("The body broke off.", hint="Nothing of it was kept: send it again.") from None
    execution = Execution.of(record)
    return answer(execution, status=201, headers={"Location": execution.links.self})


def _refuse_forms(request: Request) -> None:
    """What a page or `curl -F` sends has the zip somewhere in it. Raises `UnsupportedMediaType`."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type.startswith("multipart/"):
        raise UnsupportedMediaType(
            f"The body must be the zip itself; this is `{media_type}`.",
            hint="With curl: --data-binary @bundle.zip -H 'Content-Type: application/zip'.",
        )
