"""Signatures of what is posted to triggers: genuine ones, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Sender

from app.triggers.signatures import TOLERANCE, Signature, is_genuine, is_secret, new_secret

NOW = datetime(2026, 1, 15, 10, 0, 0, 500_000, tzinfo=UTC)
BODY = b'{"ref": "main"}'


def signed(secret: str, body: bytes = BODY, *, at: datetime = NOW, message: str = "msg_1") -> dict[str, str]:
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Sender(secret).sign(message, at, body.decode()),
    }


def test_it_is_what_github_sends() -> None:
    """By the example of its documentation."""
    secret, body = "It's a Secret to Everybody", b"Hello, World!"
    headers = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    assert is_genuine(Signature.GITHUB, [secret], headers, body, NOW)
    assert is_genuine(Signature.GITHUB, ["another one", secret], headers, body, NOW)
    assert not is_genuine(Signature.GITHUB, [secret], headers, body + b" ", NOW)
    assert not is_genuine(Signature.GITHUB, ["another one"], headers, body, NOW)
    assert not is_genuine(Signature.STANDARD_WEBHOOKS, [new_secret(Signature.STANDARD_WEBHOOKS)], headers, body, NOW)


@pytest.mark.parametrize(("seconds", "genuine"), [(0, True), (299, True), (-299, True), (301, False), (-302, False)])
def test_what_was_signed_long_ago_is_not_taken(seconds: float, *, genuine: bool) -> None:
    secret = new_secret(Signature.STANDARD_WEBHOOKS)
    headers = signed(secret, at=NOW + timedelta(seconds=seconds))
    assert is_genuine(Signature.STANDARD_WEBHOOKS, [secret], headers, BODY, NOW) is genuine
    assert TOLERANCE == 300


def test_all_that_is_signed_counts() -> None:
    secret, other = (new_secret(Signature.STANDARD_WEBHOOKS) for _ in range(2))
    headers = signed(secret)
    both = headers | {"webhook-signature": f"v1a,x {signed(other)['webhook-signature']} {headers['webhook-signature']}"}
    assert is_genuine(Signature.STANDARD_WEBHOOKS, [secret], both, BODY, NOW)
    for name, value in (
        ("webhook-id", "msg_2"),
        ("webhook-id", ""),
        ("webhook-timestamp", str(int(NOW.timestamp()) + 1)),
    ):
        assert not is_genuine(Signature.STANDARD_WEBHOOKS, [secret], headers | {name: value}, BODY, NOW)
    assert not is_genuine(Signature.STANDARD_WEBHOOKS, [secret], headers, BODY + b"\n", NOW)
    assert not is_genuine(Signature.STANDARD_WEBHOOKS, [other], headers, BODY, NOW)


@given(
    values=st.lists(
        st.text(st.characters(max_codepoint=255)) | st.just(str(int(NOW.timestamp()))), min_size=4, max_size=4
    ),
    body=st.binary(max_size=20),
)
def test_nothing_that_is_made_up_is_genuine(values: list[str], body: bytes) -> None:
    names = ("x-hub-signature-256", "webhook-id", "webhook-timestamp", "webhook-signature")
    for signature in Signature:
        assert not is_genuine(signature, [new_secret(signature)], dict(zip(names, values, strict=True)), body, NOW)


def test_what_can_be_a_secret() -> None:
    assert all(is_secret(signature, new_secret(signature)) for signature in Signature)
    assert is_secret(Signature.GITHUB, "a" * 16)
    for text in ("a" * 15, "a" * 256, "with a blank in it", "ä" * 16):
        assert not is_secret(Signature.GITHUB, text)
    assert not is_secret(Signature.STANDARD_WEBHOOKS, "a" * 16)
