"""Bodies of the secrets that have a name, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.executions.vocabulary import SecretValue
from app.secrets.model import NAME_RULE, SECRETS_BYTES, NamedSecretRecord, is_name

_NAMED: dict[str, Any] = {
    "name": "hub-token",
    "created_at": "2026-01-15T09:00:00Z",
    "changed_at": "2026-01-20T12:30:00Z",
    "used_at": "2026-01-21T08:15:00Z",
}


def _name(value: str) -> str:
    if not is_name(value):
        raise PydanticCustomError("bad_name", NAME_RULE)
    return value


def _value(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value().encode()) > SECRETS_BYTES:
        raise PydanticCustomError("too_large", "must be at most 32 KiB")
    return value


SecretName = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 100})]


class NewSecret(BaseModel):
    """A secret to be kept under a name."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"value": "b7c1-not-a-real-one"}]})

    value: Annotated[SecretValue, AfterValidator(_value)] = Field(description="At most 32 KiB; never shown again")


class SecretView(BaseModel):
    """What may be known of a secret."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_NAMED]})

    name: str
    created_at: datetime
    changed_at: datetime = Field(description="When it got the value that it has")
    used_at: datetime | None = Field(
        description="When something was last submitted with it, give or take a minute; null: never"
    )


class SecretList(BaseModel):
    """All that you have, by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_NAMED]}]})

    items: list[SecretView]

    @classmethod
    def of(cls, secrets: list[NamedSecretRecord]) -> Self:
        """From the records."""
        return cls(items=[SecretView.model_validate(each) for each in secrets])
