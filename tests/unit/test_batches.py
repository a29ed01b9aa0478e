"""The pure parts of batches: how items are made, how statuses become one, and who may need whom."""

import json
import re
from itertools import combinations as subsets
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.batches.matrix import combinations, count_combinations
from app.batches.model import BatchStatus, status_of
from app.batches.needs import Link, check_needs, find_cycle
from app.batches.outputs import folder_name
from app.batches.requests import BatchSubmission
from app.executions.states import ACTIVE, TERMINAL, Status
from app.merging import merged, says

PAGE = Path(__file__).parents[2] / "docs" / "batches.md"
KEYS = st.sampled_from("abcdefg")
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("defaults", "item", "expected"),
    [
        ({"image": "a"}, {}, {"image": "a"}),
        ({"image": "a"}, {"image": "b", "name": "n"}, {"image": "b", "name": "n"}),
        ({"env": {"A": "1", "B": "2"}}, {"env": {"B": "3"}}, {"env": {"A": "1", "B": "3"}}),
        ({"env": {"A": "1", "B": "2"}}, {"env": {"A": None}}, {"env": {"B": "2"}}),
        ({"command": ["a", "b"]}, {"command": ["c"]}, {"command": ["c"]}),
        ({"name": "a", "note": "b"}, {"name": None}, {"note": "b"}),
        ({"inputs": {"x": {"y": 1}}}, {"inputs": {"x": {"z": 2}}}, {"inputs": {"x": {"y": 1, "z": 2}}}),
    ],
)
def test_an_item_is_a_merge_patch_on_the_defaults(
    defaults: dict[str, Any], item: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert merged(defaults, item) == expected


@given(JSON, JSON)
def test_merging_changes_neither_and_again_changes_nothing(value: Any, patch: Any) -> None:
    before = repr((value, patch))
    once = merged(value, patch)
    assert merged(once, patch) == once
    assert repr((value, patch)) == before


@pytest.mark.parametrize(
    ("field", "own"),
    [
        ("limits.memory", True),
        ("limits.timeout", False),
        ("command[0]", True),
        ("image", False),
        ("env", True),
        ("env.A", False),
        ("files.a.csv.url", True),
        ("files.a.url", False),
    ],
)
def test_whose_a_field_is(field: str, *, own: bool) -> None:
    patch = {"limits": {"memory": "x"}, "command": [], "env": {}, "files": {"a.csv": {"url": "x"}, "b.csv": {}}}
    assert says(patch, field) is own


@given(
    st.dictionaries(
        st.sampled_from(["inputs", "env"]),
        st.dictionaries(KEYS, st.lists(st.integers(), min_size=1, max_size=3), max_size=3),
    )
)
def test_a_matrix_has_each_combination_once_and_in_order(matrix: dict[str, dict[str, list[int]]]) -> None:
    # Values that differ, so that a combination that came twice would be seen.
    distinct = {
        field: {name: list(enumerate(values)) for name, values in names.items()} for field, names in matrix.items()
    }
    found = [repr(item) for item in combinations(distinct)]
    assert len(found) == len(set(found)) == count_combinations(distinct, most=10**6)


def test_the_last_name_of_a_matrix_changes_fastest() -> None:
    found = [item["inputs"] for item in combinations({"inputs": {"a": [1, 2], "b": "xy"}})]
    assert found == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}]


ALL_SETS = [set(chosen) for size in range(1, len(Status) + 1) for chosen in subsets(sorted(Status), size)]


def test_the_table_of_the_rule_is_what_the_code_does() -> None:
    rows = _rows("| status | children that have not ended | children that have ended |")
    for seen in ALL_SETS:
        fitting = [
            status for status, active, ended in rows if _fits(active, seen & ACTIVE) and _fits(ended, seen & TERMINAL)
        ]
        assert fitting, seen
        assert status_of(dict.fromkeys(seen, 2)) == fitting[0], seen
    assert {status for status, _, _ in rows} == set(BatchStatus)


def _fits(cell: str, seen: set[Status]) -> bool:
    named = {Status(name) for name in re.findall(r"`(\w+)`", cell)}
    match cell.split(" ", maxsplit=1)[0]:
        case "any":
            return True
        case "none":
            return not seen
        case "some":
            return bool(seen & named) if named else bool(seen)
        case "all":
            return seen == named
    raise AssertionError(cell)


def _rows(header: str) -> list[list[str]]:
    lines = iter(PAGE.read_text().splitlines())
    assert header in lines
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        status, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows.append([status.strip("`"), *cells])
    return rows


def test_a_status_that_nobody_is_in_does_not_count() -> None:
    assert status_of({Status.SUCCEEDED: 3, Status.FAILED: 0, Status.RUNNING: 0}) is BatchStatus.SUCCEEDED


@given(st.dictionaries(KEYS, st.lists(KEYS, max_size=4, unique=True)))
def test_a_ring_is_found_exactly_where_there_is_one(needs: dict[str, list[str]]) -> None:
    ring = find_cycle(needs)
    if ring is None:
        assert _can_be_ordered(needs)
    else:
        assert ring[0] == ring[-1]
        assert all(after in needs[before] for before, after in pairwise(ring))
        assert len(set(ring)) == len(ring) - 1


def _can_be_ordered(needs: dict[str, list[str]]) -> bool:
    """By taking away, again and again, those that need nothing that is left."""
    left = set(needs)
    while free := {key for key in left if not left & set(needs[key])}:
        left -= free
    return not left


def test_a_chain_as_long_as_a_batch_has_no_ring() -> None:
    chain = {str(number): [str(number + 1)] for number in range(10_000)}
    assert find_cycle(chain) is None
    assert len(find_cycle({**chain, "10000": ["0"]}) or []) == 10_002


def test_who_needs_what_is_no_child_is_told() -> None:
    links = [
        Link("items[0]", "a", ("b", "x")),
        Link("items[1]", "b", ()),
        Link("items[2]", "b", ()),
        Link("items[3]", None, ("y",)),
    ]
    assert [(wrong.field, wrong.code) for wrong in check_needs(links)] == [
        ("items[2].key", "same_key"),
        ("items[0].needs[1]", "unknown_key"),
        ("items[3].needs[0]", "unknown_key"),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (None, "3"),
        ("train", "3-train"),
        ("../../etc", "3-.._.._etc"),
        ("a\\b:c\x1b", "3-a_b_c_"),
        ("x" * 300, "3-" + "x" * 100),
    ],
)
def test_a_directory_of_a_zip_is_safe_to_unpack(name: str | None, expected: str) -> None:
    assert folder_name(3, name) == expected


def test_every_field_of_a_submission_of_many_is_described() -> None:
    described = {name for names, *_ in _rows("| field | default | meaning |") for name in re.findall(r"\w+", names)}
    assert described == set(BatchSubmission.model_fields)


@pytest.mark.parametrize(
    "body",
    [
        {"method": "train@1.0.0", "inputs": {"key": "confided"}},
        {"count": 1, "defaults": {"method": "train@1.0.0", "inputs": {"key": "confided"}}},
        {"items": [{"image": "a:1", "secrets": {"KEY": "confided"}}]},
        {"count": 1, "defaults": {"image": "a:1", "webhooks": [{"url": "https://a.example", "secret": "confided"}]}},
    ],
)
def test_whatever_is_confided_makes_it_another_request(body: dict[str, Any]) -> None:
    confided = BatchSubmission.model_validate(body).confided()
    assert "confided" in str(confided)
    other = json.dumps(body).replace("confided", "another")
    assert confided != BatchSubmission.model_validate_json(other).confided()
