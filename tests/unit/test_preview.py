"""What can be shown of a file, whatever is in it."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.artifacts.preview import HEAD_BYTES, JSON_BYTES, MAX_LINES, PAGE_BYTES, Preview, needed, preview
from app.artifacts.table_head import CELL_CHARS, MAX_COLUMNS, MAX_ROWS, read_head

FIGURE = {"data": [{"type": "bar", "x": ["a"], "y": [1]}], "layout": {"title": "t"}}
TYPES = ["text/plain", "text/csv", "text/tab-separated-values", "application/json", "text/html", "image/png", "a/b"]


def shown(content: bytes, media_type: str, *, size: int | None = None) -> Preview:
    whole = len(content) if size is None else size
    return preview(content[: needed(media_type, whole)], media_type=media_type, size=whole)


@pytest.mark.parametrize(
    ("content", "media_type", "kind"),
    [
        (b"hello\n", "text/plain", "text"),
        (b"", "text/plain", "text"),
        ("\ufeffü".encode(), "text/plain; charset=utf-8", "text"),
        (b"#!/bin/sh\n", "application/octet-stream", "text"),
        (b"a\0b", "text/plain", "binary"),
        (b"\xff\xfe\xfd", "text/plain", "binary"),
        (b"a,b\n1,2\n", "text/csv", "table"),
        (b"", "text/csv", "text"),
        (b"{}", "application/json", "json"),
        (b"[1, 2]", "application/geo+json", "json"),
        (b"{", "application/json", "text"),
        (b'{"a": NaN}', "application/json", "text"),
        (orjson.dumps(FIGURE), "application/json", "plotly"),
        (orjson.dumps(FIGURE), "application/vnd.plotly.v1+json", "plotly"),
        (b'{"data": [], "layout": {}}', "application/json", "plotly"),
        (b'{"data": [1], "layout": {}}', "application/json", "json"),
        (b'{"data": [{"x": 1}], "layout": {}, "other": 1}', "application/json", "json"),
        (b"<p>", "text/html", "html"),
        (b"\x89PNG", "image/png", "image"),
        (b"<svg/>", "image/svg+xml", "image"),
        (b"%PDF\0", "application/pdf", "binary"),
    ],
)
def test_each_kind_is_known(content: bytes, media_type: str, kind: str) -> None:
    assert shown(content, media_type).kind == kind


def test_of_a_large_file_only_a_part_is_read_and_said_so() -> None:
    assert needed("text/plain", 10**12) == HEAD_BYTES
    assert needed("application/json", JSON_BYTES) == JSON_BYTES
    assert needed("application/json", JSON_BYTES + 1) == HEAD_BYTES
    assert needed("image/png", 10**12) == 0
    assert (needed("text/html", PAGE_BYTES), needed("text/html", PAGE_BYTES + 1)) == (0, HEAD_BYTES)
    many = shown(b"x\n" * (MAX_LINES + 1), "text/plain")
    assert (many.cut, (many.text or "").count("\n")) == (True, MAX_LINES)
    no_json = shown(b"[" * JSON_BYTES, "application/json")
    assert (no_json.kind, no_json.cut, len(no_json.text or "")) == ("text", True, HEAD_BYTES)
    # The last character is cut in two.
    split = shown(b"a" + "ü".encode() * HEAD_BYTES, "text/plain")
    assert (split.kind, split.cut, (split.text or "")[-1]) == ("text", True, "ü")
    assert shown(b'{"a": 1}' + b" " * JSON_BYTES, "application/json").kind == "text"


def test_a_table_has_types() -> None:
    head = read_head("id;x;ok;on;at;name\n1;1.5;true;2026-01-02;2026-01-02T03:04:05Z;ann\n2;NA;False;;;007\n")
    assert head is not None
    assert head.columns == [
        ("id", "integer"), ("x", "number"), ("ok", "boolean"), ("on", "date"), ("at", "datetime"), ("name", "string"),
    ]  # fmt: skip
    assert head.rows == [
        [1, 1.5, True, "2026-01-02", "2026-01-02T03:04:05Z", "ann"],
        [2, None, False, None, None, "007"],
    ]
    assert not head.cut


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("1,2\n3,4\n", ["column_1", "column_2"], [[1, 2], [3, 4]]),
        ("a,b\n1\n1,2,3\n", ["a", "b", "column_3"], [[1, None, None], [1, 2, 3]]),
        ('a,b\n"x, y",1\n', ["a", "b"], [["x, y", 1]]),
        ("a|b\nx|1\n", ["a", "b"], [["x", 1]]),
        ("a,a\n1,2\n", ["column_1", "column_2"], [["a", "a"], ["1", "2"]]),
        ("only\nx\n", ["only"], [["x"]]),
        ("a,b\n007,12345678901234567890\n", ["a", "b"], [[7.0, 12345678901234567000.0]]),
        ("a,b\nx\x1cy\u2028z,1\n", ["a", "b"], [["x\x1cy\u2028z", 1]]),
    ],
)
def test_tables_as_they_come(text: str, columns: list[str], rows: list[list[object]]) -> None:
    head = read_head(text)
    assert head is not None
    assert [name for name, _ in head.columns] == columns
    assert head.rows == rows


def test_a_table_is_bounded_in_every_direction() -> None:
    head = read_head("\n".join(",".join(["1"] * (MAX_COLUMNS + 5)) for _ in range(MAX_ROWS + 5)))
    assert head is not None
    assert (len(head.columns), len(head.rows), head.cut) == (MAX_COLUMNS, MAX_ROWS, True)
    long = read_head("a,b\n" + "x" * 5000 + ",1\n")
    assert long is not None
    assert (len(long.rows[0][0]), long.cut) == (CELL_CHARS, True)
    assert read_head('a,b\n"' + "x" * 200_000) is None


@given(st.text(max_size=200), st.booleans())
def test_any_text_is_a_table_of_one_width_or_none(text: str, tabs: bool) -> None:  # noqa: FBT001
    head = read_head(text, tabs=tabs)
    assert head is None or {len(row) for row in head.rows} <= {len(head.columns)}
    orjson.dumps(head.rows if head else None, option=orjson.OPT_NAIVE_UTC)


@given(st.binary(max_size=300), st.sampled_from(TYPES), st.integers(0, 10))
def test_nothing_breaks_a_preview(content: bytes, media_type: str, beyond: int) -> None:
    found = preview(content, media_type=media_type, size=len(content) + beyond)
    assert found.cut or not beyond or found.kind in {"image", "html"}
