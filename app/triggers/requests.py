"""What clients ask of triggers: bodies and queries."""

from __future__ import annotations

from typing import Annotated, Any, LiteralString, Self
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SecretStr,
    StrictBool,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.errors import FieldError, InvalidRequest
from app.executions.query import MAX_PAGE, Time
from app.executions.vocabulary import InputName, Json, Labels, Name, Note
from app.merging import merged
from app.schedules.targets import Target
from app.triggers import examples
from app.triggers.model import TriggerRecord
from app.triggers.service import Signing, Wanted
from app.triggers.signatures import Signature, is_secret

MOST_PER_MINUTE = 6000
LONGEST_OVERLAP = 7 * 86_400
SIGNATURE = "How senders sign what they post, by a secret; null: they do not, and have a token in their address"
SECRET = "What they sign with, where it is theirs; by default a new one"  # noqa: S105 - no secret
_SECRETS: dict[Signature, LiteralString] = {
    Signature.GITHUB: "must be 16 to 255 visible ASCII characters",
    Signature.STANDARD_WEBHOOKS: "must be `whsec_` and 24 to 64 random bytes in base64",
}


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


class WholeTrigger(TriggerFields):
    """The same, with that."""

    target: Target = Field(description="What is submitted; what is posted are inputs of it, over its own")

    def wanted(self) -> Wanted:
        """The same, for the service."""
        return wanted_of(self, self.target)


class NewTrigger(WholeTrigger):
    """A trigger to make."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [*examples.NEW.values()]})

    signature: Signature | None = Field(default=None, description=SIGNATURE)
    secret: SecretStr | None = Field(default=None, description=SECRET)

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.signing()
        return self

    def signing(self) -> Signing | None:
        """How its senders sign, if they do."""
        return _signing(self.signature, self.secret)


class TriggerRotation(BaseModel):
    """How to change by what its senders are known. The body may be left out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [*examples.ROTATIONS.values()]})

    signature: Signature | None = Field(default=None, description=f"{SIGNATURE}; left out: as before")
    secret: SecretStr | None = Field(default=None, description=SECRET)
    overlap: int = Field(
        default=86_400,
        ge=0,
        le=LONGEST_OVERLAP,
        strict=True,
        description="For so many seconds the secret before is good, too. A token before is not",
    )

    def signing(self, record: TriggerRecord) -> Signing | None:
        """How its senders sign from now on, if they do. Raises `InvalidRequest`."""
        signature = self.signature if "signature" in self.model_fields_set else record.signature
        try:
            return _signing(signature, self.secret)
        except PydanticCustomError as error:
            raise InvalidRequest.of([FieldError("secret", error.type, error.message())]) from None


def _signing(signature: Signature | None, secret: SecretStr | None) -> Signing | None:
    if signature is None:
        if secret is not None:
            raise PydanticCustomError("needs_signature", "goes with `signature` only", {"at": "secret"})
        return None
    if secret is not None and not is_secret(signature, secret.get_secret_value()):
        raise PydanticCustomError("not_a_secret", _SECRETS[signature], {"at": "secret"})
    return Signing(signature, secret)


class TriggerChange(RootModel[dict[str, Json]]):
    """A JSON merge patch. What is left out stays as it is, null brings the default back; a `target` is replaced."""

    model_config = ConfigDict(json_schema_extra={"examples": [*examples.CHANGES.values()]})

    def wanted(self, record: TriggerRecord) -> Wanted:
        """The trigger as it is wanted. Raises `RequestValidationError`."""
        now: dict[str, Any] = {name: getattr(record, name) for name in TriggerFields.model_fields}
        # Also a field that there is not, and is to be taken away, is there to be refused.
        then = {**self.root, **merged(now, self.root)}
        then = {name: value for name, value in then.items() if value is not None or name not in now}
        try:
            if "target" in self.root:
                return WholeTrigger.model_validate({**then, "target": self.root["target"]}).wanted()
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
