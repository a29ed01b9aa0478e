"""Submit, find, list, wait: as a client meets them."""

import asyncio
import time
from uuid import UUID, uuid4

import httpx
import pytest
from arq.constants import job_key_prefix
from hand import Hand
from served import Api, Submit

from app.auth.tokens import Scope
from app.bootstrap import Process
from app.executions import awaiting
from app.executions.states import Cause
from app.hints import decode_job
from support.eventually import eventually

EVERYTHING = {
    "image": "registry.example.com:5000/team/app:1.0@sha256:" + "0" * 64,
    "command": ["python", "-c", "print('ü')", ""],
    "entrypoint": ["/bin/env"],
    "env": {"B": "2", "A": "1"},
    "inputs": {"rows": 100, "nested": {"list": [1, 2.5, None, True, "ü"]}},
    "name": "first",
    "note": "a\nnote",
    "labels": {"team": "a", "": ""} | {"k=v": "w"},
    "workdir": "/srv",
    "user": "1000:1000",
    "stop_signal": "SIGINT",
    "network": "bridge",
    "image_policy": "never",
    "limits": {"timeout": 60, "grace": 5, "notice": 4, "cpus": 0.5, "memory": "64MiB", "pids": 16},
    "max_attempts": 3,
    "retry_on": [75, "oom_killed", "engine_error"],
    "on_timeout": "retry",
    "on_interrupted": "retry",
}
RETRIES = ("max_attempts", "retry_on", "on_timeout", "on_interrupted")
del EVERYTHING["labels"][""]


async def test_what_is_submitted_is_on_record_before_the_answer(client: httpx.AsyncClient, hand: Hand) -> None:
    response = await client.post("/v1/executions", json=EVERYTHING)
    assert response.status_code == 201
    body = response.json()
    assert response.headers["location"] == f"/v1/executions/{body['id']}" == body["links"]["self"]
    row = await hand.row(body["id"])
    assert row.status == "queued"
    assert row.spec["command"] == EVERYTHING["command"]
    assert row.spec["env"] == EVERYTHING["env"]
    assert row.spec["stop_signal"] == "SIGINT"
    assert row.limits["memory"] == 64 * 2**20
    assert row.retries == {name: EVERYTHING[name] for name in RETRIES}
    assert UUID(body["id"]).version == 7


async def test_an_execution_shows_all_that_was_asked_but_no_values_of_env(
    client: httpx.AsyncClient, hand: Hand
) -> None:
    body = (await client.post("/v1/executions", json=EVERYTHING)).json()
    again = (await client.get(body["links"]["self"])).json()
    # What lies ahead of it is looked up where one asks for it alone.
    assert again | {name: body[name] for name in ("queue_position", "expected_seconds", "expected_seconds_p90")} == body
    assert body["env"] == ["A", "B"]
    assert body["inputs"] == EVERYTHING["inputs"]
    assert body["labels"] == EVERYTHING["labels"]
    assert (body["status"], body["waiting_on"], body["attempt"]) == ("queued", "slot", 0)
    assert {name: body[name] for name in RETRIES} == {name: EVERYTHING[name] for name in RETRIES}
    assert body["limits"]["notice"] == 4
    assert body["limits"]["timeout"] == 60
    assert body["created_at"].endswith("Z")
    assert body["hint"] is None
    assert body["queue_seconds"] is None


async def test_only_the_image_is_required(client: httpx.AsyncClient) -> None:
    body = (await client.post("/v1/executions", json={"image": "busybox"})).json()
    assert body["command"] is None
    assert body["limits"]["timeout"] == 3600
    assert body["limits"]["grace"] == 10
    assert [body[name] for name in RETRIES] == [1, [], "fail", "fail"]


async def test_a_submission_rings_the_bell_of_its_pool(api: Api, submit: Submit) -> None:
    process = api.process
    async with process.listener.subscribe(process.channels.bell("default")) as bells:
        await submit()
        assert await bells.get(30) is not None
    await api.settle()
    *_, job = await process.redis.zrange(process.channels.queue("default"), 0, -1)
    assert decode_job(await process.redis.get(job_key_prefix + job.decode()))["f"] == "ring"


async def test_a_dry_run_answers_and_keeps_nothing(api: Api, client: httpx.AsyncClient) -> None:
    process = api.process
    await api.settle()
    async with process.listener.subscribe(process.channels.bell("default")) as bells:
        response = await client.post("/v1/executions?dry_run=true", json=EVERYTHING)
        assert response.status_code == 200
        body = response.json()
        assert body["accepted"] is True
        assert body["execution"]["name"] == "first"
        await api.settle()
        assert await bells.get(0.1) is None
    assert (await client.get(body["execution"]["links"]["self"])).status_code == 404
    assert (await client.get("/v1/executions")).json() == {"items": [], "next": None}


async def test_a_dry_run_names_a_missing_file_among_the_rest(client: httpx.AsyncClient) -> None:
    body = {"image": "busybox:local", "pool": "nowhere", "files": {"a": {"id": str(uuid4())}}}
    response = await client.post("/v1/executions?dry_run=true", json=body)
    assert {each["field"] for each in response.json()["errors"]} == {"pool", "files.a.id"}


async def test_a_dry_run_refuses_what_a_submission_would(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/executions?dry_run=true", json={"image": "x", "resume_from": str(uuid4())})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "resume_from"


async def test_the_list_is_newest_first_and_pages_by_cursor(client: httpx.AsyncClient, submit: Submit) -> None:
    ids = [await submit(name=str(number)) for number in range(5)]
    seen, cursor, sizes = [], None, []
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/executions", params=params)).json()
        sizes.append(len(page["items"]))
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        await submit(name="later")  # what comes in between is not on older pages
    assert seen == ids[::-1]
    assert sizes == [2, 2, 1]


async def test_the_last_full_page_has_no_next(client: httpx.AsyncClient, submit: Submit) -> None:
    for _ in range(2):
        await submit()
    assert (await client.get("/v1/executions?limit=2")).json()["next"] is None


async def test_the_list_filters_by_status_and_label(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    one = await submit(labels={"team": "a", "tier": "x=y"})
    two = await submit(labels={"team": "b"})
    await hand.start(two)

    async def found(query: str) -> list[str]:
        return [item["id"] for item in (await client.get(f"/v1/executions?{query}")).json()["items"]]

    assert await found("status=queued") == [one]
    assert await found("status=queued&status=running") == [two, one]
    assert await found("status=failed") == []
    assert await found("label=team=a") == [one]
    assert await found("label=team=a&label=tier=x=y") == [one]
    assert await found("label=team=a&label=tier=z") == []


async def test_somebody_elses_execution_does_not_exist(
    submit: Submit, stranger: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    own = f"/v1/executions/{await submit()}"
    for path in ("", "/events", "/attempts", "/outputs", "/outputs/a.txt", "/outputs.zip", "/logs"):
        response = await stranger.get(own + path)
        assert response.status_code == 404, path
        assert response.json()["type"] == "urn:tailrace:problem:not_found"
    assert (await stranger.post(f"{own}/cancel")).status_code == 404
    assert (await stranger.get("/v1/executions")).json()["items"] == []
    assert (await admin.get(own)).status_code == 200
    assert own.rpartition("/")[2] in [item["id"] for item in (await admin.get("/v1/executions")).json()["items"]]


async def test_an_unknown_id_answers_like_somebody_elses(client: httpx.AsyncClient) -> None:
    response = await client.get(f"/v1/executions/{uuid4()}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


async def test_an_etag_saves_sending_it_again_until_something_changes(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    own = f"/v1/executions/{execution}"
    etag = (await client.get(own)).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        response = await client.get(own, headers={"If-None-Match": known})
        assert (response.status_code, response.content) == (304, b""), known
        assert response.headers["etag"] == etag
    await hand.change(execution, progress_percent=1, progress_at=(await hand.row(execution)).created_at)
    changed = await client.get(own, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.json()["progress"]["percent"] == 1


async def is_watched(process: Process, execution: str) -> bool:
    ((_, watchers),) = await process.redis.pubsub_numsub(process.channels.execution(UUID(execution)))
    return bool(watchers)


async def test_waiting_ends_as_soon_as_the_execution_does(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaiting, "POLL_SECONDS", 60.0)
    execution = await submit()
    await hand.start(execution)
    waiting = asyncio.create_task(client.get(f"/v1/executions/{execution}?wait=30"))
    await eventually(lambda: is_watched(process, execution))
    began = time.monotonic()
    await hand.end(execution)
    response = await waiting
    assert time.monotonic() - began < 15
    assert response.json()["status"] == "succeeded"


async def test_waiting_holds_no_database_connection(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    execution = await submit()
    waiters = [asyncio.create_task(client.get(f"/v1/executions/{execution}?wait=30")) for _ in range(50)]
    await eventually(lambda: is_watched(process, execution))
    await eventually(lambda: process.database.pool.checkedout() == 0)  # type: ignore[attr-defined]
    assert not any(waiter.done() for waiter in waiters)
    await hand.start(execution)
    await hand.end(execution, Cause.EXIT_NONZERO, exit_code=3)
    answers = [(await waiter).json() for waiter in waiters]
    assert {(answer["status"], answer["exit_code"]) for answer in answers} == {("failed", 3)}


async def test_waiting_ends_with_its_time(client: httpx.AsyncClient, submit: Submit) -> None:
    began = time.monotonic()
    response = await client.get(f"/v1/executions/{await submit()}?wait=0.3")
    assert response.json()["status"] == "queued"
    assert 0.3 <= time.monotonic() - began < 15


async def test_an_end_is_explained(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    execution = await submit()
    await hand.start(execution)
    await hand.end(execution, Cause.OOM_KILLED, exit_code=137)
    body = (await client.get(f"/v1/executions/{execution}")).json()
    assert (body["cause"], body["message"]) == ("oom_killed", "It ended")
    assert "limits.memory" in body["hint"]
    assert body["run_seconds"] >= 0
    assert body["queue_seconds"] >= 0
    assert body["waiting_on"] is None


async def test_events_tell_the_whole_history(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    execution = await submit()
    await hand.start(execution)
    await hand.end(execution)
    items = (await client.get(f"/v1/executions/{execution}/events")).json()["items"]
    assert [(item["number"], item["from"], item["to"]) for item in items] == [
        (1, None, "queued"),
        (2, "queued", "preparing"),
        (3, "preparing", "running"),
        (4, "running", "succeeded"),
    ]
    assert [item["attempt"] for item in items] == [0, 1, 1, 1]
    assert items[-1]["cause"] == "ok"


async def test_attempts_are_listed(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    execution = await submit()
    assert (await client.get(f"/v1/executions/{execution}/attempts")).json() == {"items": []}
    await hand.claim(execution)
    (attempt,) = (await client.get(f"/v1/executions/{execution}/attempts")).json()["items"]
    assert attempt["number"] == 1
    assert attempt["container_name"] == "c"


@pytest.mark.parametrize(
    ("prepare", "code"),
    [("queued", "still_active"), ("ended", "no_checkpoint"), ("other", "not_found"), ("unknown", "not_found")],
)
async def test_resuming_needs_an_ended_execution_of_ones_own_with_a_checkpoint(
    prepare: str, code: str, api: Api, client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    earlier = await submit()
    if prepare == "ended":
        await hand.start(earlier)
        await hand.end(earlier)
    asker = await api.client() if prepare == "other" else client
    resume_from = str(uuid4()) if prepare == "unknown" else earlier
    response = await asker.post("/v1/executions", json={"image": "x", "resume_from": resume_from})
    assert response.status_code == 422
    problem = response.json()
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [("resume_from", code)]
    assert problem["hint"]


async def test_a_checkpoint_can_be_resumed(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    earlier = await submit()
    await hand.start(earlier)
    await hand.keep_checkpoint(earlier)
    await hand.end(earlier, Cause.RUN_TIMEOUT, exit_code=85)
    later = await submit(resume_from=earlier)
    assert (await client.get(f"/v1/executions/{later}")).json()["lineage"]["resumed_from"] == earlier


async def test_every_scope_opens_its_own_doors_only(api: Api, submit: Submit) -> None:
    own = f"/v1/executions/{await submit()}"
    doors = {
        Scope.READ: ("GET", "/v1/executions"),
        Scope.SUBMIT: ("POST", "/v1/executions"),
        Scope.CANCEL: ("POST", f"{own}/cancel"),
    }
    for held in doors:
        client = await api.client(None, held)
        for wanted, (method, path) in doors.items():
            response = await client.request(method, path, json={"image": "x"} if wanted is Scope.SUBMIT else None)
            if held is wanted:
                assert response.status_code in {200, 201, 404}
            else:
                assert response.status_code == 403
                assert f"`{wanted}`" in response.json()["detail"]
                assert f"{held}" in response.json()["hint"]
