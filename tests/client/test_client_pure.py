"""What needs no server: configuration, records, status, documentation."""

import ast
import inspect
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

import tailrace
from app.__main__ import _configure
from app.executions.query import _label_of
from app.executions.requests import Submission
from app.executions.states import Status as ServerStatus
from app.settings import Settings
from app.version import VERSION
from support.running import REPOSITORY
from tailrace import ConfigError, Gap, Record, Status
from tailrace._aio.downloads import inside
from tailrace._config import configured
from tailrace._document import Document, moment
from tailrace._errors import TailraceError
from tailrace._html import shown
from tailrace._lines import gap
from tailrace._progress import Bar
from tailrace._retrying import asked_to_wait, delay
from tailrace._submission import Limits, Options, as_json
from tailrace._transport import IDLE, label

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def record(**fields: Any) -> Record:
    return Record({"id": "1", "created_at": NOW.isoformat(), "queued_at": NOW.isoformat(), **fields})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("TAILRACE_URL", "TAILRACE_TOKEN", "TAILRACE_TOKEN_FILE", "TAILRACE_PROFILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "config.toml"
    monkeypatch.setenv("TAILRACE_CONFIG", str(path))
    return path


def test_the_server_is_found_by_argument_variable_file_and_default(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert configured() == tailrace.Config("http://127.0.0.1:8700", None, "default", None)
    home.write_text('[default]\nurl = "https://a/"\ntoken = "ta"\n[b]\nurl = "https://b"\ntoken = "tb"\n')
    assert (configured().url, configured().token) == ("https://a", "ta")
    assert (configured(profile="b").url, configured(profile="b").token) == ("https://b", "tb")
    # A token is not sent where it does not belong.
    assert configured("https://elsewhere").token is None
    monkeypatch.setenv("TAILRACE_URL", "https://c")
    assert (configured().url, configured().token) == ("https://c", None)
    (home.parent / "token").write_text("tc\n")
    monkeypatch.setenv("TAILRACE_TOKEN_FILE", str(home.parent / "token"))
    assert configured().token == "tc"
    assert configured(profile="b").token == "tb"
    assert configured("https://d", "td") == tailrace.Config("https://d", "td", "argument", "argument")
    assert "td" not in repr(configured("https://d", "td"))
    for wrong in ({"profile": "none"}, {"url": "ftp://a"}, {"url": "http://a:99999"}, {"url": "http://"}):
        with pytest.raises(ConfigError):
            configured(**wrong)
    for token in ("trt_a b", "trt_a\nb", "trt_ä"):
        with pytest.raises(ConfigError) as refused:
            configured("https://d", token)
        assert token not in str(refused.value)
    home.write_text("[default")
    with pytest.raises(ConfigError):
        configured()


@pytest.mark.parametrize("status", [*ServerStatus, "something new"])
def test_every_status_answers_every_question(status: str) -> None:
    seen = Status(
        record(status=str(status), finished_at=NOW.isoformat() if status in tailrace._status.TERMINAL else None)
    )
    assert seen == str(status)
    assert [seen.waiting, seen.running, seen.paused, seen.completed, seen.unknown].count(True) == 1
    assert [seen.success, seen.failed, seen.canceled].count(True) == (1 if seen.completed else 0)
    assert seen.unknown is (status == "something new")
    assert seen.maybe_completed is (seen.completed or seen.unknown)
    for name, member in inspect.getmembers(Status, lambda value: isinstance(value, property)):
        assert member.__doc__, name
        getattr(seen, name)
    assert seen.duration >= 0
    assert seen.queue_time >= 0
    assert seen.run_time >= 0
    assert 0 <= seen.progress <= 1


def test_what_ended_in_an_unknown_way_has_ended() -> None:
    seen = Status(record(status="evaporated", finished_at=(NOW + timedelta(seconds=9)).isoformat(), message="Gone."))
    assert seen.completed
    assert seen.failed
    assert not seen.unknown
    assert (seen.duration, seen.stop_message) == (9.0, "Gone.")


def test_records_take_what_comes() -> None:
    seen = record(
        status="running", colour="red", exit_code="x", progress=3, started_at="soon", limits=None, log={"lines": 7}
    )
    assert seen.extra == {"colour": "red"}
    assert (seen.exit_code, seen.progress, seen.started_at, seen.limits) == (None, None, None, {})
    assert (seen.log.lines, seen.outputs.files, seen.name) == (7, 0, None)
    assert seen["colour"] == "red"
    assert json.loads(json.dumps(dict(seen)))["exit_code"] == "x"
    assert moment("2026-11-21T12:00:00Z") == NOW


def test_a_notebook_shows_names_as_text() -> None:
    seen = record(name="<script>", status="running", progress={"percent": 40, "phase": "<b>"})
    html = shown(seen)
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "&lt;b&gt;" in html
    assert 'value="40"' in html
    with Bar() as bar:
        bar.show(seen)


def test_a_gap_is_a_line_that_says_so() -> None:
    missing = gap({"type": "gap", "from": 3, "to": 5, "reason": "log_limit"})
    assert isinstance(missing, Gap)
    assert (missing.seq, missing.first, missing.last, missing.stream) == (5, 3, 5, "gap")
    assert str(missing) == "[3 lines are not kept: log_limit]"


@given(st.integers(1, 100))
def test_attempts_are_further_and_further_apart_and_never_in_step(attempt: int) -> None:
    assert 0 < delay(attempt) <= 5.0
    assert asked_to_wait({"retry-after": str(attempt)}) == attempt
    assert asked_to_wait({"retry-after": "soon"}) is None


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_label_is_understood_as_it_was_meant(key: str, value: str) -> None:
    assert _label_of(label(key, value)) == (key, value)
    assert _label_of(label(key, None)) == (key, None)


def test_what_json_does_not_have_is_written_as_it_would_be_or_refused(tmp_path: Path) -> None:
    class Number:
        """As those of NumPy."""

        def tolist(self) -> int:
            return 5

    given = {"n": Number(), "at": NOW, "path": tmp_path, "id": UUID(int=1), "several": {1}}
    assert as_json(given) == {
        "n": 5, "at": NOW.isoformat(), "path": str(tmp_path), "id": str(UUID(int=1)), "several": [1],
    }  # fmt: skip
    for wrong in (b"x", object()):
        with pytest.raises(TypeError, match="nothing that JSON has"):
            as_json({"a": [wrong]})


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", ".", "", "a\0b"])
def test_nothing_is_written_outside(path: str, tmp_path: Path) -> None:
    with pytest.raises(TailraceError):
        inside(tmp_path, path)


def test_what_can_be_submitted_is_what_the_api_takes() -> None:
    assert set(Options.__annotations__) == set(Submission.model_fields) - {"image", "command"}
    limits = Submission.model_fields["limits"].annotation
    assert set(Limits.__annotations__) == set(
        next(kind for kind in (limits, *get_args(limits)) if hasattr(kind, "model_fields")).model_fields
    )


def test_the_versions_are_one() -> None:
    assert tailrace.__version__ == VERSION
    assert f'version = "{VERSION}"' in (REPOSITORY / "sdk/client/pyproject.toml").read_text()


def test_everything_public_is_documented() -> None:
    """Classes, functions, methods and fields; a blocking method says what its twin says."""
    public = [getattr(tailrace, name) for name in tailrace.__all__ if name != "__version__"]
    bare = [item.__qualname__ for item in public if not (item.__doc__ or "").strip()]
    for kind in filter(inspect.isclass, public):
        members = chain.from_iterable(
            vars(base).items() for base in kind.__mro__ if base.__module__.startswith("tailrace")
        )
        bare += [
            f"{kind.__name__}.{name}"
            for name, member in members
            if not name.startswith("_") and (callable(member) or isinstance(member, property)) and not member.__doc__
        ]
        if issubclass(kind, Document):
            bare += [
                f"{kind.__name__}.{name}" for name in kind.known if not getattr(getattr(kind, name), "__doc__", None)
            ]
    assert not bare


def test_each_blocking_method_has_its_asynchronous_twin() -> None:
    for name in tailrace.__all__:
        twin = getattr(tailrace, f"Async{name}", None)
        if twin is None:
            continue
        blocking = {member for member in dir(getattr(tailrace, name)) if not member.startswith("_")}
        missing = (
            {member for member in dir(twin) if not member.startswith("_")}
            - blocking
            - {"kind", "path", "tells_changes", "looks_every", "sent_along"}
        )
        assert missing <= ({"update"} if name == "Tokens" else set()), name


def test_importing_it_costs_little_and_loads_nothing_large() -> None:
    large = ("httpx", "anyio", "websockets", "rich", "typer", "yaml")
    program = f"import sys, tailrace; print([name for name in {large} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_an_idle_connection_is_given_up_before_the_server_closes_it() -> None:
    assert _configure(FastAPI(), Settings()).timeout_keep_alive > IDLE


def test_it_is_written_for_python_3_10() -> None:
    for path in (REPOSITORY / "sdk/client/tailrace").rglob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 10))
