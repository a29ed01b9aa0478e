"""Numbers over all executions."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hand import Hand
from served import Api, Submit
from sqlalchemy import insert

from app.auth.tokens import Scope
from app.db.engine import transaction
from app.executions.states import Cause
from app.stats.tables import flow_counts

STATS, COUNTS = "/v1/stats", "/v1/stats/counts"


async def get(client: httpx.AsyncClient, path: str, **parameters: Any) -> Any:
    response = await client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


async def test_counts_are_by_status_owner_and_pool(api: Api, admin: httpx.AsyncClient, hand: Hand) -> None:
    owners = [f"ann-{uuid4().hex[:8]}", f"bob-{uuid4().hex[:8]}"]
    pool = f"pool-{uuid4().hex[:8]}"
    await admin.post("/v1/pools", json={"name": pool})
    ids = {}
    for owner in owners:
        client = await api.client(owner)
        for place in (pool, pool, "default"):
            response = await client.post("/v1/executions", json={"image": "busybox:local", "pool": place})
            ids[owner, place] = response.json()["id"]
    await hand.start(ids[owners[0], pool])
    await hand.end(ids[owners[0], "default"], Cause.CANCELED_BY_USER)
    assert await get(admin, COUNTS, owner=owners) == {
        "items": [{"status": "canceled", "n": 1}, {"status": "queued", "n": 4}, {"status": "running", "n": 1}],
        "total": 6,
    }
    by_owner = [{"owner": owner, "n": 3} for owner in owners]
    assert (await get(admin, COUNTS, owner=owners, group_by="owner"))["items"] == by_owner
    by_both = [{"pool": pool, "owner": owner, "n": 2} for owner in owners]
    for group_by in ("pool,owner", ["pool", "owner"]):
        assert (await get(admin, COUNTS, pool=pool, group_by=group_by))["items"] == by_both
    assert (await get(admin, COUNTS, pool=pool))["total"] == 4


async def test_what_is_archived_is_counted_with_the_archive(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    identifier = await submit()
    await hand.start(identifier)
    await hand.end(identifier)
    await submit()
    await hand.change(identifier, archived_at=datetime.now(UTC))
    queued, ended = {"status": "queued", "n": 1}, {"status": "succeeded", "n": 1}
    assert (await get(client, COUNTS))["items"] == [queued]
    assert (await get(client, COUNTS, archived="true"))["items"] == [ended]
    assert (await get(client, COUNTS, archived="any"))["items"] == [queued, ended]


async def test_stats_tell_how_it_stands_and_what_came_and_went(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    ids = [await submit() for _ in range(4)]
    for each, cause in zip(ids, (Cause.OK, Cause.EXIT_NONZERO), strict=False):
        await hand.start(each)
        await hand.end(each, cause)
    await hand.start(ids[2])
    now = datetime.now(UTC)
    stats = await get(client, STATS)
    assert {status: n for status, n in stats["counts"].items() if n} == {
        "queued": 1, "running": 1, "succeeded": 1, "failed": 1,
    }  # fmt: skip
    assert len(stats["counts"]) == 10
    assert stats["queue"]["queued"] == 1
    assert 0 <= stats["queue"]["oldest_seconds"] < 60
    assert stats["step"] == 3600
    assert datetime.fromisoformat(stats["from"]) <= now - timedelta(days=1)
    assert datetime.fromisoformat(stats["to"]) >= now
    begins = [datetime.fromisoformat(step["at"]) for step in stats["steps"]]
    assert begins[0] == datetime.fromisoformat(stats["from"])
    assert {later - earlier for earlier, later in pairwise(begins)} == {timedelta(hours=1)}
    assert begins[-1] + timedelta(hours=1) == datetime.fromisoformat(stats["to"])
    assert sum(step["submitted"] for step in stats["steps"]) == 4
    assert sum(step["started"] for step in stats["steps"]) == 3
    assert [sum(step["ended"].get(end, 0) for step in stats["steps"]) for end in ("succeeded", "failed")] == [1, 1]


async def test_the_queue_is_as_old_as_the_first_of_those_that_could_start(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    assert (await get(client, STATS))["queue"] == {"queued": 0, "oldest_seconds": None}
    held, later, old = await submit(hold=True), await submit(), await submit()
    now = datetime.now(UTC)
    await hand.change(held, queued_at=now - timedelta(days=3))
    await hand.change(later, queued_at=now - timedelta(days=2), not_before=now + timedelta(days=1))
    await hand.change(old, queued_at=now - timedelta(hours=1))
    queue = (await get(client, STATS))["queue"]
    assert queue["queued"] == 3
    assert 3600 <= queue["oldest_seconds"] < 3700


async def test_waiting_begins_when_it_may_start(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    """In the queue's age as in its order, and in the metrics."""
    now = datetime.now(UTC)
    await hand.change(await submit(), queued_at=now - timedelta(hours=2), not_before=now - timedelta(minutes=1))
    stats = await get(client, STATS)
    assert 60 <= stats["queue"]["oldest_seconds"] < 160
    assert stats["steps"][-1]["queue_age_seconds"] == pytest.approx(stats["queue"]["oldest_seconds"], abs=0.001)


async def test_steps_tell_how_old_the_queue_was_and_how_long_who_started_had_waited(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    """Two are claimed; one that has waited longer than both is held, and so are gone from the queue."""
    now = datetime.now(UTC)
    for minutes in (60, 20):
        claimed = await submit()
        await hand.change(claimed, queued_at=now - timedelta(minutes=minutes))
        await hand.start(claimed)
    held = await submit()
    await hand.change(held, queued_at=now - timedelta(minutes=90))
    assert (await client.post(f"/v1/executions/{held}/hold")).status_code == 200
    steps = (await get(client, STATS, step=600, **{"from": (now - timedelta(hours=3)).isoformat()}))["steps"]
    waited = [step["waited_seconds"] for step in steps if step["waited_seconds"]]
    # The step may have ended in between.
    assert max(each["max"] for each in waited) == pytest.approx(3600, abs=60)
    assert len(waited) == 2 or waited[0]["mean"] == pytest.approx(2400, abs=60)
    ages = [step["queue_age_seconds"] for step in steps]
    first = next(number for number, age in enumerate(ages) if age is not None)
    assert datetime.fromisoformat(steps[first]["at"]) <= now - timedelta(minutes=90)
    assert datetime.fromisoformat(steps[first + 1]["at"]) > now - timedelta(minutes=90)
    grown = [later - earlier for earlier, later in pairwise(ages[first:]) if later is not None]
    assert grown[:8] == [pytest.approx(600, abs=0.01)] * 8
    assert max(age for age in ages if age) == pytest.approx(90 * 60, abs=60)


async def test_a_span_in_the_past_knows_who_waited_beyond_it(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    """Whether it waits still, or has left meanwhile."""
    now = datetime.now(UTC)
    waits = await submit()
    await hand.change(waits, queued_at=now - timedelta(hours=5, minutes=30))
    span = {
        "from": (now - timedelta(hours=7)).isoformat(),
        "to": (now - timedelta(hours=4)).isoformat(),
    }
    before = [step["queue_age_seconds"] for step in (await get(client, STATS, **span))["steps"]]
    assert before[0] is None
    assert before[-1] is not None
    await hand.start(waits)
    assert [step["queue_age_seconds"] for step in (await get(client, STATS, **span))["steps"]] == before


async def test_steps_begin_at_multiples_of_their_length(api: Api, admin: httpx.AsyncClient) -> None:
    owner = f"owner-{uuid4().hex[:8]}"
    begin = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
    rows = [
        {"at": begin + timedelta(hours=hour), "owner": owner, "pool": pool, "what": what, "n": 2}
        for hour in range(5)
        for pool in ("default", "other")
        for what in ("submitted", "crashed")
    ]
    async with transaction(api.process.database) as connection:
        await connection.execute(insert(flow_counts), rows)
    span = {"from": "2026-03-01T10:30:00Z", "to": "2026-03-01T14:00:00+00:00", "step": 7200}
    assert (await get(admin, STATS, owner=owner, **span))["steps"] == [
        {"at": at, "submitted": 8, "started": 0, "ended": {"crashed": 8}}
        | {"waited_seconds": None, "queue_age_seconds": None}
        for at in ("2026-03-01T10:00:00Z", "2026-03-01T12:00:00Z")
    ]
    stats = await get(admin, STATS, owner=owner, pool="other", **span)
    assert [step["submitted"] for step in stats["steps"]] == [4, 4]


async def test_owners_see_their_own_numbers(
    client: httpx.AsyncClient, submit: Submit, stranger: httpx.AsyncClient, api: Api
) -> None:
    await submit()
    assert (await get(stranger, COUNTS)) == {"items": [], "total": 0}
    stats = await get(stranger, STATS)
    assert (sum(stats["counts"].values()), stats["queue"]["queued"]) == (0, 0)
    assert sum(step["submitted"] for step in stats["steps"]) == 0
    assert {step["queue_age_seconds"] for step in stats["steps"]} == {None}
    for path in (STATS, COUNTS):
        response = await stranger.get(path, params={"owner": "somebody"})
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "owner")
        assert (await (await api.client("x", Scope.SUBMIT)).get(path)).status_code == 403


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("step=59", "step"),
        ("step=90", "step"),
        ("from=2026-11-21T10:00:00Z&to=2026-11-21T09:00:00Z", "from"),
        ("from=2020-01-01T00:00:00Z&step=3600", "step"),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T02:00:00Z&step=60", "step"),
        ("from=soon", "from"),
        ("to=0001-01-01T00:00:00Z", "to"),
        ("to=9999-12-31T23:59:59Z&step=31622400", "to"),
        ("pool=%00", "pool[0]"),
        ("colour=red", "colour"),
    ],
)
async def test_a_bad_question_is_named(client: httpx.AsyncClient, query: str, field: str) -> None:
    response = await client.get(f"{STATS}?{query}")
    assert (response.status_code, [error["field"] for error in response.json()["errors"]]) == (422, [field])


async def test_only_what_can_be_counted_by_is(client: httpx.AsyncClient) -> None:
    response = await client.get(COUNTS, params={"group_by": "status,colour"})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "group_by[1]")
