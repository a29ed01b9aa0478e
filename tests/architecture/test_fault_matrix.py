"""The fault matrix has every row, and what it says is tested is tested."""

import re
from pathlib import Path

import pytest

from app.crash_points import CrashPoint

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
ROW = re.compile(r"^\| (F\d+) \|(?P<fault>[^|]+)\|(?P<promise>[^|]+)\|(?P<tests>[^|]*)\|$", re.MULTILINE)
TEST = re.compile(r"`(test_\w+)`")

ROWS = {row[1]: row for row in ROW.finditer(PAGE.read_text())}
TESTS = {
    name: path
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
}


def test_every_row_is_there_in_order() -> None:
    assert list(ROWS) == [f"F{number}" for number in range(1, 39)]


@pytest.mark.parametrize("row", ROWS)
def test_a_row_names_tests_that_exist(row: str) -> None:
    named = TEST.findall(ROWS[row]["tests"])
    assert named
    assert set(named) <= TESTS.keys()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests" / "faults").glob("test_faults_*.py")), ids=lambda path: path.stem
)
def test_a_test_of_a_fault_is_named_in_the_row_that_it_says(path: Path) -> None:
    for name, docstring in re.findall(r'def (test_\w+)\([^"]*"""([^"]*)"""', path.read_text()):
        rows = re.findall(r"\bF\d+\b", docstring.partition(":")[0])
        assert rows, f"{name} does not say which row it tests"
        assert all(name in TEST.findall(ROWS[row]["tests"]) for row in rows), f"{rows} do not name {name}"


def test_every_crash_point_is_passed_somewhere() -> None:
    sources = "".join(path.read_text() for root in ("app", "worker") for path in (ROOT / root).rglob("*.py"))
    passed = set(re.findall(r"CrashPoint\.([A-Z_]+)", sources))
    assert passed == {point.name for point in CrashPoint}
