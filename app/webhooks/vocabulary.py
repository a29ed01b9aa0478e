"""The words of a webhook: its URL, its events, and a secret of the client's own."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.outbound.policy import URL_CHARS
from app.webhooks.model import CHOICES, ENDS, OF_ONE_EXECUTION, WEBHOOKS_PER_EXECUTION, EventType
from app.webhooks.signing import FEWEST_BYTES, MOST_BYTES, is_secret


def _choice(event: EventType) -> EventType:
    if event not in CHOICES:
        raise PydanticCustomError("not_a_choice", "is sent only to whoever asks for it")
    return event


def _choice_of_one(event: EventType) -> EventType:
    if event not in OF_ONE_EXECUTION:
        raise PydanticCustomError("not_of_one", "does not happen to a single execution")
    return event


def _secret(secret: SecretStr) -> SecretStr:
    if not is_secret(secret.get_secret_value()):
        raise PydanticCustomError(
            "not_a_secret",
            "must be `whsec_` and {fewest} to {most} random bytes in base64",
            {"fewest": FEWEST_BYTES, "most": MOST_BYTES},
        )
    return secret


def _sorted(events: tuple[EventType, ...]) -> tuple[EventType, ...]:
    return tuple(sorted(set(events)))


# What it may lead to is looked at where there is a network.
WebhookUrl = Annotated[str, StringConstraints(min_length=1, max_length=URL_CHARS)]
Events = Annotated[
    tuple[Annotated[EventType, AfterValidator(_choice)], ...],
    Field(min_length=1, max_length=len(EventType)),
    AfterValidator(_sorted),
    WithJsonSchema({"type": "array", "items": {"enum": sorted(CHOICES)}, "minItems": 1, "maxItems": len(EventType)}),
]
EventsOfOne = Annotated[
    tuple[Annotated[EventType, AfterValidator(_choice), AfterValidator(_choice_of_one)], ...],
    Field(min_length=1, max_length=len(EventType)),
    AfterValidator(_sorted),
    WithJsonSchema(
        {"type": "array", "items": {"enum": sorted(OF_ONE_EXECUTION)}, "minItems": 1, "maxItems": len(EventType)}
    ),
]
WebhookSecret = Annotated[SecretStr, AfterValidator(_secret)]


class BatchWebhook(BaseModel):
    """A server that wants to hear when all of a batch has ended."""

    model_config = ConfigDict(extra="forbid")

    url: WebhookUrl = Field(description="Where to POST: http or https, at a public address")
    secret: WebhookSecret | None = Field(
        default=None, description="What to sign with: `whsec_` and base64. Without one there is no signature"
    )

    def confided(self) -> dict[str, Any]:
        """All of it, with its secret."""
        secret = self.secret.get_secret_value() if self.secret is not None else None
        return {**self.model_dump(mode="json"), "secret": secret}


class ExecutionWebhook(BatchWebhook):
    """A server that wants to hear of one execution."""

    events: EventsOfOne = Field(default=tuple(sorted(ENDS)), description="What is sent; default: its end, whichever")


ExecutionWebhooks = Annotated[tuple[ExecutionWebhook, ...], Field(max_length=WEBHOOKS_PER_EXECUTION)]
BatchWebhooks = Annotated[tuple[BatchWebhook, ...], Field(max_length=WEBHOOKS_PER_EXECUTION)]
