"""/v1/triggers. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from app.deps import ProcessDep, ReaderDep, SubmitterDep
from app.errors import FieldError, InvalidRequest, MalformedRequest, PayloadTooLarge
from app.etags import check_match
from app.executions.answers import answer
from app.telling import judged_by
from app.triggers import delivering, service
from app.triggers.delivering import Post
from app.triggers.model import BODY_BYTES, TriggerRecord, is_key
from app.triggers.requests import DeliveryListQuery, NewTrigger, TriggerChange, TriggerListQuery, TriggerRotation
from app.triggers.schemas import Delivered, NewTriggerView, TriggerDeliveryList, TriggerList, TriggerView

router = APIRouter(prefix="/v1/triggers", tags=["triggers"], route_class=judged_by(service.find_reasons))
one = APIRouter(prefix="/v1/triggers/{id}", tags=["triggers"], route_class=judged_by(service.find_reasons))
# Who posts has no token of ours.
posting = APIRouter(prefix="/v1/triggers/{id}", tags=["triggers"])

TriggerId = Annotated[UUID, Path(alias="id", description="The trigger's id")]
# How senders name what they send, so that what is sent twice is known.
KEY_HEADERS = ("webhook-id", "idempotency-key", "x-github-delivery")

_WITH_ETAG = {"ETag": {"schema": {"type": "string"}, "description": "For `If-Match`"}}
_MATCHED: dict[int | str, dict[str, Any]] = {412: {"description": "It was changed since it had the ETag in `If-Match`"}}
_PAYLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "Any JSON, up to 256 KiB",
        "content": {"application/json": {"schema": {}, "example": {"ref": "main"}}},
    },
    "parameters": [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": description}
        for name, description in {
            "webhook-id": "What the sender calls it: the same delivery again has the answer that it had for 24 hours",
            "idempotency-key": "The same",
            "x-github-delivery": "The same",
            "x-github-event": "Of a `github` signature: `ping` submits nothing",
            "x-hub-signature-256": "Of a `github` signature: `sha256=` and the HMAC of the body in hex",
            "webhook-timestamp": "Of a `standard_webhooks` signature: when it was signed, in seconds since 1970",
            "webhook-signature": "Of a `standard_webhooks` signature: `v1,` and the HMAC in base64",
        }.items()
    ],
}


def _etag_of(record: TriggerRecord) -> str:
    return f'"{record.version}"'


def _shown(record: TriggerRecord) -> Response:
    return answer(TriggerView.of(record), headers={"ETag": _etag_of(record)})


@router.post(
    "",
    operation_id="add_trigger",
    summary="Make a trigger",
    status_code=201,
    response_model=NewTriggerView,
    responses={
        201: {"description": "It is kept", "headers": {"Location": {"schema": {"type": "string"}}, **_WITH_ETAG}},
        409: {"description": "You have one of this name"},
        429: {"description": "You have as many as you may"},
    },
)
async def add_trigger(new: NewTrigger, process: ProcessDep, caller: SubmitterDep) -> Response:
    """Its address is shown in this answer and never again; with a `signature`, the secret."""
    record, once = await service.add(process, caller, new.wanted(), new.signing())
    view = NewTriggerView.showing(record, once)
    return answer(view, status=201, headers={"ETag": _etag_of(record), "Location": view.links.self})


@router.get("", operation_id="list_triggers", summary="List triggers, newest first")
async def list_triggers(
    query: Annotated[TriggerListQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> TriggerList:
    """Yours, or with the scope `admin` everybody's. Follow `next` for older ones."""
    records, more = await service.get_page(process, caller, limit=query.limit, before=query.cursor)
    return TriggerList.of(records, more=more)


@one.get(
    "",
    operation_id="get_trigger",
    summary="One trigger",
    response_model=TriggerView,
    responses={200: {"description": "The trigger", "headers": _WITH_ETAG}},
)
async def get_trigger(trigger: TriggerId, process: ProcessDep, caller: ReaderDep) -> Response:
    """With what it submits, and when it was used last."""
    return _shown(await service.get(process, caller, trigger))


@one.patch(
    "",
    operation_id="change_trigger",
    summary="Change a trigger, disable it or enable it again",
    response_model=TriggerView,
    responses={
        200: {"description": "As it is now", "headers": _WITH_ETAG},
        409: {"description": "You have one of this name"},
        **_MATCHED,
    },
)
async def change_trigger(
    trigger: TriggerId, change: TriggerChange, request: Request, process: ProcessDep, caller: SubmitterDep
) -> Response:
    """Its address stays."""
    changed = await service.change(
        process, caller, trigger, change.wanted, check=lambda record: check_match(request, _etag_of(record))
    )
    return _shown(changed)


@one.delete("", operation_id="delete_trigger", summary="Delete a trigger", status_code=204, responses=_MATCHED)
async def delete_trigger(trigger: TriggerId, request: Request, process: ProcessDep, caller: SubmitterDep) -> None:
    """Its address leads nowhere any more. What was submitted stays as it is."""
    await service.delete(process, caller, trigger, check=lambda record: check_match(request, _etag_of(record)))


@one.post("/rotate", operation_id="rotate_trigger", summary="Another address, or another secret to sign with")
async def rotate_trigger(
    trigger: TriggerId, process: ProcessDep, caller: SubmitterDep, how: TriggerRotation | None = None
) -> NewTriggerView:
    """It is shown in this answer and never again. An address before leads nowhere any more; a secret is good for a
    while beside the new one, so that the sender can be changed at any time in between.
    """
    rotation = how or TriggerRotation()
    rotated = await service.rotate(process, caller, trigger, rotation.signing, overlap=rotation.overlap)
    return NewTriggerView.showing(*rotated)


@one.get("/deliveries", operation_id="list_trigger_deliveries", summary="What was posted to it, newest first")
async def list_deliveries(
    trigger: TriggerId, query: Annotated[DeliveryListQuery, Query()], process: ProcessDep, caller: ReaderDep
) -> TriggerDeliveryList:
    """Those of the last day, and the last thousand, are kept. Follow `next` for older ones."""
    deliveries, more = await service.get_deliveries(process, caller, trigger, limit=query.limit, before=query.cursor)
    return TriggerDeliveryList.of(deliveries, more=more)


@posting.post(
    "/deliveries",
    operation_id="post_to_trigger",
    summary="Submit its target, with what is posted as inputs",
    status_code=202,
    response_model=Delivered,
    responses={
        204: {"description": "GitHub asks whether anybody is there: nothing is submitted"},
        429: {"description": "More came within a minute than it takes"},
    },
    openapi_extra=_PAYLOAD,
)
async def post_to_trigger(
    trigger: TriggerId,
    request: Request,
    process: ProcessDep,
    token: Annotated[
        str, Query(description="The token in its address; that is all, unless it asks for signatures")
    ] = "",
) -> Delivered | Response:
    """For other systems. An address that is not known, or not enabled, answers 404, whatever else is wrong, and so
    does what is not signed where it has to be.
    """
    record = await delivering.find_known(process, trigger, token)
    post = Post(token, request.headers, await _body_of(request))
    delivering.check_signature(process, record, post)
    if delivering.is_ping(record, post):
        return Response(status_code=204)
    made = await delivering.deliver(process, record, post, _key_of(request), _payload_of(post.body))
    return Delivered.model_validate(made)


def _key_of(request: Request) -> str:
    """What the sender calls this delivery; else something new. Raises `InvalidRequest`."""
    for name in KEY_HEADERS:
        if (given := request.headers.get(name)) is not None:
            if is_key(given):
                return given
            message = "must be 1 to 255 visible ASCII characters"
            raise InvalidRequest.of([FieldError(name, "not_a_key", message)])
    return uuid4().hex


async def _body_of(request: Request) -> bytes:
    """What was posted. Raises `PayloadTooLarge`."""
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > BODY_BYTES:
        raise PayloadTooLarge(f"The body must have at most {BODY_BYTES} bytes.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES:
            raise PayloadTooLarge(f"The body must have at most {BODY_BYTES} bytes.")
    return bytes(body)


def _payload_of(body: bytes) -> Any:
    """As JSON, whatever its Content-Type. Raises `MalformedRequest`."""
    try:
        return orjson.loads(body)
    except ValueError:
        raise MalformedRequest("The body is not JSON.") from None
