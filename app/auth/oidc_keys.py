"""The keys that an issuer signs with, as it publishes them (OpenID Connect Discovery, JWKS)."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Collection
from typing import Any

import orjson
import structlog
from jwt import PyJWK, PyJWKSet
from yarl import URL

from app.auth.oidc_rules import read_issuer
from app.errors import Unavailable
from app.outbound.client import NoAnswer, Outbound
from app.outbound.policy import Policy, Refused

log = structlog.get_logger(__name__)

# From here on they are fetched again when one is asked for, while those known are still good; but whoever comes after
# such a time without a fetch waits for it. Seconds.
STALE_AFTER = 600.0
# An issuer that is away for longer may have withdrawn them.
GOOD_FOR = 86_400.0
# From the beginning of a fetch to the next one, however many ask for keys that nobody has.
PAUSE = 10.0
FETCH_WITHIN = 5.0
MOST_BYTES = 2**19
DISCOVERY = ".well-known/openid-configuration"

# Its `kid`, which may be missing, and its algorithm.
Name = tuple[str | None, str]


class Keys:
    """The keys of one issuer. One fetch is for all who wait for it."""

    def __init__(
        self,
        issuer: str,
        algorithms: Collection[str],
        *,
        outbound_allow: str = "",
        pause: float = PAUSE,
        within: float = FETCH_WITHIN,
        fresh: float = STALE_AFTER,
    ) -> None:
        self._issuer = issuer
        self._algorithms = frozenset(algorithms)
        self._pause, self._within, self._fresh = pause, within, fresh
        url, place = read_issuer(issuer)
        self._scheme = url.scheme
        # An issuer may be inside; where it leads us may not, unless that is allowed.
        self._outbound = Outbound(Policy((place, *Policy.parse(outbound_allow).allowed)))
        self._keys: dict[Name, PyJWK] = {}
        self._failed = False
        self._fetching: asyncio.Task[None] | None = None
        # Whether it is the first for long: then a key that is known may have been withdrawn long ago.
        self._is_first = False
        # On the clock of the loop: when the next fetch may begin, and until when the keys are fresh and good.
        self._next = self._fresh_until = self._good_until = float("-inf")

    async def find(self, name: Name) -> PyJWK | None:
        """The key of this name, None if the issuer has none. Raises `Unavailable`."""
        key = self._known(name)
        if key is None or self._fresh_until < _now():
            fetching = self.begin()
            if fetching is not None and (key is None or self._is_first):
                # Whoever goes away leaves it to the others.
                await asyncio.shield(fetching)
                key = self._known(name)
        if key is None and self._failed:
            raise Unavailable(
                "This token cannot be checked: its issuer cannot be reached.",
                hint="Try again in a moment. Tokens that begin with `trt_` are not concerned.",
            )
        return key

    def begin(self) -> asyncio.Task[None] | None:
        """The fetch that is under way, or a new one; None if the last one was a moment ago."""
        if self._fetching is None and _now() >= self._next:
            self._is_first = self._next + self._fresh < _now()
            self._next = _now() + self._pause
            # It is of nobody's request.
            self._fetching = asyncio.create_task(self._fetch(), name="oidc keys", context=contextvars.Context())
        return self._fetching

    async def close(self) -> None:
        """Give up what is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait({self._fetching})
        await self._outbound.close()

    def _known(self, name: Name) -> PyJWK | None:
        return self._keys.get(name) if _now() < self._good_until else None

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self._within):
                keys = await self._read()
        except Exception as error:  # noqa: BLE001 - whatever an issuer may do, those known are good as before
            self._failed = True
            log.warning("oidc.no_keys", issuer=self._issuer, error=str(error) or repr(error))
        else:
            if keys.keys() != self._keys.keys():
                log.info("oidc.keys_changed", issuer=self._issuer, keys=len(keys))
            self._keys, self._failed = keys, False
            self._fresh_until, self._good_until = _now() + self._fresh, _now() + GOOD_FOR
        finally:
            self._fetching = None

    async def _read(self) -> dict[Name, PyJWK]:
        document = await self._get(f"{self._issuer.rstrip('/')}/{DISCOVERY}")
        if document.get("issuer") != self._issuer:
            raise NoAnswer("What is there is of another issuer")
        published = PyJWKSet.from_dict(await self._get(str(document.get("jwks_uri"))))
        keys = {
            (key.key_id, key.algorithm_name): key
            for key in published
            if key.algorithm_name in self._algorithms and key.public_key_use in {None, "sig"}
        }
        if not keys:
            raise NoAnswer("It has no key of an algorithm that is taken")
        return keys

    async def _get(self, text: str) -> dict[str, Any]:
        body = bytearray()
        async with self._outbound.fetch(text, within=self._within, most=MOST_BYTES, judge=self._judge) as fetched:
            if fetched.status != 200:
                raise NoAnswer(f"{text} answered {fetched.status}")
            async for chunk in fetched.chunks():
                body += chunk
        document = orjson.loads(body)
        if not isinstance(document, dict):
            raise NoAnswer(f"{text} is not a JSON object")
        return document

    def _judge(self, text: str) -> None:
        if URL(text).scheme not in {"https", self._scheme}:
            raise Refused("must begin with https")


def _now() -> float:
    return asyncio.get_running_loop().time()
