"""What clients ask of triggers: bodies and queries."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, RootModel, StrictBool, StringConstraints, ValidationError

from app.executions.query import MAX_PAGE, Time
from app.executions.vocabulary import InputName, Json, Labels, Name, Note
from app.merging import merged
from app.schedules.targets import Target
from app.triggers import examples
from app.triggers.model import TriggerRecord
from app.triggers.service import Wanted

MOST_PER_MINUTE = 6000


class TriggerFields(BaseModel):
    """What a trigger is, but for what it submits."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Name, StringConstraints(min_length=1)] = Field(description="You have one trigger of this name")
    note: Note | None = Field(default=None, description="For people")
    labels: Labels = Field(default={}, description="Of the trigger; those of what it submits are in its target")
    payload_input: InputName | None = Field(
        default=None, description="The input that gets all that is posted; without it each key of that is an input"
    )
    enabled: StrictBool = Field(default=True, description="Whether it takes anything")
    max_per_minute: int = Field(
        default=60, ge=1, le=MOST_PER_MINUTE, strict=True, description="So much is taken within a minute"
    )


class NewTrigger(TriggerFields):
    """A trigger to make."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": examples.NEW})

    target: Target = Field(description="What is submitted; what is posted are inputs of it, over its own")

    def wanted(self) -> Wanted:
        """The same, for the service."""
        return wanted_of(self, self.target)


class TriggerChange(RootModel[dict[str, Json]]):
    """A JSON merge patch. What is left out stays as it is, null brings the default back; a `target` is replaced."""

    model_config = ConfigDict(json_schema_extra={"examples": examples.CHANGES})

    def wanted(self, record: TriggerRecord) -> Wanted:
        """The trigger as it is wanted. Raises `RequestValidationError`."""
        now: dict[str, Any] = {name: getattr(record, name) for name in TriggerFields.model_fields}
        # Also a field that there is not, and is to be taken away, is there to be refused.
        then = {**self.root, **merged(now, self.root)}
        then = {name: value for name, value in then.items() if value is not None or name not in now}
        try:
            if "target" in self.root:
                return NewTrigger.model_validate({**then, "target": self.root["target"]}).wanted()
            return wanted_of(TriggerFields.model_validate(then), None)
        except ValidationError as error:
            raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None


def wanted_of(fields: TriggerFields, target: Target | None) -> Wanted:
    """For the service."""
    return Wanted(**{name: getattr(fields, name) for name in TriggerFields.model_fields}, target=target)


class TriggerListQuery(BaseModel):
    """Pages of the list of triggers."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: UUID | None = Field(default=None, description="The `next` of the page before")


class DeliveryListQuery(BaseModel):
    """Pages of what was posted to a trigger."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: Time | None = Field(default=None, description="The `next` of the page before")
