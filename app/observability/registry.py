"""What the metrics of all kinds of process have in common. There is no global registry: each makes its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, disable_created_metrics

from app.executions.states import Cause

# Seconds. From what a person does not notice to what a supervisor gives up at.
LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


def new_registry() -> CollectorRegistry:
    """A registry of one process, with the process's own memory, time and open files in it."""
    # They double the series, and nobody asks when a counter was made.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


def gauge_policy(registry: CollectorRegistry) -> Gauge:
    """Whether it is an old one that holds."""
    meaning = "Whether the policy's file cannot be read, and what it said before holds"
    return Gauge("tailrace_policy_old", meaning, registry=registry)


def count_ends(registry: CollectorRegistry) -> Counter:
    """The one metric that all have: what is canceled in the queue ends in the API, everything else at a worker."""
    ended = Counter("tailrace_executions_ended_total", "Executions that ended here", ["cause"], registry=registry)
    for cause in Cause:
        ended.labels(cause.value)  # zero is worth knowing: a rate needs a beginning
    return ended
