"""A submission that is sent again: with a key it is one execution, whatever happened in between."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hand import Hand
from served import USER_SCOPES, Api, Submit, running
from sqlalchemy import delete, event, func, select, update

from app.auth.service import Caller
from app.auth.tokens import Scope
from app.bootstrap import Process
from app.db.engine import Connection, transaction
from app.errors import InvalidRequest
from app.executions import service
from app.executions.repository import seconds_from_now
from app.executions.requests import Submission
from app.executions.states import Cause
from app.executions.tables import Execution
from app.idempotency.model import Once
from app.idempotency.repository import KEPT_FOR, forget_old
from app.idempotency.tables import IdempotencyKey
from app.settings import Settings
from support.racing import Act, overtaken

KEY = "Idempotency-Key"
REPLAYED = "idempotency-replayed"
ASKED = {"image": "busybox:local", "inputs": {"rows": 1}, "limits": {"memory": "64MiB"}}
JSON = {"Content-Type": "application/json"}


def new_key() -> str:
    return str(uuid4())


async def send(client: httpx.AsyncClient, key: str | None, body: Any = ASKED, *, query: str = "") -> httpx.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    headers = JSON | ({KEY: key} if key is not None else {})
    return await client.post(f"/v1/executions{query}", content=content, headers=headers)


async def accepted(client: httpx.AsyncClient, key: str | None, body: Any = ASKED) -> tuple[str, bool]:
    """The id, and whether it is that of an earlier submission."""
    response = await send(client, key, body)
    assert response.status_code == 201, response.text
    identifier: str = response.json()["id"]
    assert response.headers["location"] == f"/v1/executions/{identifier}"
    assert response.headers.get(REPLAYED) in {None, "true"}
    return identifier, REPLAYED in response.headers


async def listed(client: httpx.AsyncClient) -> list[str]:
    """Every execution of theirs, the newest first."""
    items = (await client.get("/v1/executions?limit=200")).json()["items"]
    return [item["id"] for item in items]


async def test_a_submission_sent_again_is_the_same_execution(client: httpx.AsyncClient) -> None:
    key = new_key()
    first, again = await send(client, key), await send(client, key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert REPLAYED not in first.headers
    assert again.headers[REPLAYED] == "true"
    assert await listed(client) == [first.json()["id"]]


async def test_without_a_key_two_submissions_are_two_executions(client: httpx.AsyncClient) -> None:
    (one, _), (two, replayed) = await accepted(client, None), await accepted(client, None)
    assert await listed(client) == [two, one]
    assert not replayed


async def test_the_answer_is_the_record_as_it_stands_by_now(client: httpx.AsyncClient, hand: Hand) -> None:
    key = new_key()
    execution, _ = await accepted(client, key)
    await hand.start(execution)
    await hand.end(execution, Cause.EXIT_NONZERO, exit_code=3)
    again = await send(client, key)
    assert (again.status_code, again.json()["status"], again.json()["exit_code"]) == (201, "failed", 3)
    assert again.json() == (await client.get(again.headers["location"])).json()


@pytest.mark.parametrize(
    "body",
    [
        ' {\n"limits":{"memory":67108864},"inputs" :{"rows": 1} ,"image":"busybox:local"}',
        {**ASKED, "name": None, "env": {}, "stop_signal": "SIGTERM", "max_attempts": 1, "retry_on": []},
        {**ASKED, "limits": {"memory": "65536 KiB", "timeout": 3600, "cpus": 1, "notice": None}},
    ],
)
async def test_how_a_body_is_written_does_not_count(client: httpx.AsyncClient, body: Any) -> None:
    key = new_key()
    execution, _ = await accepted(client, key)
    assert await accepted(client, key, body) == (execution, True)


@pytest.mark.parametrize(
    "change",
    [
        {"image": "busybox:other"},
        {"inputs": {"rows": 2}},
        {"inputs": {"rows": True}},
        {"inputs": {}},
        {"command": ["a", "b"]},
        {"limits": {"memory": "65MiB"}},
        {"limits": {"memory": "64MiB", "grace": 11}},
        {"max_attempts": 2},
        {"name": ""},
    ],
)
async def test_another_body_is_refused_and_the_original_named(
    client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    key = new_key()
    execution, _ = await accepted(client, key)
    response = await send(client, key, ASKED | change)
    assert response.status_code == 422
    problem = response.json()
    (error,) = problem["errors"]
    assert (error["field"], error["code"]) == (KEY, "key_reused")
    assert execution in problem["detail"]
    assert problem["hint"]
    assert REPLAYED not in response.headers
    assert await listed(client) == [execution]
    assert await accepted(client, key) == (execution, True)


async def test_the_order_in_a_list_counts(client: httpx.AsyncClient) -> None:
    key = new_key()
    await accepted(client, key, ASKED | {"command": ["a", "b"]})
    assert (await send(client, key, ASKED | {"command": ["b", "a"]})).status_code == 422


async def test_somebody_elses_key_is_another_key(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    key = new_key()
    mine, _ = await accepted(client, key)
    theirs, replayed = await accepted(stranger, key, ASKED | {"name": "theirs"})
    assert not replayed
    assert theirs != mine
    assert await accepted(client, key) == (mine, True)


async def test_two_tokens_of_one_owner_share_their_keys(api: Api) -> None:
    owner, key = f"user-{uuid4().hex}", new_key()
    one, other = await api.client(owner, *USER_SCOPES), await api.client(owner, Scope.SUBMIT)
    execution, _ = await accepted(one, key)
    assert await accepted(other, key) == (execution, True)


async def test_of_fifty_that_race_one_is_accepted_and_all_get_it(client: httpx.AsyncClient) -> None:
    key = new_key()
    answers = await asyncio.gather(*(accepted(client, key) for _ in range(50)))
    (execution,) = {execution for execution, _ in answers}
    assert Counter(replayed for _, replayed in answers) == {False: 1, True: 49}
    assert await listed(client) == [execution]


async def test_of_different_bodies_that_race_one_is_accepted_and_the_others_refused(client: httpx.AsyncClient) -> None:
    key = new_key()
    answers = await asyncio.gather(*(send(client, key, ASKED | {"name": str(number)}) for number in range(20)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 422: 19}
    (execution,) = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert all(execution in answer.json()["detail"] for answer in answers if answer.status_code == 422)
    assert await listed(client) == [execution]


def submitting(process: Process, owner: str, **fields: Any) -> Act[service.Submitted]:
    """A submission of this owner with one and the same key, to race with."""
    submission = Submission.model_validate(ASKED | fields)
    caller, once = Caller(owner, frozenset(USER_SCOPES)), Once.of("raced", submission, {}, process.vault)
    return lambda connection: service._add_once(connection, caller, submission.draft(), process, once)


async def test_who_waits_for_one_that_commits_gets_its_execution(process: Process) -> None:
    submit = submitting(process, new_key())
    first, second = await overtaken(process, submit, submit)
    assert isinstance(first, service.Submitted)
    assert not first.replayed
    assert second == service.Submitted(first.record, replayed=True)


async def test_who_waits_for_one_that_rolls_back_is_accepted(process: Process) -> None:
    submit = submitting(process, new_key())
    first, second = await overtaken(process, submit, submit, undo=True)
    assert isinstance(first, service.Submitted)
    assert isinstance(second, service.Submitted)
    assert not second.replayed
    assert second.record.id != first.record.id
    async with transaction(process.database) as connection:
        assert await submit(connection) == service.Submitted(second.record, replayed=True)


async def test_who_waits_with_another_body_is_refused(process: Process) -> None:
    owner = new_key()
    first, second = await overtaken(process, submitting(process, owner), submitting(process, owner, name="other"))
    assert isinstance(first, service.Submitted)
    assert isinstance(second, InvalidRequest)
    assert str(first.record.id) in second.detail


async def test_a_refused_submission_does_not_take_its_key(client: httpx.AsyncClient) -> None:
    key = new_key()
    assert (await send(client, key, ASKED | {"resume_from": str(uuid4())})).status_code == 422
    assert (await send(client, key, {"image": "NO"})).status_code == 422
    assert (await accepted(client, key))[1] is False


async def test_a_submission_sent_again_is_not_judged_again(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    earlier, key = await submit(), new_key()
    await hand.start(earlier)
    await hand.keep_checkpoint(earlier)
    await hand.end(earlier)
    resuming = {"image": "busybox:local", "resume_from": earlier}
    execution, _ = await accepted(client, key, resuming)
    async with transaction(process.database) as connection:
        await connection.execute(delete(Execution).where(Execution.id == UUID(earlier)))
    assert (await send(client, None, resuming)).status_code == 422
    assert await accepted(client, key, resuming) == (execution, True)


async def test_a_dry_run_takes_no_key_and_heeds_none(client: httpx.AsyncClient) -> None:
    key = new_key()
    assert (await send(client, key, query="?dry_run=true")).status_code == 200
    assert (await accepted(client, key))[1] is False
    response = await send(client, key, ASKED | {"name": "other"}, query="?dry_run=true")
    assert response.status_code == 200
    assert REPLAYED not in response.headers


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
@pytest.mark.parametrize("key", ["", " ", "a b", "a\tb", "k" * 256, '"', '"a', '"a"b', '""', '"a b"', r'"\a"', "ü"])
async def test_a_bad_key_is_named(client: httpx.AsyncClient, key: str, query: str) -> None:
    headers = JSON | {KEY: key.encode("latin-1")}
    response = await client.post(f"/v1/executions{query}", content=json.dumps(ASKED), headers=headers)  # type: ignore[arg-type]
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [KEY]
    assert await listed(client) == []


async def test_a_bad_key_is_told_together_with_a_bad_body(client: httpx.AsyncClient) -> None:
    response = await send(client, "a b", {"image": "NO"})
    assert {error["field"] for error in response.json()["errors"]} == {KEY, "image"}


async def test_two_keys_are_one_too_many(client: httpx.AsyncClient) -> None:
    headers = [("Content-Type", "application/json"), (KEY, "one"), (KEY, "two")]
    response = await client.post("/v1/executions", content=json.dumps(ASKED), headers=headers)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [KEY]
    assert await listed(client) == []


@pytest.mark.parametrize(
    ("key", "same"),
    [("!", "!"), ("k" * 255, f'"{"k" * 255}"'), ("{a}/%00,b;c", '"{a}/%00,b;c"'), ('a"\\b', r'"a\"\\b"')],
)
async def test_a_quoted_key_is_the_same_as_a_bare_one(client: httpx.AsyncClient, key: str, same: str) -> None:
    execution, _ = await accepted(client, key)
    assert await accepted(client, same) == (execution, True)


async def test_keys_differ_by_case(client: httpx.AsyncClient) -> None:
    (_, _), (_, replayed) = await accepted(client, "key"), await accepted(client, "KEY")
    assert not replayed


async def test_a_key_of_a_deleted_execution_goes_with_it(client: httpx.AsyncClient, process: Process) -> None:
    key = new_key()
    execution, _ = await accepted(client, key)
    async with transaction(process.database) as connection:
        await connection.execute(delete(Execution).where(Execution.id == UUID(execution)))
        assert await count_keys(connection, key) == 0
    another, replayed = await accepted(client, key, ASKED | {"name": "another"})
    assert not replayed
    assert await listed(client) == [another]


async def count_keys(connection: Connection, *keys: str) -> int:
    counted = select(func.count()).select_from(IdempotencyKey).where(IdempotencyKey.key.in_(keys))
    count: int = (await connection.execute(counted)).scalar_one()
    return count


async def test_old_keys_are_forgotten_the_oldest_first_and_so_many_at_once(
    client: httpx.AsyncClient, process: Process
) -> None:
    keys = [new_key() for _ in range(4)]
    executions = [(await accepted(client, key))[0] for key in keys]
    for key, beyond in zip(keys, (120, 240, 60, -600), strict=True):
        await age(process, key, KEPT_FOR + beyond)
    left = []
    for forgotten in (2, 1, 0):
        async with transaction(process.database) as connection:
            assert await forget_old(connection, KEPT_FOR, most=2) == forgotten
            left.append([bool(await count_keys(connection, key)) for key in keys])
    assert left == [[False, False, True, True], [False, False, False, True], [False, False, False, True]]
    assert (await accepted(client, keys[0]))[1] is False
    assert await accepted(client, keys[3]) == (executions[3], True)


async def age(process: Process, key: str, seconds: float) -> None:
    async with transaction(process.database) as connection:
        await connection.execute(
            update(IdempotencyKey).where(IdempotencyKey.key == key).values(created_at=seconds_from_now(-seconds))
        )


async def test_forgetting_waits_for_nobody(client: httpx.AsyncClient, process: Process) -> None:
    key = new_key()
    await accepted(client, key)
    await age(process, key, 2 * KEPT_FOR)
    async with process.database.connect() as holder:
        await holder.execute(select(IdempotencyKey.key).where(IdempotencyKey.key == key).with_for_update())
        async with transaction(process.database) as connection, asyncio.timeout(30):
            assert await forget_old(connection) == 0
    async with transaction(process.database) as connection:
        assert await forget_old(connection) == 1


async def test_a_key_outlives_the_process_that_took_it(settings: Settings, api: Api) -> None:
    key = new_key()
    token = await api.token(f"user-{uuid4().hex}", *USER_SCOPES)
    async with running(settings) as earlier:
        execution, _ = await accepted(await earlier.client_with(token), key)
    async with running(settings) as later:
        assert await accepted(await later.client_with(token), key) == (execution, True)


@asynccontextmanager
async def statements(process: Process) -> AsyncIterator[list[str]]:
    """What is sent to the database meanwhile."""
    seen: list[str] = []

    def note(*details: Any) -> None:
        seen.append(details[2])

    engine = process.database.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def test_a_key_costs_one_look_and_no_key_nothing(client: httpx.AsyncClient, process: Process) -> None:
    key, counts = new_key(), []
    for sent in (None, key, key):
        async with statements(process) as seen:
            await accepted(client, sent)
        counts.append(len(seen))
        if sent is None:
            assert not any("idempotency_keys" in statement for statement in seen)
    unkeyed, new, repeated = counts
    # A look, and the line of the audit, which without a key is part of the same statement.
    assert (new - unkeyed, repeated - unkeyed) == (2, 0)


async def test_a_submission_sent_again_rings_the_bell_again(api: Api, client: httpx.AsyncClient) -> None:
    process, key = api.process, new_key()
    await accepted(client, key)
    await api.settle()
    async with process.listener.subscribe(process.channels.bell("default")) as bells:
        assert (await accepted(client, key))[1]
        assert await bells.get(30) is not None


def test_the_document_has_both_headers(api: Api) -> None:
    operation = api.app.openapi()["paths"]["/v1/executions"]["post"]
    (parameter,) = [parameter for parameter in operation["parameters"] if parameter["in"] == "header"]
    assert (parameter["name"], parameter["required"]) == (KEY, False)
    assert "24 hours" in parameter["description"]
    assert parameter["schema"]
    assert "Idempotency-Replayed" in operation["responses"]["201"]["headers"]
