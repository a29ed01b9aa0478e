"""/v1/notifications. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.deps import BackgroundDep, BodyRoute, ProcessDep, ReaderDep, SubmitterDep
from app.notifications import service
from app.notifications.schemas import (
    NewRule,
    NotificationList,
    NotificationView,
    PageQuery,
    RuleChange,
    RuleList,
    RuleView,
    fields_of,
)

router = APIRouter(prefix="/v1/notifications", tags=["notifications"], route_class=BodyRoute)
one = APIRouter(prefix="/v1/notifications/{id}", tags=["notifications"], route_class=BodyRoute)

RuleId = Annotated[UUID, Path(alias="id", description="The rule's id")]


@router.post(
    "",
    operation_id="add_notification_rule",
    summary="Tell people how your executions end",
    status_code=201,
    responses={
        201: {"description": "From now on", "headers": {"Location": {"schema": {"type": "string"}}}},
        409: {"description": "You have too many"},
    },
)
async def add_rule(new: NewRule, response: Response, process: ProcessDep, caller: SubmitterDep) -> RuleView:
    """By mail or chat. Whether it arrives: `POST /v1/notifications/{id}/test`."""
    to, everybody = new.to.get_secret_value(), new.owner is not None
    rule = await service.create(process, caller, to, fields_of(new), everybody=everybody)
    response.headers["Location"] = f"/v1/notifications/{rule.id}"
    return RuleView.of(rule)


@router.get("", operation_id="list_notification_rules", summary="List rules")
async def list_rules(query: Annotated[PageQuery, Query()], process: ProcessDep, caller: ReaderDep) -> RuleList:
    """Yours, or with the scope `admin` everybody's."""
    found, more = await service.get_page(process, caller, limit=query.limit, before=query.cursor)
    return RuleList.of(found, more=more)


@one.get("", operation_id="get_notification_rule", summary="One rule")
async def get_rule(rule: RuleId, process: ProcessDep, caller: ReaderDep) -> RuleView:
    """Without where exactly it leads to."""
    return RuleView.of(await service.get(process, caller, rule))


@one.patch("", operation_id="change_notification_rule", summary="Change, disable or enable it")
async def change_rule(rule: RuleId, change: RuleChange, process: ProcessDep, caller: SubmitterDep) -> RuleView:
    """What is counted in a row goes on being counted, unless it is disabled."""
    given = fields_of(change) | ({"to": change.to.get_secret_value()} if "to" in change.model_fields_set else {})
    return RuleView.of(await service.change(process, caller, rule, given))


@one.delete("", operation_id="delete_notification_rule", summary="Delete it, with its log", status_code=204)
async def delete_rule(rule: RuleId, process: ProcessDep, caller: SubmitterDep) -> None:
    """Nothing is said by it any more, but for what is on its way at this moment."""
    await service.remove(process, caller, rule)


@one.post(
    "/test",
    operation_id="test_notification_rule",
    summary="Send a test",
    status_code=202,
    responses={409: {"description": "The rule is disabled"}},
)
async def test_rule(
    rule: RuleId, process: ProcessDep, background: BackgroundDep, caller: SubmitterDep
) -> NotificationView:
    """What came of it: `GET /v1/notifications/{id}/log`."""
    said = await service.test(process, caller, rule)
    background.start_once(partial(service.wake, process), what="bell:webhooks")
    return NotificationView.of(said)


@one.get("/log", operation_id="list_notifications", summary="What was said, and what came of it")
async def list_notifications(
    rule: RuleId, query: Annotated[PageQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> NotificationList:
    """As long as it is kept."""
    found, more = await service.get_log(process, caller, rule, limit=query.limit, before=query.cursor)
    return NotificationList.of(found, more=more)
