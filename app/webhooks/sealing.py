"""Secrets of webhooks at rest: sealed when they are made, opened when something is sent."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from app.secrets.vault import Vault
from app.webhooks.model import Webhook

_NAME = "webhook"


def seal(vault: Vault, webhook: UUID, secret: str) -> bytes:
    """As it is kept. Raises `NoKey`."""
    return vault.seal(secret, execution=webhook, name=_NAME)


def secrets_of(vault: Vault, webhook: Webhook, at: datetime) -> list[str]:
    """Those that are valid at this time, the newest first. Raises `NoKey`, `WrongKey`."""
    sealed = [webhook.sealed]
    if webhook.before_until is not None and at < webhook.before_until:
        sealed.append(webhook.sealed_before)
    return [vault.open(each, execution=webhook.id, name=_NAME) for each in sealed if each is not None]
