"""What clients get to see of triggers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.schedules.targets import shown
from app.triggers import examples
from app.triggers.model import Delivery, DeliveryStatus, TriggerRecord


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
    last_used_at: datetime | None = Field(description="When something was posted last, whatever came of it")
    created_at: datetime
    updated_at: datetime
    links: TriggerLinks

    @classmethod
    def of(cls, record: TriggerRecord) -> Self:
        """From the record."""
        return cls(**_fields_of(record))


class NewTriggerView(TriggerView):
    """The same with its address, which is shown this once: whoever knows it may post."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.NEW_TRIGGER]})

    token: str
    address: str = Field(description="A path on this host")

    @classmethod
    def with_token(cls, record: TriggerRecord, token: str) -> Self:
        """From the record, and the token that is not in it."""
        fields = _fields_of(record)
        return cls(**fields, token=token, address=f"{fields['links'].deliveries}?token={token}")


def _fields_of(record: TriggerRecord) -> dict[str, Any]:
    same = {name: getattr(record, name) for name in TriggerView.model_fields if name not in {"target", "links"}}
    (target,) = shown([record.target])
    return {**same, "target": target, "links": TriggerLinks.of(record.id)}


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
