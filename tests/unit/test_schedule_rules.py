"""When rules fire: cron where clocks are changed, the grid of intervals, jitter, and what is due after a while."""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise, takewhile
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.schedules.model import Overlap, Rule
from app.schedules.rules import ON_TIME, due, due_time, firings, newest, next_firing, upcoming

SCHEDULE = UUID("019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44")
# With a change at night, at midnight, by half an hour, and without any.
ZONES = ["Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

zones = st.sampled_from(ZONES)
times = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
minutes = st.sampled_from(["0", "30", "*/20", "15,45", "*", "10-12", "59"])
hours = st.sampled_from(["0", "1", "2", "3", "*/2", "2,3", "1-3", "23", "*"])
days = st.sampled_from(["* * *", "*/2 * *", "* * SUN", "29 3 *", "1 * MON"])


@cache
def changes(zone: str) -> list[datetime]:
    """The hours of 2026 in which the clocks of the zone are changed."""
    start, info = datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo(zone)
    hours = [start + timedelta(hours=hour) for hour in range(366 * 24)]
    return [
        now for then, now in pairwise(hours) if then.astimezone(info).utcoffset() != now.astimezone(info).utcoffset()
    ]


near_changes = st.sampled_from([change for zone in ZONES for change in changes(zone)]).flatmap(
    lambda change: st.integers(-48 * 60, 12 * 60).map(lambda minutes: change + timedelta(minutes=minutes))
)


def debian(cron: str, zone: str, after: datetime, *, days: int) -> list[datetime]:
    """What cron does in the days around, by trying every minute of them: as it would in a zone without changes, but for
    what is shown twice or never.
    """
    info, until = ZoneInfo(zone), after + days * DAY
    grid = [after - DAY + MINUTE * number for number in range((days + 2) * 24 * 60)]
    shown = {at: at.astimezone(info).replace(tzinfo=None) for at in grid}
    first, last = shown[grid[0]], shown[grid[-1]]
    without_changes = firings(Rule(cron=cron), first.replace(tzinfo=UTC) - MINUTE)
    plain = {at.replace(tzinfo=None) for at in takewhile(lambda at: at <= last.replace(tzinfo=UTC), without_changes)}
    if any(field.startswith("*") for field in cron.split()[:2]):
        found = {at for at, local in shown.items() if local in plain}
    else:
        # The first time that is shown so, or else the first that is shown later.
        found = {next(at for at, local in shown.items() if local >= wanted) for wanted in plain}
    return sorted(at for at in found if after < at < until)


@given(cron=st.builds("{} {} {}".format, minutes, hours, days), zone=zones, after=st.one_of(near_changes, times))
def test_firings_are_in_order_and_each_look_finds_the_same(cron: str, zone: str, after: datetime) -> None:
    rule = Rule(cron=cron, time_zone=zone)
    found = upcoming(rule, after, most=12)
    assert all(earlier < later for earlier, later in pairwise([after, *found]))
    for earlier, later in pairwise(found):
        assert next_firing(rule, earlier) == later
        assert next_firing(rule, later - timedelta(seconds=1)) == later


FIXED = ["30 2 * * *", "0 2 * * *", "0,30 1-3 * * *", "15 2,3 * * SUN", "0 0 * * *", "30 0 * * *", "45 1 * * *"]
WILD = ["*/20 * * * *", "30 * * * *", "*/15 2 * * *", "0 */2 * * *", "* 1-3 * * *"]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "America/Santiago"])
@pytest.mark.parametrize("cron", [*FIXED, *WILD])
def test_it_does_what_cron_does_where_clocks_are_changed(cron: str, zone: str) -> None:
    for change in changes(zone):
        expected = debian(cron, zone, change - DAY, days=2)
        assert upcoming(Rule(cron=cron, time_zone=zone), change - DAY, most=len(expected)) == expected


def test_an_hour_that_is_left_out_and_one_that_comes_twice() -> None:
    daily = Rule(cron="30 2 * * *", time_zone="Europe/Berlin")
    spring, autumn = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
    assert upcoming(daily, spring, most=2) == [spring.replace(hour=1), spring.replace(day=30, minute=30)]
    assert upcoming(daily, autumn, most=2) == [autumn.replace(minute=30), autumn.replace(day=26, hour=1, minute=30)]
    hourly = Rule(cron="30 * * * *", time_zone="Europe/Berlin")
    assert [at.hour for at in upcoming(hourly, autumn, most=4)] == [0, 1, 2, 3]


def test_names_and_aliases() -> None:
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    assert next_firing(Rule(cron="0 6 * * mon-FRI"), monday) == monday.replace(hour=6)
    assert next_firing(Rule(cron="@Daily"), monday) == monday + DAY
    assert next_firing(Rule(cron="0 0 1 JAN *"), monday) == datetime(2027, 1, 1, tzinfo=UTC)


@given(every=st.integers(1, 400_000), data=st.data(), after=times)
def test_intervals_are_aligned_to_the_grid_of_the_epoch(every: int, data: st.DataObject, after: datetime) -> None:
    offset = data.draw(st.integers(0, every - 1))
    found = upcoming(Rule(every=every, offset=offset), after, most=3)
    assert [at.timestamp() % every for at in found] == [offset] * 3
    assert timedelta() < found[0] - after <= timedelta(seconds=every)
    assert found[2] - found[0] == timedelta(seconds=2 * every)


@given(
    rule=st.one_of(
        st.builds(lambda every: Rule(every=every), st.integers(600, 200_000)),
        st.builds(lambda hour, zone: Rule(cron=f"30 {hour} * * *", time_zone=zone), hours, zones),
    ),
    after=times,
    steps=st.integers(0, 30),
    most=st.integers(1, 5),
)
def test_the_newest_are_the_last_of_all(rule: Rule, after: datetime, steps: int, most: int) -> None:
    found = upcoming(rule, after, most=steps + 2)
    first, until = found[0], found[steps] + (found[steps + 1] - found[steps]) / 2
    assert newest(rule, first, until, most=most) == found[: steps + 1][-most:]


def test_it_fires_from_its_start_and_not_at_its_end() -> None:
    start = datetime(2026, 11, 23, 6, tzinfo=UTC)
    rule = Rule(every=3600, start=start, end=start + timedelta(hours=2))
    assert upcoming(rule, start - DAY, most=9) == [start, start + timedelta(hours=1)]
    assert next_firing(rule, start + timedelta(hours=1)) is None


@given(jitter=st.integers(1, 3600), every=st.integers(1, 7200), after=times)
def test_jitter_is_bounded_and_each_firing_has_its_own(jitter: int, every: int, after: datetime) -> None:
    rule = Rule(every=every, jitter=jitter)
    at = upcoming(rule, after, most=20)
    delays = [due_time(rule, SCHEDULE, each) - each for each in at]
    assert delays == [due_time(rule, SCHEDULE, each) - each for each in at]
    assert all(timedelta() <= delay < timedelta(seconds=min(jitter, every)) for delay in delays)
    assert len(set(delays)) > 1
    assert delays != [due_time(rule, UUID(int=1), each) - each for each in at]


TEN = Rule(every=600)
START = datetime(2026, 11, 23, 6, tzinfo=UTC)


def after_start(*minutes: float) -> list[datetime]:
    return [START + timedelta(minutes=each) for each in minutes]


@pytest.mark.parametrize(
    ("minutes", "catch_up", "made", "missed"),
    [
        (-1, 1, None, False),
        (0, 0, 0, False),
        (1, 0, 0, False),
        (2, 0, None, True),
        (2, 1, 0, False),
        (9, 1, 0, False),
        (10, 0, 10, True),
        (29, 1, 20, True),
        (29, 2, 10, True),
        (29, 3, 0, False),
        (29, 9, 0, False),
        (60 * 24 * 365, 1, 60 * 24 * 365, True),
    ],
)
def test_what_is_made_up_after_a_while(minutes: float, catch_up: int, made: float | None, *, missed: bool) -> None:
    (now,) = after_start(minutes)
    what = due(TEN, SCHEDULE, START, now, catch_up=catch_up)
    assert (what.fire, what.missed) == (None if made is None else after_start(made)[0], missed)


def test_who_waits_is_not_late_and_who_replaces_needs_only_the_newest() -> None:
    (now,) = after_start(29)
    assert due(TEN, SCHEDULE, START, now, catch_up=0, waiting=True).fire == after_start(20)[0]
    assert due(TEN, SCHEDULE, START, now, catch_up=3, overlap=Overlap.REPLACE).fire == after_start(20)[0]
    assert due(TEN, SCHEDULE, START, now, catch_up=3, overlap=Overlap.QUEUE).fire == START


@given(
    jitter=st.integers(0, 600),
    seconds=st.integers(0, 6000),
    catch_up=st.integers(0, 5),
    overlap=st.sampled_from(Overlap),
    waiting=st.booleans(),
)
def test_nothing_is_made_before_its_time(
    jitter: int, seconds: int, catch_up: int, overlap: Overlap, *, waiting: bool
) -> None:
    rule, now = Rule(every=600, jitter=jitter), START + timedelta(seconds=seconds)
    what = due(rule, SCHEDULE, START, now, catch_up=catch_up, overlap=overlap, waiting=waiting)
    if what.fire is not None:
        assert due_time(rule, SCHEDULE, what.fire) <= now
        behind = [at for at in upcoming(rule, what.fire, most=20) if due_time(rule, SCHEDULE, at) <= now]
        assert len(behind) < max(catch_up, 1)
        assert what.missed == (what.fire > START)
    elif what.missed:
        assert catch_up == 0
        assert now > due_time(rule, SCHEDULE, START) + timedelta(seconds=ON_TIME)


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({}, "cron"),
        ({"cron": "@daily", "every": 60}, "every"),
        ({"cron": "@reboot"}, "cron"),
        ({"cron": "* * * * * *"}, "cron"),
        ({"cron": "60 * * * *"}, "cron"),
        ({"cron": "@daily", "time_zone": "Middle/Earth"}, "time_zone"),
        ({"cron": "@daily", "time_zone": "../../etc/passwd"}, "time_zone"),
        ({"cron": "@daily", "time_zone": "right/Europe/Berlin"}, "time_zone"),
        ({"cron": "@daily", "time_zone": "posix/Europe/Berlin"}, "time_zone"),
        ({"cron": "@daily", "offset": 1}, "offset"),
        ({"every": 60, "offset": 60}, "offset"),
        ({"every": 60, "time_zone": "Europe/Berlin"}, "time_zone"),
        ({"every": 0}, "every"),
        ({"every": 60, "jitter": 3601}, "jitter"),
        ({"every": 60, "start": "2026-01-02T00:00:00Z", "end": "2026-01-02T00:00:00Z"}, "end"),
        ({"every": 60, "start": "2026-01-02T00:00:00"}, "start"),
        ({"every": 60, "colour": "red"}, "colour"),
    ],
)
def test_what_is_no_rule_is_told_by_its_field(fields: dict[str, object], at: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Rule.model_validate(fields)
    (error,) = refused.value.errors()
    assert at in {error.get("ctx", {}).get("at"), *error["loc"]}


def test_a_rule_is_read_where_its_time_zone_is_not_known() -> None:
    assert Rule.read({"cron": "@daily", "time_zone": "Middle/Earth", "newer": 1}).time_zone == "Middle/Earth"
