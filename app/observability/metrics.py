"""What the API counts and measures. Every metric of it is declared here; docs/observability.md lists them all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.executions.model import Event
from app.executions.states import ACTIVE
from app.observability.fleet import Fleet, FleetReader, PoolState
from app.observability.registry import LATENCIES, count_ends, gauge_policy, new_registry
from app.policy.file import PolicyFile

# Methods are the client's words: what is not one of these is "other", or anybody could fill our memory with labels.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
T = TypeVar("T")


class ApiMetrics:
    """The metrics of one API process. Methods are named by what happened."""

    def __init__(self) -> None:
        self.registry = registry = new_registry()
        self._requests = Counter(
            "tailrace_http_requests_total", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self._answers = Histogram(
            "tailrace_http_answer_seconds",
            "From a request to the beginning of its answer",
            ["method", "route"],
            buckets=LATENCIES,
            registry=registry,
        )
        self._tails = Gauge("tailrace_open_tails", "Logs being followed", ["over"], registry=registry)
        for over in ("websocket", "http"):
            self._tails.labels(over)
        self._feeds = Gauge("tailrace_open_event_sockets", "Sockets that follow all executions", registry=registry)
        self._submissions = Counter(
            "tailrace_submissions_total", "Submissions accepted", ["pool", "replayed"], registry=registry
        )
        self._refused = Counter(
            "tailrace_rate_limited_total", "Requests refused since too many came", ["by"], registry=registry
        )
        self._unchecked = Counter(
            "tailrace_rate_unchecked_total", "Requests let in uncounted since Redis was away", registry=registry
        )
        self._ended = count_ends(registry)
        self._policy = gauge_policy(registry)
        self._gauges = _FleetGauges(registry)
        self._fleet = FleetReader()

    def answered(self, method: str, route: str, status: int, *, after: float) -> None:
        """An answer began, so many seconds after its request came."""
        method = method if method in _METHODS else OTHER
        self._requests.labels(method, route, str(status)).inc()
        self._answers.labels(method, route).observe(after)

    def tailing(self, over: str = "websocket") -> AbstractContextManager[None]:
        """Somebody follows a log for as long as the block lasts."""
        return self._tails.labels(over).track_inprogress()

    async def tailed(self, items: AsyncIterator[T]) -> AsyncIterator[T]:
        """The same, while somebody follows them by a plain request."""
        with self.tailing("http"):
            async for item in items:
                yield item

    def following_events(self) -> AbstractContextManager[None]:
        """Somebody follows all executions for as long as the block lasts."""
        return self._feeds.track_inprogress()

    def submitted(self, pool: str, *, replayed: bool, number: int = 1) -> None:
        """An execution, or so many at once, was accepted; or, `replayed`, the same one again."""
        self._submissions.labels(pool, "yes" if replayed else "no").inc(number)

    def watch(self, policy: PolicyFile) -> None:
        """Look at it at every scrape."""
        self._policy.set_function(lambda: float(policy.is_old))

    def refused_for_rate(self, by: str) -> None:
        """A token, or an address without a valid one, came too often."""
        self._refused.labels(by).inc()

    def let_through_unchecked(self) -> None:
        """Nobody could say whether somebody came too often."""
        self._unchecked.inc()

    def moved(self, event: Event | None) -> None:
        """A status was changed here, if it was: perhaps to the end, without a worker."""
        if event is not None and event.moves and event.cause is not None:
            self._ended.labels(event.cause.value).inc()

    async def expose(self, database: AsyncEngine) -> bytes:
        """All of it as text, with the fleet as it stands now."""
        self._gauges.show(await self._fleet.read(database))
        return generate_latest(self.registry)


class _FleetGauges:
    """What the database knows of all pools, as it was when somebody last asked."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"tailrace_{name}", meaning, ["pool", *labels], registry=registry)

        self._executions = gauge("executions", "Executions that have not ended", "status")
        self._oldest = gauge("queue_oldest_seconds", "How long the oldest execution that may start has waited")
        self._workers = gauge("workers", "Workers that have not signed off", "state")
        self._lease_age = gauge("lease_age_seconds", "The longest silence of a worker that is present")
        self._slots = gauge("slots", "Slots of the workers that are present", "state")

    def show(self, fleet: Fleet) -> None:
        """Nothing of what they said before remains: pools go too."""
        for gauge in (self._executions, self._oldest, self._workers, self._lease_age, self._slots):
            gauge.clear()
        for pool, state in fleet.items():
            self._show(pool, state)

    def _show(self, pool: str, state: PoolState) -> None:
        for status in ACTIVE:
            self._executions.labels(pool, status.value).set(state.executions.get(status, 0))
        self._oldest.labels(pool).set(state.oldest_seconds)
        self._workers.labels(pool, "present").set(state.present)
        self._workers.labels(pool, "lost").set(state.lost)
        self._lease_age.labels(pool).set(state.lease_age)
        self._slots.labels(pool, "busy").set(state.busy)
        self._slots.labels(pool, "free").set(state.free)
