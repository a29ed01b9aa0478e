"""/v1/audit. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from app.audit import service
from app.audit.exporting import ExportFormat, lines
from app.audit.schemas import AuditPage, AuditQuery, ExportQuery
from app.deps import BodyRoute, ProcessDep, ReaderDep

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=BodyRoute)

_LINES = {form.media_type.partition(";")[0]: {"schema": {"type": "string"}} for form in ExportFormat}


@router.get("", operation_id="list_audit", summary="Who did what")
async def list_audit(query: Annotated[AuditQuery, Query()], process: ProcessDep, caller: ReaderDep) -> AuditPage:
    """What concerns your objects, or with the scope `admin` everything; newest first. Follow `next`."""
    found, more = await service.get_page(process, caller, query.wanted, limit=query.limit, before=query.cursor)
    return AuditPage.of(found, more=more)


@router.get(
    "/export",
    operation_id="export_audit",
    summary="The same as one file",
    response_class=StreamingResponse,
    responses={200: {"description": "All that fits the filters, newest first", "content": _LINES}},
)
async def export_audit(
    query: Annotated[ExportQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> StreamingResponse:
    """As NDJSON or CSV, while it is read."""
    pages = service.export(process, caller, query.wanted)
    headers = {"Content-Disposition": f'attachment; filename="audit.{query.format}"'}
    return StreamingResponse(lines(pages, query.format), media_type=query.format.media_type, headers=headers)
