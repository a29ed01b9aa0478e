"""Secrets of webhooks, and signatures with them, as Standard Webhooks has them (https://www.standardwebhooks.com).

A secret is `whsec_` and 24 to 64 bytes in base64. While a new one takes over, what is sent has a signature by each.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks.webhooks import Webhook as Signer

PREFIX = "whsec_"
NEW_BYTES = 32
FEWEST_BYTES, MOST_BYTES = 24, 64


def new_secret() -> str:
    """A random one."""
    return PREFIX + base64.b64encode(os.urandom(NEW_BYTES)).decode()


def is_secret(text: str) -> bool:
    """Whether it can be used as one."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.startswith(PREFIX) and FEWEST_BYTES <= len(key) <= MOST_BYTES


def headers_of(message: str, at: datetime, body: str, secrets: Sequence[str]) -> dict[str, str]:
    """What is sent beside the body; without a secret there is no signature."""
    signatures = [Signer(secret).sign(msg_id=message, timestamp=at, data=body) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        **({"webhook-signature": " ".join(signatures)} if signatures else {}),
    }
