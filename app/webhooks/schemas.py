"""Bodies of webhooks, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from app.executions.vocabulary import Labels, Note
from app.methods.model import MethodName
from app.pools.model import PoolName
from app.webhooks.model import ENDS, Chosen, Delivery, DeliveryState, EventType, Webhook
from app.webhooks.vocabulary import Events, WebhookUrl

MAX_PAGE = 200
LONGEST_OVERLAP = 7 * 86_400
_ID = "019aa2c4-7b1e-7c51-9c0f-2f5d8a6b1c30"
_EXECUTION = "019aa2c5-0c3d-7e11-8b56-0d3a5c1f9e21"
_NEW: dict[str, Any] = {
    "url": "https://example.com/hooks/tailrace",
    "events": ["execution.succeeded", "execution.failed"],
    "pools": ["default"],
    "labels": {"team": "a"},
    "description": "The dashboard",
}
_SEEN: dict[str, Any] = {
    "id": _ID,
    "owner": "ann",
    "execution": None,
    "batch": None,
    **_NEW,
    "methods": [],
    "enabled": True,
    "disabled_reason": None,
    "failures": 0,
    "failing_since": None,
    "paused_until": None,
    "dropped": 0,
    "signed": True,
    "secret_before_until": None,
    "created_at": "2026-01-15T09:00:00Z",
    "updated_at": "2026-01-15T09:00:00Z",
}
_WITH_SECRET = {**_SEEN, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwHZ3W1q2v4xk="}
_TRY: dict[str, Any] = {
    "at": "2026-01-15T09:01:00Z",
    "status": 503,
    "error": None,
    "response": "try later",
    "seconds": 0.041,
}
_DELIVERY: dict[str, Any] = {
    "id": "019aa2c5-91aa-7d02-a7c1-6b6b0c9b5d44",
    "message_id": "msg_019aa2c591aa7d02a7c16b6b0c9b5d44",
    "event": "execution.succeeded",
    "execution": _EXECUTION,
    "batch": None,
    "state": "waiting",
    "tries": 1,
    "log": [_TRY],
    "next_at": "2026-01-15T09:01:05Z",
    "created_at": "2026-01-15T09:00:59Z",
    "done_at": None,
}

Enabled = Annotated[StrictBool, Field(description="Whether anything is sent there")]
_POOLS = "Only of executions in these pools, and batches with children there"
_METHODS = "Only of executions of these methods, and batches with such children"
_LABELS = "Only of executions and batches that have all of these labels"
Everybody = Literal["*"]
OF_EVERYBODY = "`*`: of all owners, which needs the scope `admin`; left out: of what is yours"
Pools = Annotated[list[PoolName], Field(max_length=50, description=_POOLS)]
Methods = Annotated[list[MethodName], Field(max_length=50, description=_METHODS)]
Wanted = Annotated[Labels, Field(description=_LABELS)]


class NewWebhook(BaseModel):
    """A server that wants to hear what happens to your executions."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_NEW]})

    url: WebhookUrl = Field(description="Where to POST: http or https, at a public address")
    events: Events = Field(default=tuple(sorted(ENDS)), description="What is sent; default: every end of an execution")
    owner: Everybody | None = Field(default=None, description=OF_EVERYBODY)
    pools: Pools = []
    methods: Methods = []
    labels: Wanted = {}
    enabled: Enabled = True
    description: Note | None = Field(default=None, description="For people")

    def chosen(self) -> Chosen:
        """Of which executions."""
        return Chosen(frozenset(self.pools), frozenset(self.methods), self.labels)


class WebhookChange(BaseModel):
    """What is to be changed; what is left out stays. A list or object takes the place of the one before."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"enabled": True}]})

    # By factories, for the document is to name no default: what is left out has none.
    url: WebhookUrl = Field(default_factory=str)
    events: Events = Field(default_factory=tuple)
    pools: Pools = Field(default_factory=list)
    methods: Methods = Field(default_factory=list)
    labels: Wanted = Field(default_factory=dict)
    enabled: Enabled = Field(default_factory=bool)
    description: Note | None = None


class WebhookView(BaseModel):
    """A webhook. What fails is tried again; where nothing arrives any more, it is left alone for a while."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SEEN]})

    id: UUID
    owner: str = Field(description="`*`: of all owners")
    execution: UUID | None = Field(description="The one that it came with")
    batch: UUID | None = Field(description="The one that it came with; null, like `execution`: all of the owner")
    url: str
    events: list[EventType]
    pools: list[str] = Field(description=_POOLS)
    methods: list[str] = Field(description=_METHODS)
    labels: dict[str, str] = Field(description=_LABELS)
    enabled: bool
    disabled_reason: str | None = Field(description="Why it was disabled by us")
    description: str | None
    failures: int = Field(description="Tries in a row that failed")
    failing_since: datetime | None
    paused_until: datetime | None = Field(description="It is left alone until then; then one delivery is tried")
    dropped: int = Field(description="What came when too many were waiting already")
    signed: bool = Field(description="Whether there is a secret")
    secret_before_until: datetime | None = Field(description="Until when it is signed with the secret before, too")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        """From the record."""
        return cls(**_fields_of(webhook))


class WebhookWithSecret(WebhookView):
    """The same with its secret, which no other answer shows."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WITH_SECRET]})

    secret: str = Field(description="What its messages are signed with")

    @classmethod
    def showing(cls, webhook: Webhook, secret: str) -> Self:
        """From the record, once."""
        return cls(**_fields_of(webhook), secret=secret)


def _fields_of(webhook: Webhook) -> dict[str, Any]:
    same = {name: getattr(webhook, name) for name in WebhookView.model_fields if name in Webhook.__slots__}
    return {
        **same,
        "events": sorted(webhook.events),
        "pools": sorted(webhook.chosen.pools),
        "methods": sorted(webhook.chosen.methods),
        "labels": dict(webhook.chosen.labels),
        "signed": webhook.sealed is not None,
        "secret_before_until": webhook.before_until,
    }


class WebhookList(BaseModel):
    """One page, newest first. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_SEEN], "next": None}]})

    items: list[WebhookView]
    next: UUID | None

    @classmethod
    def of(cls, webhooks: list[Webhook], *, more: bool) -> Self:
        """From the records of a page."""
        return cls(items=[WebhookView.of(each) for each in webhooks], next=webhooks[-1].id if more else None)


class Rotation(BaseModel):
    """How to change the secret. The body may be left out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"overlap": 3600}]})

    overlap: int = Field(
        default=86_400,
        ge=0,
        le=LONGEST_OVERLAP,
        strict=True,
        description="For so long, messages have a signature by the secret before, too; seconds",
    )


class Try(BaseModel):
    """One try to deliver it."""

    at: datetime
    status: int | None = Field(description="What the receiver answered; 2xx is success")
    error: str | None = Field(description="Why there was no answer")
    response: str | None = Field(description="The beginning of its body")
    seconds: float


class DeliveryView(BaseModel):
    """One message, and its way to the receiver."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DELIVERY]})

    id: UUID
    message_id: str = Field(description="The header `webhook-id`, the same at every try")
    event: EventType
    execution: UUID | None
    batch: UUID | None
    state: DeliveryState
    tries: int
    log: list[Try]
    next_at: datetime | None = Field(description="When it is tried next")
    created_at: datetime
    done_at: datetime | None = Field(description="When it arrived, or was given up")

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """From the record."""
        same = {name: getattr(delivery, name) for name in cls.model_fields if hasattr(delivery, name)}
        return cls(**same | {"execution": delivery.execution_id, "batch": delivery.batch_id})


class DeliveryList(BaseModel):
    """One page, newest first. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_DELIVERY], "next": None}]})

    items: list[DeliveryView]
    next: UUID | None

    @classmethod
    def of(cls, deliveries: list[Delivery], *, more: bool) -> Self:
        """From the records of a page."""
        return cls(items=[DeliveryView.of(each) for each in deliveries], next=deliveries[-1].id if more else None)


class WebhookQuery(BaseModel):
    """Pages of webhooks."""

    model_config = ConfigDict(extra="forbid")

    execution: UUID | None = Field(default=None, description="Those that came with this one, and not the owner's")
    batch: UUID | None = Field(default=None, description="Those that came with this one, and not the owner's")
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: UUID | None = Field(default=None, description="The `next` of the page before")


class DeliveryQuery(BaseModel):
    """Pages of deliveries."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["waiting", "delivered", "failed"] | None = Field(
        default=None, description="Only those that stand so"
    )
    execution: UUID | None = Field(default=None, description="Only what happened to this one")
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: UUID | None = Field(default=None, description="The `next` of the page before")
