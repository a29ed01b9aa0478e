"""How often each token may ask, and how often an address may come without a valid one. Counted in Redis for all APIs.

Redis is no more than a hint here, too: nobody waits long for it, and while it is away everybody may.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TypeVar

import structlog
from fastapi.requests import HTTPConnection
from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis

from app.auth.oidc import is_jwt
from app.auth.service import Caller
from app.cancellation import heeding_cancellation
from app.errors import NotAuthenticated, TooFast
from app.hints import AWAY, Channels
from app.observability.metrics import ApiMetrics
from app.settings import Settings

log = structlog.get_logger(__name__)

K = TypeVar("K")
V = TypeVar("V")
ANSWER_WITHIN = 0.25
# Without an answer Redis is left alone for so long, seconds.
ASK_AGAIN_AFTER = 1.0
# So many credentials that were valid are remembered, and so many addresses that came too often.
REMEMBERED = 10_000
TOKEN, ADDRESS = "token", "address"
# What is scraped or probed by machines is never refused for coming often.
_UNCOUNTED = frozenset({"/metrics"})


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds; of them are left so many, None if that is not known."""

    limit: int
    seconds: int
    left: int | None


class Rates:
    """The rates of one API process. It lets in and refuses; who is who, others say."""

    def __init__(self, settings: Settings, channels: Channels, redis: Redis, metrics: ApiMetrics) -> None:
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=channels.rates,
            connection_pool=redis.connection_pool,  # type: ignore[arg-type]  # its stub knows plain values only
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._of_tokens = parse(settings.request_rate) if settings.request_rate else None
        self._of_addresses = parse(settings.bad_token_rate) if settings.bad_token_rate else None
        self._has_issuer = bool(settings.oidc_issuer)
        self._metrics = metrics
        # What each of these credentials counts as, by their hash: they were valid when they last came.
        self._known: OrderedDict[bytes, str] = OrderedDict()
        # Addresses that came too often, and until when they are not looked at, on the clock of the loop.
        self._shut_out: OrderedDict[str, float] = OrderedDict()
        # When Redis may be asked, on the same clock; it is away since its last answer, or not.
        self._ask_at = -math.inf
        self._is_away = False

    async def admit(self, connection: HTTPConnection, find: Callable[[], Awaitable[Caller]]) -> Caller:
        """Whom `find` finds, unless they come too often. Raises `TooFast`, and what `find` raises.

        Nothing is looked up for an address that came too often without a valid token, but for a token that was valid
        here before: so neither can a token be guessed fast, nor neighbours be locked out who are at work. One of an
        issuer is read all the same: they are new every few minutes, and nobody guesses a signature.
        """
        address, shown = _address_of(connection), _fingerprint(connection)
        known = self._known.get(shown)
        if known is None and not self._is_signed(connection):
            self._check(address)
        rate = None if connection.url.path in _UNCOUNTED else self._of_tokens
        try:
            if known is None:
                caller = await find()
                wait = await self._wait(rate, TOKEN, _key_of(caller))
            else:
                caller, wait = await asyncio.gather(find(), self._wait(rate, TOKEN, known))
        except NotAuthenticated:
            self._known.pop(shown, None)
            await self._failed(address)
            raise
        _remember(self._known, shown, _key_of(caller))
        if rate is not None and wait is not None:
            self._metrics.refused_for_rate(TOKEN)
            hint = "Ask less often: `?wait=` and the WebSockets tell of changes, and lists have many in one answer."
            raise _too_fast("This token", rate, TOKEN, wait, hint=hint)
        return caller

    async def standing(self, caller: Caller) -> Rate | None:
        """How the token of this caller stands; None if it may ask as often as it likes."""
        rate = self._of_tokens
        if rate is None:
            return None
        left: int | None = None
        if asyncio.get_running_loop().time() >= self._ask_at:
            try:
                with heeding_cancellation():
                    async with asyncio.timeout(ANSWER_WITHIN):
                        left = (await self._limiter.get_window_stats(rate, TOKEN, _key_of(caller))).remaining
            except AWAY as error:
                self._lose(error)
        return Rate(rate.amount, rate.get_expiry(), left)

    def _is_signed(self, connection: HTTPConnection) -> bool:
        """Whether what is shown is one of an issuer, if there is one."""
        return self._has_issuer and is_jwt(connection.headers.get("authorization", "").partition(" ")[2].strip())

    def _check(self, address: str) -> None:
        """Raises `TooFast` for an address that is shut out."""
        until = self._shut_out.get(address)
        if until is None or self._of_addresses is None:
            return
        left = until - asyncio.get_running_loop().time()
        if left > 0:
            raise self._shut(left)
        del self._shut_out[address]

    async def _failed(self, address: str) -> None:
        """Somebody came from there without a valid token. Raises `TooFast` if that was once too often."""
        self._check(address)
        wait = await self._wait(self._of_addresses, ADDRESS, address)
        if wait is not None:
            _remember(self._shut_out, address, asyncio.get_running_loop().time() + wait)
            raise self._shut(wait)

    def _shut(self, wait: float) -> TooFast:
        assert self._of_addresses is not None  # noqa: S101 - or nobody is shut out
        self._metrics.refused_for_rate(ADDRESS)
        hint = "Check the token. Others at this address that were valid here lately still are."
        return _too_fast("This address without a valid token", self._of_addresses, ADDRESS, wait, hint=hint)

    async def _wait(self, rate: RateLimitItem | None, kind: str, key: str) -> float | None:
        """Count one more. After how many seconds it may come, if that was one too many; None if it may now."""
        if rate is None:
            return None
        now = asyncio.get_running_loop().time()
        if now < self._ask_at:
            self._metrics.let_through_unchecked()
            return None
        if self._is_away:
            # One is enough to find out.
            self._ask_at = now + ASK_AGAIN_AFTER
        try:
            with heeding_cancellation():
                async with asyncio.timeout(ANSWER_WITHIN):
                    wait = await self._count(rate, kind, key)
        except AWAY as error:
            self._lose(error)
            self._metrics.let_through_unchecked()
            return None
        self._find()
        return wait

    async def _count(self, rate: RateLimitItem, kind: str, key: str) -> float | None:
        if await self._limiter.hit(rate, kind, key):
            return None
        stats = await self._limiter.get_window_stats(rate, kind, key)
        return max(0.0, stats.reset_time - time.time())

    def _lose(self, error: BaseException) -> None:
        self._ask_at = asyncio.get_running_loop().time() + ASK_AGAIN_AFTER
        if not self._is_away:
            self._is_away = True
            log.warning("rates.unchecked", error=repr(error))

    def _find(self) -> None:
        if self._is_away:
            self._is_away, self._ask_at = False, -math.inf
            log.info("rates.checked_again")


def _too_fast(who: str, rate: RateLimitItem, kind: str, wait: float, *, hint: str) -> TooFast:
    seconds = rate.get_expiry()
    return TooFast(
        f"{who} may ask {rate.amount} times in {seconds} seconds, and has.",
        hint=hint,
        after=max(1, math.ceil(wait)),
        policy=f'"{kind}";q={rate.amount};w={seconds}',
        kind=kind,
    )


def _key_of(caller: Caller) -> str:
    """Who has no token of ours counts by name."""
    return str(caller.token_id or caller.owner)


def _address_of(connection: HTTPConnection) -> str:
    """Of the client. Who has IPv6 has a whole network of addresses, which counts as one."""
    host = connection.client.host if connection.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host[:100]
    if isinstance(address, IPv6Address):
        # To who listens at `::` all of IPv4 is one such network.
        return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
    return str(address)


def _fingerprint(connection: HTTPConnection) -> bytes:
    """Of what is shown: of the credentials themselves nothing is kept. Cookies are looked at only without a token."""
    shown = connection.headers.get("authorization") or connection.headers.get("cookie", "")
    return blake2b(shown.encode("latin-1", "replace"), digest_size=16).digest()


def _remember(kept: OrderedDict[K, V], what: K, value: V) -> None:
    """The newest, and no more of them than there is room for."""
    kept[what] = value
    kept.move_to_end(what)
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
