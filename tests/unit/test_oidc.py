"""Tokens of an OpenID Connect issuer: which are taken, who holds them, and what is done about the issuer's keys."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.auth.model import Role
from app.auth.oidc import Oidc, is_jwt
from app.auth.oidc_keys import STALE_AFTER, Keys
from app.auth.oidc_rules import Rules, read_issuer
from app.errors import NotAuthenticated, Unavailable
from app.settings import Settings, read_settings
from support.eventually import eventually
from support.issuer import AUDIENCE, Issuer, Key, issuing
from support.receiver import receiving

FAR = "https://id.example.com"
SKEW = 30
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
Claims = dict[str, Any]
Open = Callable[..., Oidc]


def rules(issuer: str = FAR, **given: Any) -> Rules:
    usual = {"audience": AUDIENCE, "default_role": "viewer", "clock_skew": SKEW}
    found = Rules.of(
        Settings(**{f"oidc_{name}": value for name, value in ({"issuer": issuer} | usual | given).items()})
    )
    assert found is not None
    return found


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        yield issuer


@pytest.fixture
async def open_(issuer: Issuer) -> AsyncIterator[Open]:
    """With a `pause` between fetches that is over at once, unless told otherwise."""
    async with AsyncExitStack() as stack:

        def make(*, pause: float = 0, within: float = 5, fresh: float = STALE_AFTER, **given: Any) -> Oidc:
            known = rules(issuer.name, **given)
            oidc = Oidc(known, Keys(issuer.name, known.algorithms, pause=pause, within=within, fresh=fresh))
            stack.push_async_callback(oidc.keys.close)
            return oidc

        yield make


async def why(oidc: Oidc, token: str) -> str:
    with pytest.raises(NotAuthenticated) as refused:
        await oidc.identify(token)
    assert refused.value.hint
    assert token not in refused.value.detail + refused.value.hint
    return refused.value.detail


def segment(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def signed_by_secret(claims: Claims, kid: str, secret: bytes) -> str:
    """As somebody does who takes a public key for a secret that both sides know; the library would not."""
    read = f"{segment({'alg': 'HS256', 'kid': kid})}.{segment(claims)}"
    return f"{read}.{segment(hmac.digest(secret, read.encode(), hashlib.sha256))}"


async def test_who_holds_one(issuer: Issuer, open_: Open) -> None:
    oidc = open_(operators="ops, devs", admins="root")
    token = issuer.sign(roles=["ops", "guests"])
    known = await oidc.identify(token)
    assert is_jwt(token)
    assert (known.owner, known.name, known.scopes) == ("oidc:ann", "ann at 127.0.0.1", Role.OPERATOR.scopes)
    exp = jwt.decode(token, options={"verify_signature": False})["exp"]
    assert known.expires_at.timestamp() == int(exp) + SKEW
    assert await oidc.identify(token) == known
    assert (await open_(operators="ops").identify(token)).hash != known.hash, "what was judged otherwise is another"


async def test_another_spelling_of_a_signature_is_the_same_token(issuer: Issuer, open_: Open) -> None:
    oidc, token = open_(), issuer.sign()
    known, (signed, _, signature) = await oidc.identify(token), token.rpartition(".")
    r, s = (base64.urlsafe_b64decode(f"{signature}==")[half] for half in (slice(32), slice(32, None)))
    # r and -s are as good as r and s.
    mirrored = segment(r + (P256_ORDER - int.from_bytes(s)).to_bytes(32))
    for other in (f"{token}==", f"{signed}.{mirrored}"):
        assert await oidc.identify(other) == known


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS256"])
async def test_signatures_of_all_kinds_are_read(algorithm: str, issuer: Issuer, open_: Open) -> None:
    issuer.keys = [Key.new(algorithm)]
    assert (await open_().identify(issuer.sign())).owner == "oidc:ann"
    others = [each for each in ("ES256", "RS256") if each != algorithm]
    assert "in a way" in await why(open_(algorithms=",".join(others)), issuer.sign())


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ({"lasts": -SKEW - 5}, "expired"),
        ({"nbf": time.time() + 3600}, "not valid yet"),
        ({"iat": time.time() + 3600}, "not valid yet"),
        ({"aud": "another"}, "audience"),
        ({"aud": ["another", "third"]}, "audience"),
        ({"aud": None}, "`aud`"),
        ({"exp": None}, "`exp`"),
        ({"exp": "soon"}, "cannot be read"),
        ({"sub": None}, "`sub`"),
        ({"sub": 7}, "cannot be read"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"typ": "logout+jwt"}, "not for access"),
        ({"sub": " "}, "whose"),
        ({"sub": "x" * 300}, "whose"),
    ],
)
async def test_claims_that_are_wrong_are_named(claims: Claims, word: str, issuer: Issuer, open_: Open) -> None:
    assert word in await why(open_(), issuer.sign(**claims))


async def test_clocks_may_differ_a_little(issuer: Issuer, open_: Open) -> None:
    oidc = open_(audience="another, tailrace")
    for claims in (
        {"lasts": -SKEW / 2},
        {"nbf": time.time() + SKEW / 2},
        {"aud": ["x", AUDIENCE]},
        {"exp": 1e300},
        {"typ": "at+jwt"},
    ):
        assert (await oidc.identify(issuer.sign(**claims))).owner == "oidc:ann"


async def test_no_other_signature_is_taken(issuer: Issuer, open_: Open) -> None:
    oidc, key = open_(), issuer.keys[0]
    token = issuer.sign(roles=["root"])
    claims = jwt.decode(token, options={"verify_signature": False})
    public = key.private.public_key()
    read = f"{segment({'alg': 'none', 'kid': key.kid})}.{segment(claims)}"
    for unsigned in (f"{read}.", jwt.encode(claims, None, "none", headers={"kid": key.kid})):
        assert "in a way" in await why(oidc, unsigned)
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(key.published()).encode(),
        b"",
    ):
        assert "in a way" in await why(oidc, signed_by_secret(claims, key.kid, secret))
    thief = Key(Key.new().private, key.algorithm, key.kid)
    assert "signature" in await why(oidc, issuer.sign(thief))
    head, body, signature = token.split(".")
    assert "signature" in await why(oidc, f"{head}.{segment(claims | {'sub': 'root'})}.{signature}")
    rsa = Key(Key.new("RS256").private, "RS256", key.kid)
    assert "key that its issuer does not have" in await why(oidc, issuer.sign(rsa))
    for cut in (token[:-5], f"{head}.{body}.", f"{head}..{signature}", "eyJ.x.y", f"eyJ{'A' * 20_000}.a.b"):
        refused = await why(oidc, cut)
        assert any(word in refused for word in ("read", "signature", "long"))


async def test_keys_for_other_uses_sign_nothing(issuer: Issuer, open_: Open) -> None:
    secret = b"s" * 32
    other = Key.new()
    issuer.more = [
        {"kty": "oct", "kid": "shared", "alg": "HS256", "k": segment(secret)},
        other.published() | {"use": "enc"},
        {"kty": "EC", "kid": ["odd"], "crv": "P-256", "x": 1, "y": None},
        "no key",
    ]
    oidc = open_()
    claims = jwt.decode(issuer.sign(), options={"verify_signature": False})
    assert "in a way" in await why(oidc, signed_by_secret(claims, "shared", secret))
    assert "does not have" in await why(oidc, issuer.sign(other))
    assert (await oidc.identify(issuer.sign())).owner == "oidc:ann"


async def test_a_new_key_is_found_and_an_old_one_is_not_for_ever(issuer: Issuer, open_: Open) -> None:
    oidc = open_()
    before = issuer.sign()
    await oidc.identify(before)
    issuer.rotate()
    await oidc.identify(issuer.sign())
    await oidc.identify(before)
    assert issuer.fetches == 2
    issuer.rotate(keep=False)
    await oidc.identify(issuer.sign())
    assert "does not have" in await why(oidc, before)


async def test_a_key_that_was_withdrawn_while_nobody_came_is_not_taken(issuer: Issuer, open_: Open) -> None:
    oidc, before = open_(fresh=-1), issuer.sign()
    await oidc.identify(before)
    issuer.go_away()
    await oidc.identify(before)
    issuer.come_back()
    issuer.rotate(keep=False)
    assert "does not have" in await why(oidc, before)


async def test_many_who_come_at_once_fetch_once_and_forged_names_do_not_hammer(issuer: Issuer, open_: Open) -> None:
    oidc = open_(pause=600)
    issuer.receiver.hang()
    token = issuer.sign()
    coming = [asyncio.create_task(oidc.identify(token)) for _ in range(20)]
    await eventually(lambda: len(issuer.receiver.received) == 1)
    coming[0].cancel()
    issuer.receiver.go_on.set()
    assert {(await each).owner for each in coming[1:]} == {"oidc:ann"}
    forged = await asyncio.gather(*(why(oidc, issuer.sign(Key.new())) for _ in range(50)))
    assert all("does not have" in each for each in forged)
    assert issuer.fetches == 1


async def test_what_could_not_be_taken_anyway_fetches_nothing(issuer: Issuer, open_: Open) -> None:
    oidc = open_()
    for token in (issuer.sign(iss="https://evil.example"), signed_by_secret({"iss": issuer.name}, "x", b"x")):
        await why(oidc, token)
    assert issuer.receiver.received == []


async def test_without_its_issuer_known_keys_go_on_and_others_wait_for_it(issuer: Issuer, open_: Open) -> None:
    knows, knows_nothing = open_(), open_()
    token = issuer.sign()
    await knows.identify(token)
    issuer.go_away()
    await knows.identify(token)
    for oidc, unknown in ((knows, issuer.sign(Key.new())), (knows_nothing, token)):
        with pytest.raises(Unavailable) as away:
            await oidc.identify(unknown)
        assert away.value.hint
    issuer.come_back()
    await knows_nothing.identify(token)
    assert "does not have" in await why(knows, issuer.sign(Key.new()))


async def test_an_issuer_that_does_not_answer_holds_nobody_up_for_long(issuer: Issuer, open_: Open) -> None:
    oidc = open_(pause=600, within=1)
    issuer.receiver.hang()
    for _ in range(2):
        async with asyncio.timeout(20):
            with pytest.raises(Unavailable):
                await oidc.identify(issuer.sign())
    assert len(issuer.receiver.received) == 1


@pytest.mark.parametrize(
    "answer", ["", "[]", "{}", '{"issuer": "https://evil.example", "jwks_uri": "URL/keys"}', '{"issuer": "URL"}']
)
async def test_what_is_no_issuer_is_not_believed(answer: str, issuer: Issuer, open_: Open) -> None:
    oidc, token = open_(), issuer.sign()
    issuer.receiver.answer(200, answer.replace("URL", issuer.url))
    with pytest.raises(Unavailable):
        await oidc.identify(token)


async def test_an_issuer_leads_nobody_inside(issuer: Issuer, open_: Open) -> None:
    async with receiving() as inside:
        oidc, token = open_(), issuer.sign()
        issuer.keys_at = f"{inside.url}/keys"
        with pytest.raises(Unavailable):
            await oidc.identify(token)
        issuer.receiver.answer(302, Location=f"{inside.url}/found")
        with pytest.raises(Unavailable):
            await oidc.identify(token)
        assert inside.received == []


@pytest.mark.parametrize(
    ("given", "claims", "owner"),
    [
        ({}, {"sub": "4f1c"}, "oidc:4f1c"),
        ({"owner_prefix": ""}, {"sub": "4f1c"}, "4f1c"),
        ({"owner_claim": "preferred_username"}, {"sub": "4f1c", "preferred_username": "ann"}, "oidc:ann"),
        ({"owner_claim": "email"}, {"email": "ann@x.org", "email_verified": True}, "oidc:ann@x.org"),
        ({"owner_claim": "email"}, {"email": "ann@x.org", "email_verified": "false"}, None),
        ({"owner_claim": "email"}, {"email": "ann@x.org"}, None),
        ({"owner_claim": "https://x.org/id"}, {"https://x.org/id": "ann"}, "oidc:ann"),
        ({"owner_claim": "user.id"}, {"user": {"id": "ann"}}, "oidc:ann"),
        ({"owner_claim": "user.id"}, {"user": "ann"}, None),
        ({"owner_prefix": ""}, {"sub": "*"}, None),
        ({}, {"sub": ["ann"]}, None),
    ],
)
def test_whose_a_token_is(given: Claims, claims: Claims, owner: str | None) -> None:
    if owner is None:
        with pytest.raises(ValueError, match="is"):
            rules(**given).owner_of(claims)
    else:
        assert rules(**given).owner_of(claims) == owner


@pytest.mark.parametrize(
    ("given", "claims", "role"),
    [
        ({"default_role": "none", "admins": ""}, {"roles": ["root", "admin"]}, None),
        ({"default_role": "none"}, {}, None),
        ({"default_role": "operator"}, {"roles": "nothing"}, Role.OPERATOR),
        ({}, {"roles": ["wall", "root"]}, Role.ADMIN),
        ({"roles_claim": "scope"}, {"scope": "openid wall"}, Role.VIEWER),
        ({"roles_claim": "realm_access.roles"}, {"realm_access": {"roles": ["root"]}}, Role.ADMIN),
        ({"roles_claim": "urn:x:roles"}, {"urn:x:roles": {"root": {"1": "x.org"}}}, Role.ADMIN),
        ({"default_role": "none"}, {"roles": [["root"], {"root": 1}, None, 7]}, None),
        ({"default_role": "none"}, {"roles": ["roots", "ROOT"]}, None),
    ],
)
def test_what_a_token_may(given: Claims, claims: Claims, role: Role | None) -> None:
    known = {"viewers": "wall", "admins": "root", **given}
    assert rules(**known).scopes_of(claims) == (role.scopes if role else frozenset())


@pytest.mark.parametrize(
    "url",
    ["id.example.com", "ftp://x.org", "https://", "https://a:b@x.org", "https://x.org?a=b", "https://x.org#a", "http://x.org",
     "http://127.0.0.1.evil.example", "https://x:99999", "https://1.2.3", "https://x y.org", "https://*", ""],
)  # fmt: skip
def test_what_is_no_name_of_an_issuer(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        read_issuer(url)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ISSUER": "http://x.org"}, ["ISSUER: must begin with https"]),
        ({"ISSUER": FAR, "DEFAULT_ROLE": "viewer"}, ["AUDIENCE: must say by which name"]),
        ({"ISSUER": FAR, "AUDIENCE": "a"}, ["DEFAULT_ROLE: must be `viewer` or `operator`, unless"]),
        ({"AUDIENCE": "a"}, ["AUDIENCE: is of no use without TAILRACE_OIDC_ISSUER"]),
        ({"ALGORITHMS": "RS256,HS256"}, ["ALGORITHMS: must be some of RS256"]),
        ({"ALGORITHMS": "none"}, ["ALGORITHMS: must be some of RS256"]),
        ({"DEFAULT_ROLE": "admin"}, ["DEFAULT_ROLE: must be"]),
        ({"CLOCK_SKEW": "3600"}, ["CLOCK_SKEW: must be at most 600"]),
    ],
)
def test_settings_that_are_wrong_are_said(
    given: dict[str, str], said: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"TAILRACE_OIDC_{name}", value)
    with pytest.raises(SystemExit):
        read_settings()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(said)
    for line, start in zip(lines, said, strict=True):
        assert line.startswith(f"tailrace: TAILRACE_OIDC_{start}")
