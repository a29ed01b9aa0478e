"""What a worker counts and measures. Every metric of it is declared here; docs/observability.md lists them all."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from prometheus_client import Counter, Gauge, Histogram

from app.executions.model import Event
from app.executions.states import Cause, Status, StopReason
from app.observability.registry import LATENCIES, count_ends, gauge_policy, new_registry
from app.policy.file import PolicyFile
from app.schedules.firing import Looked
from app.schedules.model import RunStatus, SkipReason
from worker.claims import Claim
from worker.engine.port import Inspection
from worker.free_disk import FreeDisk
from worker.ledger import Order
from worker.log_blocks import Batch

# Seconds that people wait, and seconds that programs run.
WAITS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
RUNS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
COMMITS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
BYTES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)


class WorkerMetrics:
    """The metrics of one worker process. Methods are named by what happened; times are seconds."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self._ended = count_ends(self.registry)
        self._attempts = self._counter("attempts", "Attempts that are over", "outcome", "cause")
        self._queue = self._histogram("queue", "From entering the queue, or the time set for it, to the claim", WAITS)
        self._pull = self._histogram("pull", "Pulling an image, however it ended", WAITS)
        self._start = self._histogram("start", "From the claim until the program runs", WAITS)
        self._run = self._histogram("run", "From the start of a program to its exit, by the engine's clock", RUNS)
        self._stop = self._histogram("stop", "From a request to stop until the exit of the program was seen", WAITS)
        self._adoptions = self._counter("adoptions", "Attempts taken over from another worker")
        self._failures = self._counter("own_failures", "Attempts taken over from ourselves, after an unforeseen error")
        self._fenced = self._counter("fenced_writes", "Writes refused because somebody had taken the attempt over")
        self._orphans = self._counter("orphans_removed", "What nobody had on record any more, removed", "kind")
        self._duties = self._histogram("reconciler", "Runs of a duty of the reconciler", LATENCIES, "duty")
        self._engine_errors = self._counter("engine_errors", "Requests in which the engine failed", "kind")
        self._webhook_tries = self._counter("webhook_tries", "Tries to deliver something to a webhook", "outcome")
        for outcome in ("delivered", "failed"):
            self._webhook_tries.labels(outcome)
        self._webhooks_waiting = Gauge(
            "tailrace_webhook_deliveries_waiting", "Deliveries that wait, told by who leads", registry=self.registry
        )
        self._webhooks_oldest = Gauge(
            "tailrace_webhook_oldest_seconds", "How long the oldest of them has waited", registry=self.registry
        )
        self._notifications = self._counter("notifications", "Notifications that a service was given", "outcome")
        for outcome in ("sent", "failed"):
            self._notifications.labels(outcome)
        self._firings = self._counter("schedule_firings", "What came of firings of schedules, by themselves", "result")
        for result in (RunStatus.FIRED, RunStatus.FAILED, *SkipReason):
            self._firings.labels(result.value)
        self._lateness = self._histogram("schedule_lateness", "From when a firing is due to what it has made", WAITS)
        self._arq_restarts = self._counter("arq_restarts", "Times the arq loop died and was started again")
        self._log_lag = self._histogram("log_lag", "From the oldest line of a commit to its being durable", LATENCIES)
        self._log_commits = self._histogram("log_commit", "Commits of log lines", COMMITS)
        self._log_bytes = Histogram(
            "tailrace_log_commit_bytes", "Frames written in a commit", buckets=BYTES, registry=self.registry
        )
        self._running = Gauge("tailrace_attempts_running", "Attempts being seen through here", registry=self.registry)
        self._free = Gauge(
            "tailrace_disk_free_bytes", "Free on the file system of the data directory", registry=self.registry
        )
        self._disk_low = Gauge(
            "tailrace_disk_low", "Whether that is too little, so that nothing new is started", registry=self.registry
        )
        self._policy = gauge_policy(self.registry)
        self._silence = Gauge(
            "tailrace_heartbeat_age_seconds", "Since the last heartbeat that the database took", registry=self.registry
        )

    def watch(self, *, attempts: Callable[[], float], silence: Callable[[], float], policy: PolicyFile) -> None:
        """Ask these at every scrape: how many attempts are seen through, and seconds since the last heartbeat."""
        self._policy.set_function(lambda: float(policy.is_old))
        self._running.set_function(attempts)
        self._silence.set_function(silence)

    def watch_disk(self, disk: FreeDisk) -> None:
        """Ask it at every scrape."""
        self._free.set_function(lambda: math.nan if disk.free is None else disk.free)
        self._disk_low.set_function(lambda: disk.message is not None)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"tailrace_{name}_total", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"tailrace_{name}_seconds", meaning, labels, buckets=buckets, registry=self.registry)

    def claimed(self, claim: Claim) -> None:
        """An execution left the queue."""
        queued_at, not_before = claim.record.queued_at, claim.record.not_before
        self._queue.observe((claim.event.at - max(queued_at, not_before or queued_at)).total_seconds())

    def pulling(self) -> AbstractContextManager[object]:
        """An image is being pulled for as long as the block lasts."""
        return self._pull.time()

    def started(self, *, after: float) -> None:
        """A program runs, so long after the claim."""
        self._start.observe(after)

    def exited(self, ended: Inspection, order: Order) -> None:
        """A program has exited; `order` is what was wanted of it by then."""
        if ended.started_at and ended.finished_at:
            self._run.observe(max(0.0, (ended.finished_at - ended.started_at).total_seconds()))
        if order.stop is not None and order.stop.reason is not StopReason.PAUSE:
            self._stop.observe(order.clock.since_stop_request)

    def concluded(self, cause: Cause, status: Status) -> None:
        """An attempt ended so, and the execution has this status now."""
        if status in {Status.QUEUED, Status.PAUSED}:
            self.retried(cause)
        else:
            self.ended(cause)

    def ended(self, cause: Cause) -> None:
        """An execution ended, with its last attempt."""
        self._ended.labels(cause.value).inc()
        self._attempts.labels("ended", cause.value).inc()

    def settled(self, event: Event) -> None:
        """One that was queued, or paused, ended for what became of others of its batch."""
        if event.moves and event.cause is not None:
            self._ended.labels(event.cause.value).inc()

    def retried(self, cause: Cause) -> None:
        """An attempt ended, and another one was allowed."""
        self._attempts.labels("retried", cause.value).inc()

    def given_back(self) -> None:
        """An attempt whose program never ran went back into the queue."""
        self._attempts.labels("given_back", "").inc()

    def adopted(self) -> None:
        """An attempt was taken over from another worker."""
        self._adoptions.inc()

    def taken_again(self) -> None:
        """An attempt was taken over from ourselves."""
        self._failures.inc()

    def fenced(self) -> None:
        """A write was refused: somebody else holds the lease."""
        self._fenced.inc()

    def orphan_removed(self, kind: str) -> None:
        """Something of ours was left that no record knows: a `container`, a `directory`, …"""
        self._orphans.labels(kind).inc()

    def reconciled(self, duty: str, seconds: float) -> None:
        """The leader of a duty went through it once."""
        self._duties.labels(duty).observe(seconds)

    def engine_failed(self, kind: str) -> None:
        """The engine did not do what it should: `unreachable`, or an answer that says that it failed itself."""
        self._engine_errors.labels(kind).inc()

    def webhook_tried(self, *, delivered: bool) -> None:
        """A delivery was sent, and arrived or not."""
        self._webhook_tries.labels("delivered" if delivered else "failed").inc()

    def notified(self, *, sent: bool) -> None:
        """A service was given a notification, and took it or not."""
        self._notifications.labels("sent" if sent else "failed").inc()

    def looked_at_schedule(self, looked: Looked) -> None:
        """What was due of a schedule was made, skipped, or failed."""
        for run in looked.runs:
            self._firings.labels((run.reason or run.status).value).inc()
        if looked.late is not None:
            self._lateness.observe(looked.late)

    def webhooks_wait(self, number: int, *, oldest: float) -> None:
        """So many deliveries wait, the oldest for so many seconds."""
        self._webhooks_waiting.set(number)
        self._webhooks_oldest.set(oldest)

    def arq_died(self) -> None:
        """The arq loop ended, and is started again."""
        self._arq_restarts.inc()

    def log_committed(self, batches: Sequence[Batch], *, within: float) -> None:
        """Lines of one or more executions are durable, in a commit that took so long."""
        if not batches:
            return  # all of it was refused
        self._log_commits.observe(within)
        self._log_bytes.observe(sum(len(chunk.frame or b"") for batch in batches for chunk in batch.chunks))
        now = time.time()
        for batch in batches:
            if batch.at_ms is not None:
                self._log_lag.observe(max(0.0, now - batch.at_ms / 1000))
