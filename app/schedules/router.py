"""/v1/schedules. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from app.deps import BodyRoute, ProcessDep, ReaderDep, SubmitterDep
from app.etags import check_match
from app.executions.answers import answer
from app.schedules import firing, service
from app.schedules.model import ScheduleRecord
from app.schedules.requests import (
    NewSchedule,
    PreviewQuery,
    PreviewRequest,
    RunListQuery,
    ScheduleChange,
    ScheduleListQuery,
)
from app.schedules.rules import upcoming
from app.schedules.schemas import Preview, RunList, RunView, ScheduleList, ScheduleView
from app.telling import judged_by

router = APIRouter(prefix="/v1/schedules", tags=["schedules"], route_class=judged_by(service.find_reasons))
one = APIRouter(prefix="/v1/schedules/{id}", tags=["schedules"], route_class=judged_by(service.find_reasons))
previews = APIRouter(tags=["schedules"], route_class=BodyRoute)

ScheduleId = Annotated[UUID, Path(alias="id", description="The schedule's id")]

_WITH_ETAG = {"ETag": {"schema": {"type": "string"}, "description": "For `If-Match`"}}
_MATCHED: dict[int | str, dict[str, Any]] = {412: {"description": "It was changed since it had the ETag in `If-Match`"}}


def _etag_of(record: ScheduleRecord) -> str:
    return f'"{record.version}"'


def _shown(record: ScheduleRecord, *, status: int = 200) -> Response:
    view = ScheduleView.of(record)
    location = {"Location": view.links.self} if status == 201 else {}
    return answer(view, status=status, headers={"ETag": _etag_of(record), **location})


@router.post(
    "",
    operation_id="add_schedule",
    summary="Make a schedule",
    status_code=201,
    response_model=ScheduleView,
    responses={
        201: {"description": "It is kept", "headers": {"Location": {"schema": {"type": "string"}}, **_WITH_ETAG}},
        409: {"description": "You have one of this name"},
        429: {"description": "You have as many as you may"},
    },
)
async def add_schedule(new: NewSchedule, process: ProcessDep, caller: SubmitterDep) -> Response:
    """Its targets are judged as if they were submitted now, and again at each firing."""
    return _shown(await service.add(process, caller, new.wanted()), status=201)


@router.get("", operation_id="list_schedules", summary="List schedules, newest first")
async def list_schedules(
    query: Annotated[ScheduleListQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> ScheduleList:
    """Yours, or with the scope `admin` everybody's. Follow `next` for older ones."""
    records, more = await service.get_page(
        process, caller, limit=query.limit, before=query.cursor, enabled=query.enabled
    )
    return ScheduleList.of(records, more=more)


@previews.post("/v1/schedules:preview", operation_id="preview_rule", summary="The next firings of a rule")
async def preview_rule(asked: PreviewRequest, process: ProcessDep, _: ReaderDep) -> Preview:
    """Nothing is kept. A rule that does not fire any more has none."""
    after = asked.after or await service.read_now(process)
    return Preview.of(asked.rule, upcoming(asked.rule, after, most=asked.count))


@one.get(
    "",
    operation_id="get_schedule",
    summary="One schedule",
    response_model=ScheduleView,
    responses={200: {"description": "The schedule", "headers": _WITH_ETAG}},
)
async def get_schedule(schedule: ScheduleId, process: ProcessDep, caller: ReaderDep) -> Response:
    """With what it submits, and when it fires next."""
    return _shown(await service.get(process, caller, schedule))


@one.patch(
    "",
    operation_id="change_schedule",
    summary="Change a schedule, pause it or enable it again",
    response_model=ScheduleView,
    responses={200: {"description": "As it is now", "headers": _WITH_ETAG}, 409: {"description": "No"}, **_MATCHED},
)
async def change_schedule(
    schedule: ScheduleId, change: ScheduleChange, request: Request, process: ProcessDep, caller: SubmitterDep
) -> Response:
    """Another rule counts from now on. What came due while it was not enabled is not made up."""
    changed = await service.change(
        process, caller, schedule, change.wanted, check=lambda record: check_match(request, _etag_of(record))
    )
    return _shown(changed)


@one.delete("", operation_id="delete_schedule", summary="Delete a schedule", status_code=204, responses=_MATCHED)
async def delete_schedule(schedule: ScheduleId, request: Request, process: ProcessDep, caller: SubmitterDep) -> None:
    """It fires no more, and its runs are forgotten. What it has submitted stays as it is."""
    await service.delete(process, caller, schedule, check=lambda record: check_match(request, _etag_of(record)))


@one.post(
    "/fire",
    operation_id="fire_schedule",
    summary="Fire it now, to try it",
    status_code=201,
    responses={
        429: {"description": "The owner has as many queued as they may, or too many fire it"},
        409: {"description": "Not now"},
    },
)
async def fire_schedule(schedule: ScheduleId, process: ProcessDep, caller: SubmitterDep) -> RunView:
    """Whatever its rule says, enabled or not, and whatever runs. Its own firings stay as they are."""
    return RunView.of(await firing.fire_now(process, await service.get(process, caller, schedule)))


@one.get("/runs", operation_id="list_runs", summary="What came of its firings, newest first")
async def list_runs(
    schedule: ScheduleId, query: Annotated[RunListQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> RunList:
    """The last thousand are kept. Follow `next` for older ones."""
    runs, more = await service.get_runs(
        process, caller, schedule, limit=query.limit, before=query.cursor, status=query.status
    )
    return RunList.of(runs, more=more)


@one.get("/preview", operation_id="preview_schedule", summary="Its next firings")
async def preview_schedule(
    schedule: ScheduleId, query: Annotated[PreviewQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> Preview:
    """By its rule, whether it is enabled or not."""
    record = await service.get(process, caller, schedule)
    times = upcoming(record.rule, query.after or record.now, most=query.count)
    return Preview.of(record.rule, times, record.id)
