"""When a rule fires, and what is due by it. Pure; all times are aware, and given and taken in UTC.

Where the clocks of a time zone are changed, a rule does what cron does on Debian. One that names its hours and minutes
fires once for each of them: what falls into the hour that is left out fires right after it, what falls into the hour
that comes twice fires the first time. One whose minutes or hours begin with `*` goes by the clock as it is shown: the
hour that is left out has no firings, and that which comes twice has them twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import islice, takewhile
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim

from app.schedules.model import ALIASES, Overlap, Rule

# A firing that is found so late, in seconds, was missed.
ON_TIME = 60.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def firings(rule: Rule, after: datetime) -> Iterator[datetime]:
    """All firings later than that, the next one first."""
    if rule.start is not None:
        after = max(after, rule.start - _TICK)
    found = _of_cron(rule.cron, rule.time_zone, after) if rule.cron else _of_grid(rule.every or 1, rule.offset, after)
    end = rule.end
    return found if end is None else takewhile(lambda at: at < end, found)


def next_firing(rule: Rule, after: datetime) -> datetime | None:
    """The first firing later than that; None if there is none."""
    return next(firings(rule, after), None)


def upcoming(rule: Rule, after: datetime, *, most: int) -> list[datetime]:
    """The next so many."""
    return list(islice(firings(rule, after), most))


def newest(rule: Rule, first: datetime, until: datetime, *, most: int) -> list[datetime]:
    """Of the firings from `first` to `until`, both included, the last so many, in their order."""
    window = timedelta(seconds=rule.every or 60) * most
    while True:
        begin = max(first, until - window)
        found = list(takewhile(lambda at: at <= until, firings(rule, begin - _TICK)))
        if len(found) >= most or begin == first:
            return found[-most:] if most else []
        window *= 2


def due_time(rule: Rule, schedule: UUID, at: datetime) -> datetime:
    """When this firing is made: later by a jitter that is its own, but before the one that follows."""
    if not rule.jitter:
        return at
    following = next_firing(rule, at)
    span = rule.jitter if following is None else min(rule.jitter, (following - at).total_seconds())
    drawn = int.from_bytes(blake2b(schedule.bytes + at.isoformat().encode(), digest_size=8).digest())
    return at + timedelta(milliseconds=int(drawn % 2**32 / 2**32 * span * 1000))


@dataclass(frozen=True, slots=True)
class Due:
    """What is due: the firing to make, if any, and whether earlier ones were missed."""

    fire: datetime | None
    missed: bool


def due(
    rule: Rule,
    schedule: UUID,
    first: datetime,
    now: datetime,
    *,
    catch_up: int,
    overlap: Overlap = Overlap.ALLOW,
    waiting: bool = False,
) -> Due:
    """What to do at this moment, of the firings from `first` on.

    Of all that have come due the newest is made if it is on time, or was when it began to wait; and of the others so
    many that all together are `catch_up`, the oldest first. Who replaces what was before has no use for older ones.
    """
    # Of the newest one its own time may not have come.
    came = [at for at in newest(rule, first, now, most=catch_up + 2) if due_time(rule, schedule, at) <= now]
    if not came:
        return Due(None, missed=False)
    late = (now - due_time(rule, schedule, came[-1])).total_seconds()
    most = max(catch_up, int(waiting or late <= ON_TIME))
    if overlap is Overlap.REPLACE:
        most = min(most, 1)
    made = came[-most:] if most else []
    return Due(made[0] if made else None, missed=not made or made[0] > first)


def _of_grid(every: int, offset: int, after: datetime) -> Iterator[datetime]:
    step, begin = timedelta(seconds=every), _EPOCH + timedelta(seconds=offset)
    at = begin + ((after - begin) // step + 1) * step
    while True:
        yield at
        at += step


def _of_cron(cron: str, time_zone: str, after: datetime) -> Iterator[datetime]:
    """Until there is none for fifty years."""
    zone = UTC if time_zone == "UTC" else ZoneInfo(time_zone)
    last = after
    for local in CronSim(ALIASES.get(cron.strip().lower(), cron), after.astimezone(zone)):
        at = local.astimezone(UTC)
        # In an hour that comes twice it begins with the first time.
        if at > last:
            yield at
            last = at
