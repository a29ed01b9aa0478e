"""The list of executions: filters, sort and pages."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tailrace.testing.execution import Execution
from tailrace.testing.problems import Wrong, invalid
from tailrace.testing.shapes import identifier, time, whole
from tailrace.testing.states import CAUSES, MOVES

MOST = 200
_PAIR = re.compile(r"((?:\\[=\\]|[^=])*)(?:=(.*))?", re.DOTALL)
_TIMES = ("created_after", "created_before", "finished_after", "finished_before")
_IDS = ("batch", "rerun_of", "resumed_from", "schedule")
_SORTS = ("created", "finished", "duration", "-created", "-finished", "-duration")
_KNOWN = frozenset(
    {"status", "cause", "owner", "pool", "method", "source", "label", "q", "image", "min_duration", "max_duration",
     "has_warnings", "archived", "sort", "limit", "cursor", *_TIMES, *_IDS}
)  # fmt: skip
_OF_LABEL = re.compile(r"\\([=\\])")
Test = Callable[[Execution], bool]


def page(executions: Sequence[Execution], query: Mapping[str, list[str]]) -> dict[str, Any]:
    """One page, as the API shows it. Raises `Problem` naming every parameter that is wrong."""
    wrong: list[Wrong] = []
    tests = _tests(query, wrong)
    sort = query.get("sort", ["-created"])[-1]
    if sort not in _SORTS:
        wrong.append(Wrong("sort", "enum", "must be 'created', '-created', 'finished', '-finished' and the like"))
    limit = page_limit(query, wrong)
    asked = hashlib.blake2b(
        json.dumps({name: query[name] for name in sorted(query) if name not in {"cursor", "limit"}}).encode(),
        digest_size=9,
    ).hexdigest()
    after = _place(query["cursor"][-1], asked, wrong) if "cursor" in query else None
    if wrong:
        raise invalid(wrong)
    found = [each for each in executions if all(test(each) for test in tests)]
    ordered = _sorted(found, sort)
    begin = next((index + 1 for index, each in enumerate(ordered) if each.id == after), 0) if after else 0
    shown = ordered[begin : begin + limit]
    more = begin + limit < len(ordered)
    cursor = base64.urlsafe_b64encode(json.dumps([asked, shown[-1].id]).encode()).decode().rstrip("=") if more else None
    return {"items": [each.record() for each in shown], "next": cursor}


def page_limit(query: Mapping[str, list[str]], wrong: list[Wrong], *, default: int = 50) -> int:
    """How many a page has."""
    said = query.get("limit", [str(default)])[-1]
    if not said.isdigit():
        wrong.append(Wrong("limit", "int_parsing", "must be a whole number"))
        return default
    whole(1, MOST)(int(said), "limit", wrong)
    return int(said)


def _place(cursor: str, asked: str, wrong: list[Wrong]) -> str | None:
    try:
        made_for, last = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError):
        message = "is not a cursor of this list: use the `next` of a page, unchanged"
        wrong.append(Wrong("cursor", "bad_cursor", message))
        return None
    if made_for != asked:
        message = "is of a list with other filters or another sort: begin anew without it"
        wrong.append(Wrong("cursor", "other_cursor", message))
    return str(last)


def _sorted(executions: list[Execution], sort: str) -> list[Execution]:
    by, backwards = sort.removeprefix("-"), sort.startswith("-")
    if by == "finished":
        executions = [each for each in executions if each.finished_at]
    if by == "duration":
        executions = [each for each in executions if each.started_at and each.finished_at]
    keys: dict[str, Callable[[Execution], Any]] = {
        "created": lambda each: each.id,
        "finished": lambda each: (each.finished_at, each.id),
        "duration": lambda each: (_duration(each), each.id),
    }
    return sorted(executions, key=keys[by], reverse=backwards)


def _duration(execution: Execution) -> float:
    start = execution.started_at
    return ((execution.finished_at or execution.now()) - start).total_seconds() if start else -1.0


def _tests(query: Mapping[str, list[str]], wrong: list[Wrong]) -> list[Test]:
    wrong += [Wrong(name, "extra_forbidden", "is not a known field") for name in query if name not in _KNOWN]
    tests: list[Test] = [
        *_choices(query, wrong),
        *_moments(query, wrong),
        *(_id_test(name, query[name][-1], wrong) for name in _IDS if name in query),
        *map(_label_test, query.get("label", [])),
    ]
    if "q" in query:
        tests.append(_words(query["q"][-1]))
    if "image" in query:
        image = query["image"][-1]
        tests.append(
            lambda each: each.spec["image"].startswith(image[:-1]) if image[-1:] == "*" else each.spec["image"] == image
        )
    if "min_duration" in query:
        least = float(query["min_duration"][-1])
        tests.append(lambda each: each.started_at is not None and _duration(each) >= least)
    if "max_duration" in query:
        most = float(query["max_duration"][-1])
        tests.append(lambda each: each.started_at is not None and _duration(each) <= most)
    if "has_warnings" in query:
        wanted = query["has_warnings"][-1] == "true"
        tests.append(lambda each: bool(each.warnings) is wanted)
    archived = query.get("archived", ["false"])[-1]
    if archived != "any":
        tests.append(lambda each: (each.archived_at is not None) is (archived == "true"))
    return tests


def _choices(query: Mapping[str, list[str]], wrong: list[Wrong]) -> list[Test]:
    """Filters of which any value will do."""
    for name, known in (("status", list(MOVES)), ("cause", list(CAUSES))):
        for index, value in enumerate(query.get(name, [])):
            if value not in known:
                *first, last = (f"'{choice}'" for choice in known)
                wrong.append(Wrong(f"{name}[{index}]", "enum", f"must be {', '.join(first)} or {last}"))
    reads: Mapping[str, Callable[[Execution], set[str]]] = {
        "status": lambda each: {each.status},
        "cause": lambda each: {each.cause or ""},
        "owner": lambda each: {each.owner},
        "pool": lambda each: {each.spec["pool"]},
        "source": lambda _: {"api"},
        "method": lambda each: (
            {each.method["name"], f"{each.method['name']}@{each.method['version']}"} if each.method else set()
        ),
    }
    return [
        lambda each, read=read, wanted=set(query[name]): bool(read(each) & wanted)  # type: ignore[misc]
        for name, read in reads.items()
        if name in query
    ]


def _moments(query: Mapping[str, list[str]], wrong: list[Wrong]) -> list[Test]:
    tests: list[Test] = []
    for name in _TIMES:
        if name not in query:
            continue
        bound = time(re.sub(r" (?=\d\d:\d\d$)", "+", query[name][-1]), name, wrong)
        which, _, way = name.rpartition("_")

        def test(each: Execution, bound: datetime = bound, field: str = f"{which}_at", way: str = way) -> bool:
            at = getattr(each, field)
            return at is not None and (at >= bound if way == "after" else at < bound)

        tests.append(test)
    return tests


def _id_test(name: str, value: str, wrong: list[Wrong]) -> Test:
    wanted = identifier(value, name, wrong)
    if name == "batch":
        return lambda each: each.batch is not None and each.batch.id == wanted
    return lambda each: getattr(each, name, None) == wanted


def _label_test(pair: str) -> Test:
    found = _PAIR.fullmatch(pair)
    key = _OF_LABEL.sub(r"\1", found[1]) if found else pair
    value = found[2] if found else None
    return lambda each: key in each.spec["labels"] and value in {None, each.spec["labels"][key]}


def _words(text: str) -> Test:
    wanted = re.findall(r"\w+", text.lower())

    def test(each: Execution) -> bool:
        labels = [part for pair in each.spec["labels"].items() for part in pair]
        said = " ".join([each.spec["name"] or "", each.spec["note"] or "", *labels]).lower()
        words = re.findall(r"\w+", said)
        return each.id.startswith(text.lower()) or all(any(word.startswith(part) for word in words) for part in wanted)

    return test
