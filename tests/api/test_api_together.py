"""Many who submit at the same moment: accepted in few transactions, and each by its own."""

import asyncio
from functools import partial

import httpx
from served import Api
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.auth.service import Caller
from app.bootstrap import Process
from app.db.engine import reading
from app.executions import service
from app.executions.model import Limits, Retries, Spec
from app.executions.service import Draft

EXECUTIONS = "/v1/executions"


async def transactions_of(process: Process, executions: list[str]) -> int:
    """In how many these were written, which nobody has changed since."""
    statement = text("SELECT count(DISTINCT xmin::text) FROM executions WHERE id = ANY (CAST(:ids AS uuid[]))")
    async with reading(process.database) as connection:
        return int((await connection.execute(statement, {"ids": executions})).scalar_one())


async def test_who_submit_at_once_get_each_their_own_and_share_transactions(api: Api, process: Process) -> None:
    clients = [await api.client() for _ in range(3)]
    bodies = [{"image": "busybox:local", "name": f"number {n}", "env": {"N": str(n)}, "priority": n} for n in range(60)]
    answers = await asyncio.gather(
        *(clients[n % 3].post(EXECUTIONS, json=body) for n, body in enumerate(bodies)),
    )
    assert [answer.status_code for answer in answers] == [201] * 60
    records = [answer.json() for answer in answers]
    assert [(record["name"], record["priority"]) for record in records] == [(f"number {n}", n) for n in range(60)]
    assert [record["owner"] for record in records[:3]] == [record["owner"] for record in records[3:6]]
    assert len({record["owner"] for record in records}) == 3
    ids = [record["id"] for record in records]
    assert len(set(ids)) == 60
    assert await transactions_of(process, ids) < 60
    for client, owned in zip(clients, (ids[0::3], ids[1::3], ids[2::3]), strict=True):
        listed = (await client.get(EXECUTIONS, params={"limit": 60})).json()["items"]
        assert {each["id"] for each in listed} == set(owned)
        assert [each["waiting_on"] for each in listed] == [records[0]["waiting_on"]] * 20
        events = (await client.get(f"{EXECUTIONS}/{owned[0]}/events")).json()["items"]
        assert [(event["number"], event["to"]) for event in events] == [(1, "queued")]


async def test_a_pool_that_does_not_exist_is_nobody_elses_mistake(client: httpx.AsyncClient) -> None:
    pools = ["default", "nowhere"] * 10
    answers = await asyncio.gather(
        *(client.post(EXECUTIONS, json={"image": "busybox:local", "pool": pool}) for pool in pools)
    )
    assert [answer.status_code for answer in answers] == [201, 422] * 10


async def test_what_the_database_refuses_of_one_is_accepted_of_the_others(process: Process) -> None:
    draft = Draft(spec=Spec(image="busybox:local"), limits=Limits(), retries=Retries(), labels={})
    same = service.prepare(Caller("ann", frozenset()), draft, process)
    many = [same, *(service.prepare(Caller("ann", frozenset()), draft, process) for _ in range(3)), same]
    outcomes = await asyncio.gather(
        *(process.gathering.add("any", (new, None), partial(service._add_together, process)) for new in many),
        return_exceptions=True,
    )
    assert [isinstance(outcome, BaseException) for outcome in outcomes] == [False, False, False, False, True]
    assert isinstance(outcomes[-1], IntegrityError)


def test_what_refers_to_something_else_is_not_accepted_with_others() -> None:
    alone = Draft(spec=Spec(image="busybox:local"), limits=Limits(), retries=Retries(), labels={"a": "b"}, note="n")
    assert alone.stands_alone
    assert not Draft(
        spec=Spec(image="busybox:local", secrets=("KEY",)), limits=Limits(), retries=Retries(), labels={}
    ).stands_alone
