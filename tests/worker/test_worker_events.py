import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.cutting import cuts, split
from worker.masking import Masks
from worker.program_events import (
    LINE_BYTES,
    MAX_WARNINGS,
    PHASE_LENGTH,
    READ_BYTES,
    RESULT_BYTES,
    WARNING_LENGTH,
    EventsFile,
    Heard,
    Said,
    without_secrets,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
event_names = st.sampled_from(["checkpoints", "progress", "phase", "warning", "result", "other"])
event_lines = st.one_of(
    st.dictionaries(event_names, json_values, max_size=4).map(lambda event: _json(event) + b"\n"),
    st.binary(max_size=30),
    st.sampled_from([b"\n", b"{", b"[]\n", b"\0\n", b'{"progress": 1e999}\n', b'{"result": "\\ud800"}\n']),
)
contents = st.lists(event_lines, max_size=8).map(b"".join)
# Hypothesis runs many examples within one test: the file of each begins empty.
within_one_test = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def _json(event: Any) -> bytes:
    try:
        return orjson.dumps(event)
    except TypeError:  # integers beyond 64 bits
        return repr(event).encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "events"
    file.touch()
    return file


@pytest.fixture
def events(path: Path) -> Iterator[EventsFile]:
    file = EventsFile(path)
    yield file
    file.close()


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def heard_out(file: EventsFile) -> Said:
    """Everything that is new: a look takes only so much at a time."""
    said = file.read()
    while said.more:
        more = file.read()
        warnings = [*(said.warnings or []), *(more.warnings or [])] or None
        if not more.has_result:
            more.has_result, more.result = said.has_result, said.result
        said = more
        said.warnings = warnings
    return said


def heard_in(path: Path, *pieces: bytes) -> list[Said]:
    """What is heard when the pieces are written one after the other into an empty file."""
    path.write_bytes(b"")
    file = EventsFile(path)
    try:
        said = []
        for piece in pieces:
            append(path, piece)
            said.append(file.read())
        return said
    finally:
        file.close()


def warnings_in(said: list[Said]) -> list[str]:
    return [warning for each in said for warning in each.warnings or []]


def test_what_a_program_says_is_heard_once(path: Path, events: EventsFile) -> None:
    append(path, b'{"checkpoints": true}\n{"progress": 40, "phase": "fit"}\n{"warning": "low"}\n{"result": {"k": 3}}\n')
    said = events.read()
    assert said.announced
    assert (said.progressed, said.percent, said.phase) == (True, 40, "fit")
    assert (said.has_result, said.result) == (True, {"k": 3})
    assert said.warnings == ["low"]
    assert not events.read()


def test_the_latest_progress_and_result_of_a_look_win(path: Path, events: EventsFile) -> None:
    append(path, b'{"progress": 1, "phase": "a"}\n{"result": 1}\n{"progress": 2.9}\n{"result": null}\n')
    said = events.read()
    assert (said.percent, said.phase) == (2, "a")
    assert (said.has_result, said.result) == (True, None)


def test_several_looks_may_become_one(path: Path, events: EventsFile) -> None:
    append(path, b'{"progress": 10, "phase": "a"}\n{"warning": "one"}\n')
    said = events.read()
    append(path, b'{"progress": 20}\n{"warning": "two"}\n{"checkpoints": true}\n')
    together = events.read(said)
    assert (together.percent, together.phase, together.warnings, together.announced) == (20, "a", ["one", "two"], True)


def test_a_line_is_heard_when_it_is_whole(path: Path, events: EventsFile) -> None:
    append(path, b'{"progress"')
    assert not events.read()
    append(path, b": 7}\n")
    assert events.read().percent == 7


@within_one_test
@given(contents, cuts)
@example(b'{"warning": ' + b"[" * 1010 + b"]" * 1010 + b"}\n", [])
@example(b'{"result": ' + b"[" * 1010 + b"]" * 1010 + b"}\n", [])
@example(b'{"result": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}\n", [])
@example(b'{"result": 123456789012345678901234567890}\n', [])
@example(b'{"progress": [], "phase": 3, "warning": {"a": [1]}, "checkpoints": "true"}\n', [])
def test_anything_in_the_file_is_survived_however_it_arrives(path: Path, content: bytes, at: list[int]) -> None:
    for said in heard_in(path, *split(content, at)):
        assert said.percent is None or 0 <= said.percent <= 100
        assert said.phase is None or (len(said.phase) <= PHASE_LENGTH and "\0" not in said.phase)
        assert all(len(warning) <= WARNING_LENGTH and "\0" not in warning for warning in said.warnings or [])
        # What the record takes: JSON, without what Postgres cannot hold.
        assert b"\\u0000" not in orjson.dumps([said.result, said.phase, said.warnings])


def last_in(heard: list[Said], name: str) -> list[object]:
    """What was said last of this, if anything; a result may be null."""
    values = [getattr(said, name) for said in heard if said.has_result or name != "result"]
    return [value for value in values if value is not None or name == "result"][-1:]


@within_one_test
@given(contents, cuts)
def test_any_split_of_the_file_is_heard_as_the_same(path: Path, content: bytes, at: list[int]) -> None:
    whole, pieces = heard_in(path, content), heard_in(path, *split(content, at))
    assert warnings_in(pieces) == warnings_in(whole)
    assert any(said.announced for said in pieces) == any(said.announced for said in whole)
    for name in ("percent", "phase", "result"):
        assert repr(last_in(pieces, name)) == repr(last_in(whole, name))


@within_one_test
@given(contents, st.integers(0, 8), st.integers(0, 300))
def test_whoever_goes_on_hears_the_rest_and_nothing_twice(path: Path, content: bytes, lines: int, beyond: int) -> None:
    """A worker that takes over starts behind the last whole line that the one before it had heard."""
    complete = b"".join(content.splitlines(keepends=True)[:lines])
    seen = content[: len(complete) + beyond]
    path.write_bytes(seen)
    first = EventsFile(path)
    said = [first.read()]
    heard = first.heard
    first.close()
    append(path, content[len(seen) :])
    second = EventsFile(path, heard)
    said.append(second.read())
    second.close()
    assert warnings_in(said) == warnings_in(heard_in(path, content))


def test_a_bad_line_is_told_by_its_number_and_never_by_its_text(path: Path, events: EventsFile) -> None:
    append(path, b'\nsecret\n{"progress": "secret"}\n["secret"]\n\xffsecret\n"secret"\n{"warning": ["secret"]}\n')
    warnings = events.read().warnings
    assert warnings == [
        "line 2 of events is not JSON",
        "the progress in line 3 of events is not a number from 0 to 100",
        "line 4 of events is not a JSON object",
        "line 5 of events is not JSON",
        "line 6 of events is not a JSON object",
        "the warning in line 7 of events is not text",
    ]


@pytest.mark.parametrize("value", ["-1", "100.5", "true", "null", '"50"', "[]", "1e999"])
def test_progress_is_a_number_from_0_to_100(path: Path, events: EventsFile, value: str) -> None:
    append(path, f'{{"progress": {value}}}\n'.encode())
    said = heard_out(events)
    assert not said.progressed
    assert len(said.warnings or []) == 1


def test_a_line_that_is_far_too_long_is_left_out_and_the_next_one_heard(path: Path, events: EventsFile) -> None:
    append(path, b'{"result": "' + b"x" * (LINE_BYTES * 2) + b'"}\n{"progress": 5}\n')
    said = [events.read()]
    while said[-1].more:
        said.append(events.read())
    assert warnings_in(said) == ["line 1 of events is too long"]
    assert said[-1].percent == 5
    assert not any(each.has_result for each in said)


def test_a_line_just_over_the_limit_is_left_out(path: Path, events: EventsFile) -> None:
    append(path, b'{"warning": "' + b"x" * LINE_BYTES + b'"}\n')
    assert heard_out(events).warnings == ["line 1 of events is too long"]


def test_a_flood_is_read_a_piece_at_a_time(path: Path, events: EventsFile) -> None:
    line = b'{"progress": 1}\n'
    append(path, line * (READ_BYTES // len(line) + 1) + b'{"progress": 2}\n')
    first = events.read()
    assert (first.percent, first.more) == (1, True)
    second = events.read()
    assert (second.percent, second.more) == (2, False)


@pytest.mark.parametrize("size", [RESULT_BYTES - 2, RESULT_BYTES - 1])
def test_a_result_is_kept_up_to_its_limit(path: Path, events: EventsFile, size: int) -> None:
    append(path, orjson.dumps({"result": "x" * size}) + b"\n")
    said = heard_out(events)
    fits = len(orjson.dumps("x" * size)) <= RESULT_BYTES
    assert said.has_result is fits
    assert bool(said.warnings) is not fits


@pytest.mark.parametrize(
    "result",
    [r'"a\u0000b"', r'{"a\u0000": 1}', r'[["\u0000"]]', "[" * 300 + "]" * 300, '{"a":' * 260 + "1" + "}" * 260],
)
def test_a_result_that_no_record_can_hold_is_a_warning(path: Path, events: EventsFile, result: str) -> None:
    append(path, f'{{"result": {result}}}\n'.encode())
    said = heard_out(events)
    assert not said.has_result
    assert len(said.warnings or []) == 1


def test_a_backslash_before_u0000_is_no_nul(path: Path, events: EventsFile) -> None:
    append(path, rb'{"result": "\\u0000"}' + b"\n")
    assert heard_out(events).result == r"\u0000"


def test_nul_in_a_warning_or_a_phase_becomes_visible(path: Path, events: EventsFile) -> None:
    append(path, rb'{"warning": "a\u0000b"}' + b"\n" + rb'{"progress": 1, "phase": "c\u0000"}' + b"\n")
    said = heard_out(events)
    assert said.warnings == ["a\ufffdb"]
    assert said.phase == "c\ufffd"


def test_warnings_beyond_the_limit_are_counted_as_one(path: Path, events: EventsFile) -> None:
    append(path, b'{"warning": "w"}\n' * (MAX_WARNINGS + 50))
    append(path, b"not JSON\n" * 50)
    warnings = heard_out(events).warnings or []
    assert warnings[:MAX_WARNINGS] == ["w"] * MAX_WARNINGS
    assert warnings[MAX_WARNINGS:] == ["there were more warnings; they are not kept"]


def test_how_far_it_was_heard_is_the_last_whole_line(path: Path, events: EventsFile) -> None:
    append(path, b'{"progress": 1}\n{"prog')
    events.read()
    assert events.heard == Heard(16, 1)


def test_a_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text('{"progress": 1}\n')
    (tmp_path / "events").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic links"):
        EventsFile(tmp_path / "events")


@pytest.mark.parametrize("kind", ["fifo", "directory", "device"])
def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "events"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case _:
            path = Path("/dev/null")
    with pytest.raises(OSError, match="not a regular file"):
        EventsFile(path)


def test_refusing_a_file_leaves_nothing_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(OSError, match="not a regular file"):
            EventsFile(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


SECRETS = ["correct horse", '{"a":"key of json"}', "12345678"]


def hide(text: str) -> str:
    masks = Masks.of(SECRETS)
    assert masks is not None
    return masks.hide(text.encode()).decode()


@pytest.mark.parametrize(
    ("result", "hidden"),
    [
        ({"k": [1, None, "correct battery"]}, {"k": [1, None, "correct battery"]}),
        ({"a correct horse": ["correct horse", 7]}, {"a ***": ["***", 7]}),
        # Where it is more than a part of a text, nothing is left of the result.
        ({"number": 12345678}, "***"),
        ({"a": "key of json"}, "***"),
    ],
)
def test_no_secret_comes_on_the_record_by_what_the_program_says(result: Any, hidden: Any) -> None:
    cut_off = ("x" * WARNING_LENGTH + "correct horse")[8:][:WARNING_LENGTH]
    said = Said(phase="with correct horse", has_result=True, result=result, warnings=["correct horse!", "low", cut_off])
    shown = without_secrets(said, hide)
    assert (shown.phase, shown.result) == ("with ***", hidden)
    assert shown.warnings == ["***!", "low", "x" * (WARNING_LENGTH - 8) + "***"]


def test_where_nobody_knows_the_secrets_only_numbers_are_kept() -> None:
    said = Said(announced=True, percent=7, progressed=True, phase="a", has_result=True, result=[1], warnings=["b"])
    shown = without_secrets(said, lambda _: "***")
    assert (shown.announced, shown.percent) == (True, 7)
    assert (shown.phase, shown.result, shown.warnings) == ("***", "***", ["***"])
