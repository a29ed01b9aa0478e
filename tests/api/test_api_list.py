"""The list: filters, orders and pages."""

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hand import Hand
from served import Api, Submit
from sqlalchemy import update

from app.auth.tokens import Scope
from app.db.engine import transaction
from app.executions.states import Cause
from app.executions.tables import Execution

LIST = "/v1/executions"
Item = dict[str, Any]


async def found(client: httpx.AsyncClient, query: str = "", **parameters: Any) -> list[str]:
    """Names, in the order of the list."""
    response = await client.get(f"{LIST}?{query}", params=parameters or None)
    assert response.status_code == 200, response.text
    return [item["name"] for item in response.json()["items"]]


async def all_pages(client: httpx.AsyncClient, limit: int, **parameters: Any) -> list[str]:
    names: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(LIST, params={"limit": limit, **parameters, **cursor})).json()
        names += [item["name"] for item in page["items"]]
        assert len(page["items"]) == limit or page["next"] is None
        if page["next"] is None:
            return names
        cursor = {"cursor": page["next"]}


@dataclass(frozen=True)
class Crowd:
    """Executions of one owner, of many kinds."""

    client: httpx.AsyncClient
    items: list[Item]

    def names(self, takes: Callable[[Item], bool]) -> list[str]:
        return [item["name"] for item in self.items if takes(item)]


@pytest.fixture(scope="module")
async def crowd(api: Api) -> Crowd:
    client = await api.client()
    hand = await Hand.of(api.process)
    ends = [None, Cause.OK, Cause.EXIT_NONZERO, Cause.DISK_LIMIT, Cause.RUN_TIMEOUT, Cause.CANCELED_BY_USER]
    ids: list[str] = []
    for number in range(24):
        body: Item = {
            "image": "busybox:local" if number % 3 else "registry.example.com/busy/box:1",
            "name": f"n{number}",
            "labels": {"team": "ab"[number % 2]} | ({"tier": "x=y"} if number % 5 == 0 else {}),
        }
        response = await client.post(LIST, json=body)
        ids.append(response.json()["id"])
        if (end := ends[number % len(ends)]) is not None:
            await hand.start(ids[-1])
            await hand.end(ids[-1], end)
        elif number % 4:
            await hand.start(ids[-1])
    async with transaction(api.process.database) as connection:
        for number, execution in enumerate(ids):
            row = await hand.row(execution)
            changes: Item = {"warnings": ["w"] if number % 7 == 0 else []}
            if row.finished_at is not None:
                changes["started_at"] = row.finished_at - timedelta(seconds=((number * 7) % 24 + 1) * 1000)
                changes["archived_at"] = row.finished_at if number % 4 == 1 else None
            await connection.execute(update(Execution).where(Execution.id == UUID(execution)).values(**changes))
    page = (await client.get(LIST, params={"archived": "any", "limit": 200})).json()
    return Crowd(client, page["items"])


def _at(item: Item, key: str) -> datetime | None:
    return datetime.fromisoformat(item[key]) if item[key] else None


def _filters(items: list[Item]) -> list[tuple[dict[str, Any], Callable[[Item], bool]]]:
    """Query parameters, and what they mean."""
    middle = items[len(items) // 2]["created_at"]
    end = sorted(item["finished_at"] for item in items if item["finished_at"])[7]
    before = (_at(items[0], "created_at") or datetime.now()) - timedelta(hours=2)  # noqa: DTZ005 - never None
    return [
        ({}, lambda _: True),
        ({"status": "failed"}, lambda item: item["status"] == "failed"),
        ({"status": ["queued", "running"]}, lambda item: item["status"] in {"queued", "running"}),
        ({"status": ["failed", "queued", "canceled"]}, lambda item: item["status"] in {"failed", "queued", "canceled"}),
        ({"cause": "disk_limit"}, lambda item: item["cause"] == "disk_limit"),
        ({"cause": ["ok", "exit_nonzero"]}, lambda item: item["cause"] in {"ok", "exit_nonzero"}),
        ({"label": "team=a"}, lambda item: item["labels"]["team"] == "a"),
        ({"label": ["team=a", "tier=x=y"]}, lambda item: item["labels"] == {"team": "a", "tier": "x=y"}),
        ({"label": "tier"}, lambda item: "tier" in item["labels"]),
        ({"label": "tier=x"}, lambda _: False),
        ({"image": "busybox:local"}, lambda item: item["image"] == "busybox:local"),
        ({"image": "registry.example.com/busy*"}, lambda item: item["image"].startswith("registry")),
        ({"image": "busybox"}, lambda _: False),
        ({"pool": "default"}, lambda _: True),
        ({"pool": ["default", "other"]}, lambda _: True),
        ({"pool": "other"}, lambda _: False),
        ({"source": "api"}, lambda _: True),
        ({"source": "elsewhere"}, lambda _: False),
        ({"has_warnings": "true"}, lambda item: bool(item["warnings"])),
        ({"has_warnings": "false"}, lambda item: not item["warnings"]),
        ({"created_after": middle}, lambda item: item["created_at"] >= middle),
        ({"created_before": middle}, lambda item: item["created_at"] < middle),
        ({"created_before": before.isoformat()}, lambda _: False),
        ({"finished_after": end}, lambda item: (item["finished_at"] or "") >= end),
        ({"finished_before": end}, lambda item: bool(item["finished_at"]) and item["finished_at"] < end),
        ({"min_duration": 9000}, lambda item: (item["run_seconds"] or 0) >= 9000),
        ({"max_duration": 9000, "status": ["succeeded", "failed"]},
         lambda item: item["status"] in {"succeeded", "failed"} and item["run_seconds"] <= 9000),
        ({"archived": "any"}, lambda _: True),
        ({"archived": "true"}, lambda item: bool(item["archived_at"])),
        ({"archived": "false"}, lambda item: not item["archived_at"]),
        ({"q": "n1"}, lambda item: item["name"].startswith("n1")),
        ({"batch": str(uuid4())}, lambda _: False),
    ]  # fmt: skip


async def test_every_filter_takes_what_it_says(crowd: Crowd) -> None:
    for parameters, takes in _filters(crowd.items):
        shelf = {"archived": "any"} | parameters
        assert await found(crowd.client, **shelf, limit=200) == crowd.names(takes), parameters


async def test_filters_hold_all_together(crowd: Crowd) -> None:
    for (one, takes_one), (other, takes_other) in combinations(_filters(crowd.items), 2):
        if one.keys() & other.keys() - {"archived"} or "archived" in one.keys() & other.keys():
            continue
        expected = crowd.names(lambda item, a=takes_one, b=takes_other: a(item) and b(item))
        both = {"archived": "any"} | one | other
        assert await found(crowd.client, **both, limit=200) == expected, both


async def test_what_is_archived_is_not_listed_unless_asked_for(crowd: Crowd) -> None:
    assert await found(crowd.client, limit=200) == crowd.names(lambda item: not item["archived_at"])


SORTS: dict[str, Callable[[Item], Any]] = {
    "created": lambda item: item["id"],
    "finished": lambda item: item["finished_at"] and (item["finished_at"], item["id"]),
    "duration": lambda item: item["finished_at"] and item["started_at"] and (_ran(item), item["id"]),
}


def _ran(item: Item) -> timedelta:
    return datetime.fromisoformat(item["finished_at"]) - datetime.fromisoformat(item["started_at"])


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize(
    "filters",
    [{}, {"status": ["succeeded", "failed", "running"]}, {"archived": "any"}, {"label": "team=a"}, {"q": "n"}],
    ids=str,
)
async def test_pages_of_every_size_follow_each_other_in_every_order(
    crowd: Crowd, sort: str, filters: dict[str, Any]
) -> None:
    everything = set(await found(crowd.client, **filters, limit=200))
    items = [item for item in crowd.items if item["name"] in everything and SORTS[sort](item)]
    expected = [item["name"] for item in sorted(items, key=SORTS[sort])]
    for limit in (1, 3, len(expected), 200):
        assert await all_pages(crowd.client, limit, sort=sort, **filters) == expected
        assert await all_pages(crowd.client, limit, sort=f"-{sort}", **filters) == expected[::-1]


async def test_ends_at_the_same_moment_do_not_get_lost_between_pages(
    api: Api, client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    ids = [await submit(name=str(number)) for number in range(7)]
    for each in ids:
        await hand.start(each)
        await hand.end(each)
    moment = (await hand.row(ids[0])).finished_at
    for each in ids:
        await hand.change(each, finished_at=moment, started_at=moment - timedelta(seconds=1))
    for sort in ("finished", "-finished", "duration", "-duration"):
        order = [str(number) for number in range(7)]
        assert await all_pages(client, 2, sort=sort) == (order[::-1] if "-" in sort else order)


async def test_pages_stay_where_they_are_while_others_are_submitted_and_end(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    async def ended(name: str) -> None:
        identifier = await submit(name=name)
        await hand.start(identifier)
        await hand.end(identifier)

    for number in range(6):
        await ended(str(number))
    for sort in ("-created", "-finished"):
        page = (await client.get(LIST, params={"limit": 3, "sort": sort, "q": "old"})).json()
        assert page["items"] == []
        names, cursor = [], None
        while True:
            more = {"cursor": cursor} if cursor else {}
            page = (await client.get(LIST, params={"limit": 2, "sort": sort, **more})).json()
            names += [item["name"] for item in page["items"] if item["name"].isdigit()]
            cursor = page["next"]
            if cursor is None:
                break
            await ended("later")
        assert names == ["5", "4", "3", "2", "1", "0"]


async def test_a_cursor_is_refused_with_other_filters_or_another_sort(crowd: Crowd) -> None:
    page = (await crowd.client.get(LIST, params={"limit": 2, "label": "team=a"})).json()
    for other in ({}, {"label": "team=b"}, {"label": "team=a", "sort": "created"}, {"label": "team=a", "q": "n"}):
        response = await crowd.client.get(LIST, params={**other, "cursor": page["next"]})
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == "cursor"
        assert "other filters or another sort" in response.json()["detail"]


@pytest.mark.parametrize("sort", ["created", "finished", "duration"])
async def test_no_cursor_breaks_the_list(crowd: Crowd, sort: str) -> None:
    page = (await crowd.client.get(LIST, params={"limit": 1, "sort": sort})).json()
    asked, _, last = json.loads(urlsafe_b64decode(page["next"] + "==="))
    for key in (None, 1, 1e300, True, [], "", "2026-01-15", "2026-01-15T10:00:00", "0001-01-01T00:00:00+14:00"):
        for place in (last, last[:8], 1, None):
            cursor = urlsafe_b64encode(json.dumps([asked, key, place]).encode()).decode().rstrip("=")
            response = await crowd.client.get(LIST, params={"limit": 1, "sort": sort, "cursor": cursor})
            assert response.status_code in {200, 422}, (key, place)


async def test_times_at_the_ends_of_the_calendar_are_refused(client: httpx.AsyncClient) -> None:
    for field in ("created_after", "created_before", "finished_after", "finished_before"):
        for time in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
            for response in (
                await client.get(LIST, params={field: time}),
                await client.post(f"{LIST}:cancel", json={field: time}),
            ):
                assert response.status_code == 422
                assert [error["field"] for error in response.json()["errors"]] == [field]
        assert (await client.get(LIST, params={field: "1970-01-01T00:00:00+14:00"})).status_code == 200
        assert (await client.get(LIST, params={field: "2999-12-31T23:59:59-12:00"})).status_code == 200


async def test_only_an_admin_may_ask_for_other_owners(api: Api, admin: httpx.AsyncClient) -> None:
    ann, bob = f"ann-{uuid4().hex[:8]}", f"bob-{uuid4().hex[:8]}"
    clients = {owner: await api.client(owner, Scope.READ, Scope.SUBMIT) for owner in (ann, bob)}
    for owner, client in clients.items():
        await client.post(LIST, json={"image": "busybox:local", "name": owner})
    assert await found(clients[ann], owner=ann) == [ann]
    assert await found(admin, owner=bob) == [bob]
    assert await found(admin, owner=[ann, bob]) == [bob, ann]
    for asked in (bob, [ann, bob]):
        response = await clients[ann].get(LIST, params={"owner": asked})
        assert response.status_code == 422
        assert [error["field"] for error in response.json()["errors"]] == ["owner"]


async def test_lineage_is_a_filter(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    origin = await submit(name="origin")
    for name, column in (("again", "rerun_of"), ("on", "resumed_from")):
        identifier = await submit(name=name)
        await hand.change(identifier, **{column: UUID(origin)})
        assert await found(client, **{column: origin}) == [name]
        assert await found(client, **{column: identifier}) == []


async def test_durations_of_what_runs_grow(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    identifier = await submit(name="long")
    await hand.start(identifier)
    started = (await hand.row(identifier)).started_at
    await hand.change(identifier, started_at=started - timedelta(seconds=1000))
    assert await found(client, min_duration=1000) == ["long"]
    assert await found(client, min_duration=100_000) == []
    assert await found(client, max_duration=999) == []
    assert await found(client, max_duration=100_000) == ["long"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status[0]"),
        ("cause=tired", "cause[0]"),
        ("archived=maybe", "archived"),
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-11-21T10:00:00", "created_after"),
        ("min_duration=-1", "min_duration"),
        ("min_duration=nan", "min_duration"),
        ("max_duration=1e12", "max_duration"),
        ("batch=1", "batch"),
        ("rerun_of=x", "rerun_of"),
        ("sort=colour", "sort"),
        ("q=", "q"),
        ("q=%00", "q"),
        ("image=%00", "image"),
        ("owner=%00", "owner[0]"),
        ("label=%00=a", "label[0]"),
        ("label==a", "label"),
        ("label=a\\==b&label=a\\==c", "label"),
        ("label=a=b&label=a=c", "label"),
        ("has_warnings=perhaps", "has_warnings"),
        ("colour=red", "colour"),
        ("method=Sort", "method[0]"),
        ("limit=201", "limit"),
        ("&".join(f"pool=p{number}" for number in range(101)), "pool"),
    ],
)
async def test_a_bad_filter_is_named(client: httpx.AsyncClient, query: str, field: str) -> None:
    response = await client.get(f"{LIST}?{query}")
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_an_offset_whose_plus_was_not_escaped_is_understood(crowd: Crowd) -> None:
    assert await found(crowd.client, "created_after=2026-01-01T00:00:00+01:00") == await found(crowd.client)


async def test_many_choices_of_everything_are_one_page(crowd: Crowd) -> None:
    statuses = ["queued", "running", "succeeded", "failed", "canceled", "timed_out"]
    pools = [f"pool-{number}" for number in range(99)] + ["default"]
    everything = await found(crowd.client, archived="any", limit=200)
    assert await found(crowd.client, status=statuses, pool=pools, archived="any", limit=200) == everything


async def test_pages_are_read_while_everything_moves(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    """No page has an execution twice, whatever is done to it between two of its conditions."""
    ids = [await submit(name=str(number)) for number in range(8)]

    async def act() -> None:
        for each in ids:
            await hand.start(each)
            await hand.end(each)

    acting = asyncio.create_task(act())
    statuses = ["queued", "preparing", "running", "succeeded"]
    while not acting.done():
        assert sorted(await found(client, status=statuses, limit=200)) == [str(number) for number in range(8)]
    await acting
