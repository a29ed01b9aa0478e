"""/v1/webhooks. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from app.deps import BackgroundDep, BodyRoute, ProcessDep, ReaderDep, SubmitterDep
from app.webhooks import service
from app.webhooks.model import DeliveryState
from app.webhooks.schemas import (
    DeliveryList,
    DeliveryQuery,
    DeliveryView,
    NewWebhook,
    Rotation,
    WebhookChange,
    WebhookList,
    WebhookQuery,
    WebhookView,
    WebhookWithSecret,
)

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=BodyRoute)
one = APIRouter(prefix="/v1/webhooks/{id}", tags=["webhooks"], route_class=BodyRoute)

WebhookId = Annotated[UUID, Path(alias="id", description="The webhook's id")]
DeliveryId = Annotated[UUID, Path(alias="delivery", description="The delivery's id")]
DISABLED: dict[int | str, dict[str, Any]] = {409: {"description": "The webhook is disabled"}}
MESSAGE: dict[str, Any] = {
    "type": "object",
    "required": ["type", "timestamp", "data"],
    "properties": {
        "type": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "data": {"type": "object"},
    },
    "examples": [
        {
            "type": "webhook.ping",
            "timestamp": "2026-11-21T09:00:00.123456Z",
            "data": {"webhook": "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"},
        }
    ],
}


@router.post(
    "",
    operation_id="add_webhook",
    summary="Be told what happens to your executions",
    status_code=201,
    responses={
        201: {
            "description": "It is told what happens from now on. Its secret is not shown again",
            "headers": {"Location": {"schema": {"type": "string"}}},
        },
        409: {"description": "You have too many"},
    },
)
async def add_webhook(
    new: NewWebhook, response: Response, process: ProcessDep, caller: SubmitterDep
) -> WebhookWithSecret:
    """Messages are signed as Standard Webhooks has it. Whether they arrive: `POST /v1/webhooks/{id}/ping`."""
    draft = service.Draft(
        url=new.url,
        events=new.events,
        chosen=new.chosen(),
        enabled=new.enabled,
        description=new.description,
        everybody=new.owner is not None,
    )
    webhook, secret = await service.create(process, caller, draft)
    response.headers["Location"] = f"/v1/webhooks/{webhook.id}"
    return WebhookWithSecret.showing(webhook, secret)


@router.get("", operation_id="list_webhooks", summary="List webhooks")
async def list_webhooks(query: Annotated[WebhookQuery, Query()], process: ProcessDep, caller: ReaderDep) -> WebhookList:
    """Yours, or with the scope `admin` everybody's; those that came with an execution or batch if that is asked for."""
    found, more = await service.get_page(
        process, caller, execution=query.execution, batch=query.batch, limit=query.limit, before=query.cursor
    )
    return WebhookList.of(found, more=more)


@one.get("", operation_id="get_webhook", summary="One webhook")
async def get_webhook(webhook: WebhookId, process: ProcessDep, caller: ReaderDep) -> WebhookView:
    """And how its receiver does."""
    return WebhookView.of(await service.get(process, caller, webhook))


@one.patch("", operation_id="change_webhook", summary="Change, disable or enable it")
async def change_webhook(
    webhook: WebhookId, change: WebhookChange, process: ProcessDep, caller: SubmitterDep
) -> WebhookView:
    """What happens while it is disabled is not sent later; what waited is given up."""
    given = change.model_dump(exclude_unset=True)
    return WebhookView.of(await service.change(process, caller, webhook, given))


@one.delete("", operation_id="delete_webhook", summary="Delete it, with the log of its deliveries", status_code=204)
async def delete_webhook(webhook: WebhookId, process: ProcessDep, caller: SubmitterDep) -> None:
    """Nothing is sent there any more, but for what is on its way at this moment."""
    await service.remove(process, caller, webhook)


@one.post("/rotate", operation_id="rotate_webhook_secret", summary="Change its secret")
async def rotate_secret(
    webhook: WebhookId, process: ProcessDep, caller: SubmitterDep, how: Rotation | None = None
) -> WebhookWithSecret:
    """For a while messages have signatures by both, so that the receiver can be changed at any time in between."""
    overlap = (how or Rotation()).overlap
    return WebhookWithSecret.showing(*await service.rotate(process, caller, webhook, overlap=overlap))


@one.post("/ping", operation_id="ping_webhook", summary="Send a test", status_code=202, responses=DISABLED)
async def ping_webhook(
    webhook: WebhookId, process: ProcessDep, background: BackgroundDep, caller: SubmitterDep
) -> DeliveryView:
    """A message of the type `webhook.ping`. What came of it: `GET /v1/webhooks/{id}/deliveries`."""
    delivery = await service.ping(process, caller, webhook)
    background.start_once(partial(service.wake, process), what="bell:webhooks")
    return DeliveryView.of(delivery)


@one.get("/deliveries", operation_id="list_webhook_deliveries", summary="What was sent, and what came of it")
async def list_deliveries(
    webhook: WebhookId, query: Annotated[DeliveryQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> DeliveryList:
    """With a log of every try."""
    found, more = await service.get_deliveries(
        process,
        caller,
        webhook,
        state=DeliveryState(query.state) if query.state else None,
        execution=query.execution,
        limit=query.limit,
        before=query.cursor,
    )
    return DeliveryList.of(found, more=more)


@one.get(
    "/deliveries/{delivery}/body",
    operation_id="get_webhook_delivery_body",
    summary="The message itself",
    response_class=Response,
    responses={200: {"description": "As it is sent", "content": {"application/json": {"schema": MESSAGE}}}},
)
async def get_body(webhook: WebhookId, delivery: DeliveryId, process: ProcessDep, caller: ReaderDep) -> Response:
    """Byte for byte what is signed."""
    return Response(await service.get_body(process, caller, webhook, delivery), media_type="application/json")


@one.post(
    "/deliveries/{delivery}/redeliver",
    operation_id="redeliver_webhook",
    summary="Send it again",
    status_code=202,
    responses=DISABLED,
)
async def redeliver(
    webhook: WebhookId, delivery: DeliveryId, process: ProcessDep, background: BackgroundDep, caller: SubmitterDep
) -> DeliveryView:
    """Under the same `webhook-id`, also if it arrived before; until it arrives, for 24 hours from now."""
    again = await service.redeliver(process, caller, webhook, delivery)
    background.start_once(partial(service.wake, process), what="bell:webhooks")
    return DeliveryView.of(again)
