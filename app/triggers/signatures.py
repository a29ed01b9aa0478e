"""Signatures of what is posted, by a secret of its sender: nobody else can post, or change what is in it. Pure."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from standardwebhooks.webhooks import Webhook as Signer

from app.webhooks import signing

# How far the time of a signature may be from now, in seconds: what is older is sent again by somebody else.
TOLERANCE = 300.0
_SECRET_BYTES = 32
# Of a secret that others have made up.
_SECRET = re.compile(r"[!-~]{16,255}")
_SECONDS = re.compile(r"[0-9]{1,12}")


class Signature(StrEnum):
    """How a sender signs: as GitHub does, and Gitea after it; or by Standard Webhooks."""

    GITHUB = "github"
    STANDARD_WEBHOOKS = "standard_webhooks"


def new_secret(signature: Signature) -> str:
    """256 random bits, as such senders take them."""
    return signing.new_secret() if signature is Signature.STANDARD_WEBHOOKS else secrets.token_urlsafe(_SECRET_BYTES)


def is_secret(signature: Signature, text: str) -> bool:
    """Whether one that the sender has made up can be used."""
    if signature is Signature.STANDARD_WEBHOOKS:
        return signing.is_secret(text)
    return _SECRET.fullmatch(text) is not None


def is_genuine(
    signature: Signature, known: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> bool:
    """Whether the sender had one of these secrets and, by Standard Webhooks, has signed it within the tolerance."""
    if signature is Signature.STANDARD_WEBHOOKS:
        return _by_standard(known, headers, body, now)
    expected = ("sha256=" + hmac.digest(secret.encode(), body, "sha256").hex() for secret in known)
    return _is_one_of([headers.get("x-hub-signature-256", "")], expected)


def _by_standard(known: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    message, at, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not message or not _SECONDS.fullmatch(at) or abs(now.timestamp() - int(at)) > TOLERANCE:
        return False
    try:
        text = body.decode()
    except UnicodeDecodeError:  # no JSON either
        return False
    time = datetime.fromtimestamp(int(at), UTC)
    # While its secret is changed, the sender says one signature for each.
    return _is_one_of(given.split(), (Signer(secret).sign(message, time, text) for secret in known))


def _is_one_of(given: Sequence[str], expected: Iterable[str]) -> bool:
    """In a time that tells nothing of how much of it was right."""
    said = [each.encode() for each in given]
    return any(hmac.compare_digest(each.encode(), one) for each in expected for one in said)
