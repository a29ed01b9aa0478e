"""SQL of the list: a page of those executions that a filter takes, in one of several orders.

Of each choice of statuses, owners and pools a page is merged from *arms*, one per combination: each is the head of one
range of one index, so that a page costs the same however many executions there are.

A search cannot be that: an index of words knows no order. What many have is soon found by looking at the first few of
the list one by one; what few have, by the index. Which it is the first few tell, and no plan hangs on an estimate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial, reduce
from itertools import product
from math import prod
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Select,
    String,
    Subquery,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    union,
)
from sqlalchemy.dialects.postgresql import JSONB, TSQUERY

from app.db.engine import Connection
from app.executions.filters import Filter
from app.executions.record import Record, record_of, select_records
from app.executions.tables import Execution, ExecutionWords
from app.methods.model import Wanted

MAX_ARMS = 16
# A search looks at so many one by one, before it asks whether the words are rare; and at so many where they are not.
LOOKED_AT = 300
LOOKED_AT_MOST = 20_000
# If so many of the first have them, they are not.
FREQUENT = 2
RARE = 2_000
# An id has the time of the API's clock, `created_at` is the database's: those of one installation differ by less.
CLOCKS_DIFFER = timedelta(hours=1)
# So many digits of an id, and more, are looked for as its beginning.
_ID = re.compile(r"[0-9a-f]{4,8}|[0-9a-f]{8}-[0-9a-f-]{0,27}")
Condition = ColumnElement[bool]


class Sort(StrEnum):
    """Orders of the list. By `finished` it has what has ended, by `duration` what has run and ended."""

    CREATED = "created"
    CREATED_LAST = "-created"
    FINISHED = "finished"
    FINISHED_LAST = "-finished"
    DURATION = "duration"
    DURATION_LAST = "-duration"

    @property
    def descends(self) -> bool:
        """Whether the largest come first."""
        return self.value.startswith("-")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ends: what its last item is sorted by, unless that is the id alone, and its id."""

    key: datetime | timedelta | None
    id: UUID

    @classmethod
    def of(cls, record: Record, sort: Sort) -> Place:
        """Where a page ends whose last is this record."""
        match sort:
            case Sort.CREATED | Sort.CREATED_LAST:
                return cls(None, record.id)
            case Sort.FINISHED | Sort.FINISHED_LAST:
                return cls(record.finished_at, record.id)
            case Sort.DURATION | Sort.DURATION_LAST:
                ran = record.finished_at and record.started_at and record.finished_at - record.started_at
                return cls(ran, record.id)


async def list_page(
    connection: Connection, wanted: Filter, *, limit: int, sort: Sort = Sort.CREATED_LAST, after: Place | None = None
) -> list[Record]:
    """The first so many behind that place."""
    words = _words_of(wanted)
    if words is not None:
        first = partial(_page_of_first, wanted, sort, limit, after)
        found = await _read(connection, first(most=LOOKED_AT))
        if FREQUENT <= len(found) < limit:
            # As frequent as that it is among twice as many as are needed.
            found = await _read(connection, first(most=min(2 * LOOKED_AT * limit // len(found), LOOKED_AT_MOST)))
        if len(found) < limit and not await _are_rare(connection, words):
            found = await _read(connection, first(most=LOOKED_AT_MOST))
        if len(found) >= limit:
            return found
    return await _read(connection, _page(wanted, sort, limit, after))


async def _are_rare(connection: Connection, words: ColumnElement[Any]) -> bool:
    some = select(ExecutionWords.execution_id).where(ExecutionWords.words.op("@@")(words)).limit(_inlined_limit(RARE))
    return bool((await connection.execute(select(func.count() < RARE).select_from(some.subquery()))).scalar_one())


async def _read(connection: Connection, page: Select[Any]) -> list[Record]:
    return [record_of(row) for row in (await connection.execute(page)).mappings()]


def conditions(wanted: Filter) -> list[Condition]:
    """What an execution has to be: conditions on `Execution`, all of which must hold."""
    choices = [*_choices(wanted), *_searches(wanted, _by_index)]
    return [*_constraints(wanted), *(or_(*choice) for choice in choices)]


def _page(wanted: Filter, sort: Sort, limit: int, after: Place | None) -> Select[Any]:
    """The ids first, from the indexes; then the records of these."""
    constraints = [*_constraints(wanted), *_behind(sort, after)]
    choices = [*_choices(wanted), *_searches(wanted, _by_index)]
    return _merged([_head(sort, [*constraints, *arm], limit) for arm in _arms(choices)], sort, limit)


def _page_of_first(wanted: Filter, sort: Sort, limit: int, after: Place | None, *, most: int) -> Select[Any]:
    """Those that are found among so many, which the list without the search begins with."""
    arms = [_head(sort, [*_behind(sort, after), *_bounds(wanted), *arm], most) for arm in _arms(_choices(wanted))]
    first = _united(arms, sort, most)
    searched = [or_(*choice) for choice in _searches(wanted, _one_by_one)]
    found = (
        select(*first.c)
        .join(Execution, Execution.id == list(first.c)[-1])
        .where(*_constraints(wanted), *searched)
        .order_by(*_directed(sort, first.c))
        .limit(_inlined_limit(limit))
    )
    return _merged([found], sort, limit)


def _head(sort: Sort, where: Iterable[Condition], limit: int) -> Select[Any]:
    keys = _directed(sort, _keys(sort))
    return select(*_labelled(sort)).where(*where).order_by(*keys).limit(_inlined_limit(limit))


def _united(arms: list[Select[Any]], sort: Sort, limit: int) -> Subquery:
    found = (union(*arms) if len(arms) > 1 else arms[0]).subquery()
    return select(found).order_by(*_directed(sort, found.c)).limit(_inlined_limit(limit)).subquery()


def _merged(arms: list[Select[Any]], sort: Sort, limit: int) -> Select[Any]:
    page = _united(arms, sort, limit)
    return select_records().join(page, list(page.c)[-1] == Execution.id).order_by(*_directed(sort, page.c))


def _labelled(sort: Sort) -> list[ColumnElement[Any]]:
    return [key.label(f"key_{number}") for number, key in enumerate(_keys(sort))]


def _inlined_limit(limit: int) -> ColumnElement[int]:
    # As a parameter it would be planned for a tenth of all rows.
    return literal_column(str(limit))


def _directed(sort: Sort, columns: Iterable[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    return [column.desc() if sort.descends else column.asc() for column in columns]


def _keys(sort: Sort) -> list[ColumnElement[Any]]:
    """What a page is sorted by. Ids are UUIDv7: their order is that of submission."""
    match sort:
        case Sort.CREATED | Sort.CREATED_LAST:
            return [Execution.id.expression]
        case Sort.FINISHED | Sort.FINISHED_LAST:
            return [Execution.finished_at.expression, Execution.id.expression]
        case Sort.DURATION | Sort.DURATION_LAST:
            return [Execution.finished_at - Execution.started_at, Execution.id.expression]


def _behind(sort: Sort, after: Place | None) -> Iterator[Condition]:
    keys = _keys(sort)
    if sort not in {Sort.CREATED, Sort.CREATED_LAST}:
        yield Execution.finished_at.is_not(None)
    if sort in {Sort.DURATION, Sort.DURATION_LAST}:
        yield Execution.started_at.is_not(None)
    if after is not None:
        place = [literal(after.id)] if after.key is None else [literal(after.key), literal(after.id)]
        here, there = (keys[0], place[0]) if len(keys) == 1 else (tuple_(*keys), tuple_(*place))
        yield here < there if sort.descends else here > there


def _arms(choices: list[list[Condition]]) -> Iterator[tuple[Condition, ...]]:
    while prod(map(len, choices)) > MAX_ARMS:
        longest = max(range(len(choices)), key=lambda number: len(choices[number]))
        choices[longest] = [or_(*choices[longest])]
    return product(*choices)


def _choices(wanted: Filter) -> list[list[Condition]]:
    """Of each list one has to hold."""
    unarchived, archived = Execution.archived_at.is_(None), Execution.archived_at.is_not(None)
    shelves: dict[bool | None, list[Condition]] = {True: [archived], False: [unarchived], None: [unarchived, archived]}
    choices: list[list[Condition]] = [
        shelves[wanted.archived],
        # Indexes are partial by these: the planner has to see them.
        [Execution.status == _inlined(status) for status in sorted(wanted.statuses)],
        [Execution.cause == _inlined(cause) for cause in sorted(wanted.causes)],
        [Execution.owner == owner for owner in sorted(wanted.owners)],
        [Execution.pool == pool for pool in sorted(wanted.pools)],
        [_of_method(Wanted.parse(method)) for method in sorted(wanted.methods)],
    ]
    return [choice for choice in choices if choice]


def _of_method(method: Wanted) -> Condition:
    named = Execution.method_name == method.name
    return named if method.version is None else and_(named, Execution.method_version == method.version)


def _marks_of(wanted: Filter) -> list[ColumnElement[Any]]:
    """Words that labels and images are."""
    words = [_word(f"={key}=", begins=value is None, rest=value) for key, value in wanted.labels.items()]
    if wanted.image is not None:
        words.append(_word("@", begins=wanted.image.endswith("*"), rest=wanted.image.removesuffix("*")))
    return words


def _words_of(wanted: Filter) -> ColumnElement[Any] | None:
    """All that is looked for by words, if anything is."""
    words = _marks_of(wanted)
    if wanted.q is not None:
        words.append(func.words_query(_inlined(wanted.q), type_=TSQUERY))
    return _all_of(words) if words else None


def _searches(wanted: Filter, has: Callable[[ColumnElement[Any]], Condition]) -> list[list[Condition]]:
    """As `_choices`, of what is looked for by words: by all of them at once, or by the beginning of an id."""
    words = _marks_of(wanted)
    if wanted.q is None:
        return [[has(_all_of(words))]] if words else []
    found = [has(_all_of([*words, func.words_query(_inlined(wanted.q), type_=TSQUERY)]))]
    beginning = wanted.q.strip().lower()
    if _ID.fullmatch(beginning):
        digits = beginning.replace("-", "")
        is_in = Execution.id.between(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f")))
        found.append(and_(is_in, has(_all_of(words))) if words else is_in)
    return [found]


def _constraints(wanted: Filter) -> Iterator[Condition]:
    """All that is no choice."""
    for key, value in wanted.labels.items():
        # A key may have `=` in it: the word finds, the label decides.
        label = _inlined(key) if value is None else cast(_inlined(orjson.dumps({key: value}).decode()), JSONB)
        yield Execution.labels.has_key(label) if value is None else Execution.labels.contains(label)
    if wanted.sources:
        yield Execution.source.in_(sorted(wanted.sources))
    for column, execution in (
        (Execution.batch_id, wanted.batch),
        (Execution.rerun_of, wanted.rerun_of),
        (Execution.resumed_from, wanted.resumed_from),
        (Execution.schedule_id, wanted.schedule),
    ):
        if execution is not None:
            yield column == execution
    if wanted.has_warnings is not None:
        none = Execution.warnings == text("'[]'")
        yield ~none if wanted.has_warnings else none
    yield from _within_times(wanted)
    yield from _within_durations(wanted)


def _within_times(wanted: Filter) -> Iterator[Condition]:
    if wanted.created_after is not None:
        yield Execution.created_at >= wanted.created_after
    if wanted.created_before is not None:
        yield Execution.created_at < wanted.created_before
    if wanted.finished_after is not None:
        yield Execution.finished_at >= wanted.finished_after
    if wanted.finished_before is not None:
        yield Execution.finished_at < wanted.finished_before
    yield from _bounds(wanted)


def _bounds(wanted: Filter) -> Iterator[Condition]:
    """Of ids: where a list that is sorted by them begins and ends."""
    if wanted.created_after is not None:
        yield Execution.id >= _first_id_of(wanted.created_after - CLOCKS_DIFFER)
    # What has ended before was submitted before.
    if latest := min(filter(None, (wanted.created_before, wanted.finished_before)), default=None):
        yield Execution.id < _first_id_of(latest + CLOCKS_DIFFER)


def _first_id_of(time: datetime) -> UUID:
    milliseconds = min(max(0, int(time.timestamp() * 1000)), 2**48 - 1)
    return UUID(int=milliseconds << 80)


def _within_durations(wanted: Filter) -> Iterator[Condition]:
    ran, ended = Execution.finished_at - Execution.started_at, Execution.finished_at.is_not(None)
    runs = and_(Execution.finished_at.is_(None), Execution.started_at.is_not(None))
    if wanted.min_duration is not None:
        least = timedelta(seconds=wanted.min_duration)
        yield or_(and_(ended, ran >= least), and_(runs, Execution.started_at <= func.now() - literal(least)))
    if wanted.max_duration is not None:
        most = timedelta(seconds=wanted.max_duration)
        yield or_(and_(ended, ran <= most), and_(runs, Execution.started_at >= func.now() - literal(most)))


def _by_index(query: ColumnElement[Any]) -> Condition:
    """All that have the words, once, from their index."""
    found = select(ExecutionWords.execution_id).where(ExecutionWords.words.op("@@")(query))
    return Execution.id == any_(func.array(found.scalar_subquery()))


def _one_by_one(query: ColumnElement[Any]) -> Condition:
    """Whether this one has the words. Not a join, which might begin with the index."""
    has = select(ExecutionWords.words.op("@@", return_type=Boolean())(query))
    return has.where(ExecutionWords.execution_id == Execution.id).scalar_subquery()


def _all_of(words: list[ColumnElement[Any]]) -> ColumnElement[Any]:
    return reduce(lambda some, word: some.op("&&", return_type=TSQUERY())(word), words)


def _word(word: str, *, begins: bool, rest: str | None) -> ColumnElement[Any]:
    """One word as it is, or the beginning of one."""
    quoted = f"{word}{rest or ''}".replace("\\", "\\\\").replace("'", "''")
    return cast(_inlined(f"'{quoted}'{':*' if begins else ''}"), TSQUERY)


def _inlined(value: str) -> BindParameter[str]:
    """Planned for this very value: how many executions it takes decides how they are best looked for."""
    return bindparam(None, str(value), type_=String(), literal_execute=True)
