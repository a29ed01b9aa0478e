"""What clients get to see of triggers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.schedules.targets import shown
from app.triggers import examples
from app.triggers.model import Delivery, DeliveryStatus, TriggerRecord
from app.triggers.service import Shown
from app.triggers.signatures import Signature


class TriggerLinks(BaseModel):
    """Paths on this host."""

    self: str
    deliveries: str
    rotate: str

    @classmethod
    def of(cls, trigger: UUID) -> Self:
        """All links of one trigger."""
        own = f"/v1/triggers/{trigger}"
        return cls(self=own, deliveries=f"{own}/deliveries", rotate=f"{own}/rotate")


class TriggerView(BaseModel):
    """An address to post to, and what is submitted then. Of variables and secrets the names only."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.TRIGGER]})

    id: UUID
    name: str
    note: str | None
    labels: dict[str, str]
    owner: str
    target: dict[str, Any] = Field(description="As it was given; values of `env` and `secrets` are `***`")
    payload_input: str | None
    enabled: bool
    max_per_minute: int
    signature: Signature | None = Field(description="How its senders sign; null: they have a token in their address")
    secret_before_until: datetime | None = Field(description="So long the secret before is good, too")
    last_used_at: datetime | None = Field(description="When something was posted last, whatever came of it")
    created_at: datetime
    updated_at: datetime
    links: TriggerLinks

    @classmethod
    def of(cls, record: TriggerRecord) -> Self:
        """From the record."""
        return cls(**_fields_of(record))


class NewTriggerView(TriggerView):
    """The same with what senders need, which is shown this once: whoever knows it may post."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.NEW_TRIGGER]})

    token: str | None = Field(description="In the address, unless they sign")
    secret: str | None = Field(description="What they sign with, if they do")
    address: str = Field(description="A path on this host")

    @classmethod
    def showing(cls, record: TriggerRecord, once: Shown) -> Self:
        """From the record, and what is not in it."""
        fields = _fields_of(record)
        query = f"?token={once.token}" if once.token else ""
        return cls(**fields, token=once.token, secret=once.secret, address=f"{fields['links'].deliveries}{query}")


_CONVERTED = {"target", "links", "secret_before_until"}


def _fields_of(record: TriggerRecord) -> dict[str, Any]:
    same = {name: getattr(record, name) for name in TriggerView.model_fields if name not in _CONVERTED}
    (target,) = shown([record.target])
    until = record.before_until
    both = until if until is not None and record.now < until else None
    return {**same, "target": target, "secret_before_until": both, "links": TriggerLinks.of(record.id)}


class TriggerList(BaseModel):
    """One page. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.TRIGGER_LIST]})

    items: list[TriggerView]
    next: UUID | None

    @classmethod
    def of(cls, records: list[TriggerRecord], *, more: bool) -> Self:
        """From the records of a page."""
        return cls(items=[TriggerView.of(each) for each in records], next=records[-1].id if more else None)


class Delivered(BaseModel):
    """What was submitted."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DELIVERED]})

    execution: UUID | None = None
    batch: UUID | None = None


class TriggerDeliveryView(BaseModel):
    """What came of one post."""

    key: str = Field(description="What its sender called it; else ours")
    status: DeliveryStatus
    made: Delivered | None = Field(description="What was submitted; it may be deleted by now")
    problem: dict[str, Any] | None = Field(description="Why nothing was, as the API would have said it")
    at: datetime

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """From the record."""
        same = {name: getattr(delivery, name) for name in cls.model_fields if name != "made"}
        return cls(**same, made=None if delivery.made is None else Delivered.model_validate(delivery.made))


class TriggerDeliveryList(BaseModel):
    """One page. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DELIVERY_LIST]})

    items: list[TriggerDeliveryView]
    next: datetime | None

    @classmethod
    def of(cls, deliveries: list[Delivery], *, more: bool) -> Self:
        """From the records of a page."""
        return cls(
            items=[TriggerDeliveryView.of(each) for each in deliveries], next=deliveries[-1].at if more else None
        )
