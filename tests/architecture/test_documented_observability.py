"""docs/observability.md has every metric and every event of our own log, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics import MetricWrapperBase

from app.observability.metrics import ApiMetrics
from worker.metrics import WorkerMetrics

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "observability.md").read_text()
SOURCES = sorted(path for root in ("app", "worker") for path in (REPOSITORY / root).rglob("*.py"))
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
EVENT = re.compile(r"[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)+")

Metrics = dict[str, tuple[str, str]]


def rows(section: str, until: str | None = None) -> Iterator[list[str]]:
    """The cells of every row of the tables between two headings."""
    _, _, rest = PAGE.partition(f"\n{section}\n")
    text, found, _ = rest.partition(f"\n{until}\n")
    assert text, f"there is no {section}"
    assert found or until is None, f"there is no {until} after it"
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            yield cells


def documented_metrics(section: str, until: str) -> Metrics:
    """Type and labels by name, as the page has them."""
    return {
        name: (kind, labels)
        for names, kind, labels, _ in rows(section, until)
        for name in re.findall(r"`(\w+)`", names)
    }


def registered_metrics(registry: CollectorRegistry) -> Metrics:
    """The same as the code has them, but for those of the process."""
    found: Metrics = {}
    for collector in registry._collector_to_names:
        if isinstance(collector, MetricWrapperBase):
            name = collector._name + ("_total" if collector._type == "counter" else "")
            found[name] = (collector._type, ", ".join(collector._labelnames))
    return found


def process_metrics() -> Metrics:
    families = ProcessCollector(registry=CollectorRegistry()).collect()
    return {family.name + ("_total" if family.type == "counter" else ""): (family.type, "") for family in families}


@pytest.mark.parametrize(
    ("section", "until", "code"),
    [
        ("### Of the API", "### Of a worker", lambda: registered_metrics(ApiMetrics().registry)),
        ("### Of a worker", "### Of both", lambda: registered_metrics(WorkerMetrics().registry)),
        ("### Of both", "## Our log", process_metrics),
    ],
    ids=["api", "worker", "both"],
)
def test_the_page_has_every_metric_and_no_other(section: str, until: str, code: object) -> None:
    assert callable(code)
    assert documented_metrics(section, until) == code()


def test_every_metric_of_our_own_begins_with_our_name_and_says_what_it_is() -> None:
    for registry in (ApiMetrics().registry, WorkerMetrics().registry):
        for collector in registry._collector_to_names:
            if isinstance(collector, MetricWrapperBase):
                assert re.fullmatch(r"tailrace(_[a-z]+)+", collector._name)
                assert re.fullmatch(r"[A-Z][^.]+", collector._documentation), collector._documentation


def calls() -> Iterator[tuple[Path, ast.Call, str]]:
    """Every call of our loggers, with its level."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level)) if level in LEVELS:
                    yield path, node, "error" if level == "exception" else level


def test_events_have_constant_names_and_values_have_keys() -> None:
    for path, call, _ in calls():
        where = f"{path.relative_to(REPOSITORY)}:{call.lineno}"
        (name,) = call.args
        assert isinstance(name, ast.Constant), where
        assert EVENT.fullmatch(str(name.value)), where
        assert all(keyword.arg is not None for keyword in call.keywords), where
        assert not any(isinstance(keyword.value, ast.JoinedStr) for keyword in call.keywords), where


def test_every_logger_has_the_same_name() -> None:
    """So that what is above finds every call."""
    for path in SOURCES:
        source = path.read_text()
        assert source.count("get_logger(") == source.count("\nlog = structlog.get_logger(__name__)\n"), path


def test_the_page_has_every_event_with_its_level_and_no_other() -> None:
    documented: dict[str, str] = {}
    for names, level, _ in rows("## Our log"):
        for name in re.findall(r"`([\w.]+)`", names):
            assert documented.setdefault(name, level) == level, f"{name} is there twice"
    in_code = {(ast.literal_eval(call.args[0]), level) for _, call, level in calls()}
    assert set(documented.items()) == in_code
