"""What goes out by itself: webhooks, and what schedules submit. Everything under it breaks, one after the other."""

import signal
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise

import orjson
import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from stack.postgres import EmbeddedPostgres
from stack.redis import EmbeddedRedis
from support.crashes import WITHIN
from support.eventually import eventually
from support.history import check_history
from support.own import StartOwn, migrated_postgres
from support.receiver import Receiver, receiving
from support.running import Json, Running
from support.starts import Starts
from support.submitting import list_all

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

EVERY = timedelta(seconds=2)
# Every firing that was missed is made up for.
SCHEDULE = {
    "name": "all the time",
    "rule": {"every": EVERY.seconds},
    "overlap": "allow",
    "catch_up": 100,
    "targets": [{"execution": {"image": "busybox:local", "command": ["true"]}}],
}


@pytest.fixture
async def own_redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedRedis]:
    directory = tmp_path_factory.mktemp("redis")
    async with EmbeddedRedis(directory / "data", directory / "run") as server:
        yield server


@pytest.fixture
async def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    async with migrated_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


async def made(installation: Running, path: str, body: Json) -> Json:
    answer = await installation.request("POST", path, json=body)
    assert answer.status_code == 201, answer.text
    new: Json = answer.json()
    return new


async def more_arrives(receiver: Receiver) -> None:
    """Something that was not on its way yet: firings go on, and so do messages."""
    before = len(receiver.received)
    await eventually(lambda: len(receiver.received) > before + 1, within=WITHIN)


def told_of(receiver: Receiver) -> dict[str, set[str]]:
    """The ids of the messages about the end of each execution."""
    told = defaultdict[str, set[str]](set)
    for each in receiver.received:
        told[orjson.loads(each.body)["data"]["execution"]["id"]].add(each.headers["webhook-id"])
    return dict(told)


async def test_webhooks_and_schedules_go_on_when_all_that_they_need_has_been_away(
    own_postgres: EmbeddedPostgres, own_redis: EmbeddedRedis, own: StartOwn, starts: Starts
) -> None:
    """F37, F38: a receiver hangs all the time; Redis goes, the worker dies over a message, Postgres goes."""
    installation = await own(
        database_url=own_postgres.url(),
        redis_url=own_redis.url,
        slots=4,
        TAILRACE_OUTBOUND_ALLOW="127.0.0.1",
        TAILRACE_WEBHOOK_RETRY_AFTER="0.2",
        TAILRACE_WEBHOOK_TIMEOUT="5",
    )
    async with receiving() as good, receiving() as stuck:
        stuck.hang()
        webhook = await made(installation, "/v1/webhooks", {"url": good.url})
        await made(installation, "/v1/webhooks", {"url": stuck.url})
        schedule = await made(installation, "/v1/schedules", SCHEDULE)
        await more_arrives(good)

        await own_redis.stop()
        await more_arrives(good)
        await own_redis.start()

        # Sent, and not noted: whoever comes next can only send it again.
        good.hang()
        unnoted = len(good.received)
        await eventually(lambda: len(good.received) > unnoted, within=WITHIN)
        await installation.stop("worker", signal.SIGKILL)
        good.go_on.set()
        await installation.start("worker", "worker")
        await more_arrives(good)

        await own_postgres.stop()
        await own_postgres.start()
        await more_arrives(good)

        own_path = f"/v1/schedules/{schedule['id']}"
        assert (await installation.request("PATCH", own_path, json={"enabled": False})).status_code == 200
        executions = await list_all(installation)
        for execution in executions:
            await check_history(installation, execution)
            assert len(await starts.once_each(execution)) == 1
        stuck.go_on.set()
        for receiver in (good, stuck):
            await eventually(lambda receiver=receiver: told_of(receiver).keys() == {*executions}, within=WITHIN)  # type: ignore[misc]
            assert all(len(ids) == 1 for ids in told_of(receiver).values())
        twice = [each.headers["webhook-id"] for each in good.received].count(
            good.received[unnoted].headers["webhook-id"]
        )
        assert twice >= 2
        for each in good.received:
            Verifier(webhook["secret"]).verify(each.body, dict(each.headers))

    runs = await installation.get(f"{own_path}/runs", params={"limit": 200})
    assert {run["status"] for run in runs["items"]} == {"fired"}
    times = [run["at"] for run in runs["items"]]
    fired = sorted(datetime.fromisoformat(time) for time in times)
    assert {after - before for before, after in pairwise(fired)} == {EVERY}
    records = [await installation.execution(execution) for execution in executions]
    assert sorted(record["logical_time"] for record in records) == sorted(times)
