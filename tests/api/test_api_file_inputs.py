"""Submissions that take files: they have to be there, and stay as long as they may be needed."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hand import Hand
from served import Submit
from sqlalchemy import func, update

from app.bootstrap import Process
from app.db.engine import transaction
from app.files import repository
from app.files.tables import File

NOBODYS = "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"


async def uploaded(client: httpx.AsyncClient, name: str = "rows.csv") -> str:
    response = await client.post("/v1/files", content=b"a,b\n", params={"name": name})
    assert response.status_code == 201, response.text
    identifier: str = response.json()["id"]
    return identifier


async def refused(client: httpx.AsyncClient, path: str = "/v1/executions", **body: Any) -> list[tuple[str, str]]:
    response = await client.post(path, json=body)
    assert response.status_code == 422, response.text
    assert response.json()["hint"] or len(response.json()["errors"]) != 1 or "batches" in path
    return [(error["field"], error["code"]) for error in response.json()["errors"]]


async def test_the_record_says_which_files_it_takes(client: httpx.AsyncClient, submit: Submit) -> None:
    files = {"d/rows.csv": {"id": await uploaded(client)}, "note.txt": {"text": "hi"}, "raw": {"base64": "AAE="}}
    execution = await submit(files=files)
    assert (await client.get(f"/v1/executions/{execution}")).json()["files"] == files
    assert (await client.get(f"/v1/executions/{await submit()}")).json()["files"] == {}


async def test_a_file_that_is_not_there_is_named(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    theirs, own = await uploaded(stranger), await uploaded(client)
    files = {"a": {"id": NOBODYS}, "b": {"id": theirs}, "c": {"id": own}}
    expected = [("files.a.id", "gone"), ("files.b.id", "gone")]
    assert await refused(client, image="busybox:local", files=files) == expected
    items = [{"files": files}, {"files": {"c": files["c"]}}, {"files": {"b": files["b"]}}]
    assert await refused(client, "/v1/batches", defaults={"image": "busybox:local"}, items=items) == [
        ("items[0].files.a.id", "gone"),
        ("items[0].files.b.id", "gone"),
        ("items[2].files.b.id", "gone"),
    ]


async def test_what_is_wrong_is_named_by_its_path(client: httpx.AsyncClient) -> None:
    files = {"../a": {"text": ""}, "b.txt": {"base64": "?"}, "c": {}}
    assert await refused(client, image="busybox:local", files=files) == [
        ("files.../a", "bad_path"),
        ("files.b.txt.base64", "bad_base64"),
        ("files.c", "not_one_source"),
    ]


async def test_no_url_is_fetched_unless_the_installation_says_so(client: httpx.AsyncClient) -> None:
    files = {"a.csv": {"url": "https://example.com/a.csv"}}
    assert await refused(client, image="busybox:local", files=files) == [("files.a.csv.url", "url_not_allowed")]


async def test_a_file_stays_as_long_as_somebody_may_read_it(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    file = await uploaded(client)
    execution = await submit(files={"rows.csv": {"id": file}})
    refusal = await client.delete(f"/v1/files/{file}")
    assert refusal.status_code == 409
    assert execution in refusal.json()["detail"]
    await hand.start(execution)
    assert (await client.delete(f"/v1/files/{file}")).status_code == 409
    await hand.end(execution)
    assert (await client.delete(f"/v1/files/{file}")).status_code == 204
    record = (await client.get(f"/v1/executions/{execution}")).json()
    assert record["files"] == {"rows.csv": {"id": file}}
    again = await client.post(f"/v1/executions/{execution}/rerun", json={})
    assert again.status_code == 422
    assert [(error["field"], error["code"]) for error in again.json()["errors"]] == [("files.rows.csv.id", "gone")]
    other = {"files": {"rows.csv": {"id": await uploaded(client)}}}
    assert (await client.post(f"/v1/executions/{execution}/rerun", json=other)).status_code == 201


async def test_a_rerun_takes_the_same_files(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    files = {"rows.csv": {"id": await uploaded(client)}, "note.txt": {"text": "hi"}}
    execution = await submit(files=files)
    await hand.start(execution)
    await hand.end(execution)
    again = (await client.post(f"/v1/executions/{execution}/rerun", json={})).json()
    assert again["files"] == files
    assert (await client.delete(f"/v1/files/{files['rows.csv']['id']}")).status_code == 409


async def test_a_file_of_an_execution_on_record_does_not_expire(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    file = UUID(await uploaded(client))
    execution = await submit(files={"rows.csv": {"id": str(file)}})
    await hand.start(execution)
    await hand.end(execution)

    async def expire() -> list[UUID]:
        async with transaction(process.database) as connection:
            old = func.now() - func.make_interval(0, 0, 0, 400)
            await connection.execute(update(File).where(File.id == file).values(kept_since=old))
            return await repository.expire(connection, 300, most=100)

    assert file not in await expire()
    assert (await client.delete(f"/v1/executions/{execution}")).status_code == 204
    assert file in await expire()


async def test_a_batch_holds_the_files_of_its_children(client: httpx.AsyncClient) -> None:
    file = await uploaded(client)
    defaults = {"image": "busybox:local", "files": {"rows.csv": {"id": file}}}
    answer = await client.post("/v1/batches", json={"defaults": defaults, "count": 3})
    assert answer.status_code == 201, answer.text
    assert (await client.delete(f"/v1/files/{file}")).status_code == 409
    await client.post(f"/v1/batches/{answer.json()['id']}/cancel")
    assert (await client.delete(f"/v1/files/{file}")).status_code == 204


async def test_any_number_of_files_may_be_asked_for(process: Process) -> None:
    async with transaction(process.database) as connection:
        assert await repository.hold(connection, {uuid4() for _ in range(40_000)}, owner="ann") == {}
        assert await repository.find_all(connection, []) == {}


@pytest.mark.parametrize("number", range(3))
async def test_a_file_is_either_taken_or_deleted(number: int, client: httpx.AsyncClient, process: Process) -> None:
    file = await uploaded(client)
    body = {"image": "busybox:local", "files": {"a": {"id": file}}}
    requests = [client.post("/v1/executions", json=body), client.delete(f"/v1/files/{file}")]
    one, other = await asyncio.gather(*(requests if number % 2 else reversed(requests)))
    taken, deleted = (one, other) if number % 2 else (other, one)
    assert (taken.status_code, deleted.status_code) in {(201, 409), (422, 204)}


async def test_a_batch_may_have_a_child_for_each_file(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    scans = [await uploaded(client, f"scan-{number}.png") for number in range(3)]
    await uploaded(client, "other.png")
    await uploaded(stranger, "scan-9.png")
    body = {
        "defaults": {"image": "busybox:local", "files": {"note.txt": {"text": "hi"}}},
        "query": {"files": {"name": "scan-"}},
    }
    answer = await client.post("/v1/batches", json=body)
    assert answer.status_code == 201, answer.text
    children = (await client.get("/v1/executions", params={"batch": answer.json()["id"], "sort": "created"})).json()
    assert [child["files"] for child in children["items"]] == [
        {f"file/scan-{number}.png": {"id": scans[number]}, "note.txt": {"text": "hi"}} for number in range(3)
    ]
    assert [child["inputs"] for child in children["items"]] == [
        {"file": f"/tailrace/inputs/file/scan-{number}.png"} for number in range(3)
    ]


async def test_a_query_is_of_files_or_of_executions(client: httpx.AsyncClient) -> None:
    defaults = {"image": "busybox:local"}
    for query, expected in (
        ({"files": {}}, ("query.files", "no_children")),
        ({"files": {}, "status": ["failed"]}, ("query.status", "not_of_files")),
        ({"files": {"size": 1}}, ("query.files.size", "extra_forbidden")),
    ):
        assert await refused(client, "/v1/batches", defaults=defaults, query=query) == [expected]
    await uploaded(client)
    answer = await client.post("/v1/batches?dry_run=true", json={"defaults": defaults, "query": {"files": {}}})
    assert (answer.status_code, answer.json()["batch"]["progress"]["total"]) == (200, 1)
