"""What readers may write into a URL."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidRequest
from app.logs.download import takes_gzip
from app.logs.levels import Level
from app.logs.protocol import LogStream
from app.logs.query import LogQuery, TailQuery

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOON = round(NOW.timestamp() * 1000)


@pytest.mark.parametrize(
    ("since", "unix_ms"),
    [
        ("2026-11-21T12:00:00Z", NOON),
        ("2026-11-21T12:00:00.250Z", NOON + 250),
        ("2026-11-21T14:00:00+02:00", NOON),
        ("2026-11-21T14:00:00 02:00", NOON),
        ("2026-11-21T14:00:00.5 02:00", NOON + 500),
        ("2026-11-21T14:00:00-02:00", NOON + 4 * 3_600_000),
        ("2026-11-21T12:00:00", NOON),
        ("2026-11-21 12:00", NOON),
        ("2026-11-21", NOON - 12 * 3_600_000),
        (f"{NOON // 1000}", NOON),
        (f"{NOON // 1000}.614", NOON + 614),
        ("0", 0),
        ("10m", NOON - 600_000),
        ("2h30m", NOON - 9_000_000),
        ("1.5h", NOON - 5_400_000),
        ("1d2h3m4s5ms", NOON - 93_784_005),
    ],
)
def test_times_can_be_said_in_many_ways(since: str, unix_ms: int) -> None:
    assert TailQuery.of({"since": since}).selection(NOW).since == unix_ms


@pytest.mark.parametrize(
    "since",
    ["yesterday", "-5m", "m", "10 m", "1h 30m", "10M", "5y", "1e3", "--1", "2026-02-30", "24:00", "inf", "nan",
     "9" * 13, "9999999999d", "\x00", "²"],
)  # fmt: skip
def test_what_is_no_time_is_refused(since: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        TailQuery.of({"since": since})
    assert [error.field for error in refused.value.fields] == ["since"]


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas(timedelta(0), timedelta(days=10_000)))
def test_any_time_can_be_said(at: datetime, ago: timedelta) -> None:
    said = TailQuery.of({"since": at.isoformat()}).selection(NOW).since
    assert said == round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    seconds = ago // timedelta(seconds=1)
    assert TailQuery.of({"since": f"{seconds}s"}).selection(NOW).since == NOON - seconds * 1000


@given(st.dictionaries(st.sampled_from([*LogQuery.model_fields, "other"]), st.text(max_size=8)))
def test_any_question_is_understood_or_refused_by_its_fields(parameters: dict[str, str]) -> None:
    try:
        LogQuery.of(parameters).selection(NOW)
    except InvalidRequest as error:
        named = {field.field for field in error.fields}
    else:
        named = set()
    assert named <= parameters.keys()
    assert ("other" in named) is ("other" in parameters)


def test_defaults() -> None:
    assert TailQuery.of({}).streams == set(LogStream)
    assert LogQuery.of({}).streams == {LogStream.STDOUT, LogStream.STDERR}
    assert TailQuery.of({}).selection(NOW).is_everything
    assert TailQuery.of({"after": "7", "streams": "system, stdout,stderr"}).selection(NOW).is_everything
    assert not TailQuery.of({"streams": "stdout,stderr"}).selection(NOW).is_everything


@pytest.mark.parametrize(("word", "level"), [("warn", Level.WARN), ("WARNING", Level.WARN), ("critical", Level.FATAL)])
def test_a_level_may_be_called_as_programs_call_it(word: str, level: Level) -> None:
    assert TailQuery.of({"level": word}).selection(NOW).level is level


def test_the_socket_takes_only_what_makes_sense_there() -> None:
    with pytest.raises(InvalidRequest) as refused:
        TailQuery.of({"before": "1", "limit": "1", "until": "1h", "format": "text", "follow": "true"})
    assert {error.field for error in refused.value.fields} == {"before", "limit", "until", "format", "follow"}


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("br, gzip;q=0.5", True),
        ("x-gzip", True),
        ("gzip; q=0", False),
        ("gzip;q=0.000", False),
        ("br", False),
        ("", False),
        ("*", False),
    ],
)
def test_who_takes_gzip(accepted: str, *, taken: bool) -> None:
    assert takes_gzip(accepted) is taken
