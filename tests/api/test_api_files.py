"""Files that clients upload: kept whole or not at all, seen by their owner, gone when nobody needs them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from served import Api, running
from sqlalchemy import func, select, text, update

from app.artifacts import removals
from app.artifacts.tables import ArtifactRemoval
from app.auth.service import Caller
from app.bootstrap import Process
from app.bundles.importing import import_bundle
from app.db.engine import reading, transaction
from app.errors import QuotaExceeded
from app.files import repository, service
from app.files.model import key_of
from app.files.room import AT_ONCE
from app.files.service import NewFile
from app.files.tables import File
from app.settings import Settings
from support.eventually import eventually
from support.migrations import NewDatabase
from worker.retention import RetentionKeeper

ROWS = b"a,b\n1,2\n"


async def upload(client: httpx.AsyncClient, content: bytes = ROWS, **query: object) -> dict[str, object]:
    response = await client.post("/v1/files", content=content, params={"name": "rows.csv", **query})
    assert response.status_code == 201, response.text
    body: dict[str, object] = response.json()
    assert response.headers["location"] == f"/v1/files/{body['id']}"
    return body


async def in_pieces(count: int, size: int = 65536) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number % 256]) * size


async def stored(process: Process) -> set[str]:
    directory = process.settings.data / "artifacts" / "files"
    return await asyncio.to_thread(lambda: {path.parent.name for path in directory.rglob("*") if path.is_file()})


async def removal(process: Process, file: str) -> tuple[int, bool] | None:
    """Rounds so far, and whether the next is due; None if nothing is to be removed."""
    statement = select(ArtifactRemoval.rounds, ArtifactRemoval.due_at <= func.clock_timestamp())
    async with reading(process.database) as connection:
        row = (await connection.execute(statement.where(ArtifactRemoval.prefix == f"files/{file}"))).one_or_none()
    return tuple(row) if row else None


async def test_an_owner_sends_only_so_many_at_once(process: Process) -> None:
    ann, new, go_on = Caller(str(uuid4()), frozenset()), NewFile(name="a", media_type="text/csv"), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        await go_on.wait()
        yield ROWS

    sending = [asyncio.create_task(service.upload(process, ann, new, slow())) for _ in range(AT_ONCE)]
    await eventually(lambda: process.uploads[ann.owner] == AT_ONCE)
    with pytest.raises(QuotaExceeded):
        await service.upload(process, ann, new, in_pieces(1))
    with pytest.raises(QuotaExceeded):
        await import_bundle(process, ann, in_pieces(1))
    other = Caller(str(uuid4()), frozenset())
    assert (await service.upload(process, other, new, in_pieces(1))).owner == other.owner
    sending.pop().cancel()
    go_on.set()
    assert len({file.id for file in await asyncio.gather(*sending)}) == AT_ONCE - 1
    await eventually(lambda: ann.owner not in process.uploads)
    assert (await service.upload(process, ann, new, in_pieces(1))).owner == ann.owner


async def test_a_file_comes_back_as_it_was_sent(client: httpx.AsyncClient, process: Process) -> None:
    file = await upload(client, label=["team=a", "tier=b"])
    assert file["name"], file["media_type"] == ("rows.csv", "text/csv")
    assert (file["bytes"], file["sha256"]) == (8, sha256(ROWS).hexdigest())
    assert file["labels"] == {"team": "a", "tier": "b"}
    assert (await client.get(f"/v1/files/{file['id']}")).json() == file
    content = await client.get(f"/v1/files/{file['id']}/content")
    assert content.content == ROWS
    assert content.headers["content-disposition"].startswith('attachment; filename="rows.csv"')
    assert content.headers["etag"] == f'"{file["sha256"]}"'
    assert await removal(process, str(file["id"])) is None


async def test_a_large_file_goes_through_in_parts(client: httpx.AsyncClient) -> None:
    whole = b"".join([piece async for piece in in_pieces(400)])
    response = await client.post("/v1/files?name=large.bin", content=in_pieces(400))
    assert response.status_code == 201, response.text
    assert (response.json()["bytes"], response.json()["sha256"]) == (len(whole), sha256(whole).hexdigest())
    content = await client.get(f"{response.json()['links']['content']}", headers={"Range": "bytes=20000000-20000009"})
    assert (content.status_code, content.content) == (206, whole[20_000_000:20_000_010])


async def test_an_empty_file_is_one(client: httpx.AsyncClient) -> None:
    file = await upload(client, b"")
    assert (await client.get(f"/v1/files/{file['id']}/content")).content == b""


@pytest.mark.parametrize(
    ("name", "said", "kept"),
    [
        ("a.csv", None, "text/csv"),
        ("a.csv", "application/x-www-form-urlencoded", "text/csv"),
        ("a.csv", "application/json; charset=utf-8", "application/json"),
        ("a", None, "application/octet-stream"),
        ("a.csv", "not a type", "text/csv"),
    ],
)
async def test_its_media_type_is_what_the_client_says_or_the_name(
    name: str, said: str | None, kept: str, client: httpx.AsyncClient
) -> None:
    headers = {"Content-Type": said} if said else {}
    response = await client.post("/v1/files", content=b"x", params={"name": name}, headers=headers)
    assert response.json()["media_type"] == kept


async def test_a_page_is_kept_and_never_sent_as_one(client: httpx.AsyncClient) -> None:
    file = await upload(client, b"<script>alert(1)</script>", name="page.html")
    assert file["media_type"] == "text/html"
    content = await client.get(f"/v1/files/{file['id']}/content")
    assert content.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in content.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", "a\nb", "a\0b", "x" * 256, "ä" * 128])
async def test_a_name_is_one_safe_part_of_a_path(name: str, client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/files", content=b"x", params={"name": name})
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["name"]


async def test_a_form_is_refused_with_what_to_do(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/files?name=a.csv", files={"file": ("a.csv", b"x")})
    assert response.status_code == 415
    assert "-T" in response.json()["hint"]


async def test_what_has_another_sum_is_not_kept(client: httpx.AsyncClient, process: Process) -> None:
    before = await stored(process)
    response = await client.post("/v1/files", content=b"x", params={"name": "a", "sha256": sha256(b"y").hexdigest()})
    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "other_bytes"
    assert (await client.get("/v1/files")).json()["items"] == []
    await RetentionKeeper(process).sweep()
    assert await stored(process) <= before
    assert (await upload(client, b"x", sha256=sha256(b"x").hexdigest()))["bytes"] == 1


async def test_nothing_is_left_of_an_upload_that_breaks_off(api: Api, client: httpx.AsyncClient) -> None:
    before = await stored(api.process)
    messages = [{"type": "http.request", "body": piece, "more_body": True} async for piece in in_pieces(200)]
    messages.append({"type": "http.disconnect"})
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/files",
        "query_string": b"name=half.bin",
        "headers": [(b"authorization", client.headers["authorization"].encode())],
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await api.app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert messages == []
    assert (await client.get("/v1/files")).json()["items"] == []
    assert await stored(api.process) == before
    coming = ArtifactRemoval.prefix.startswith("files/") & (ArtifactRemoval.due_at > func.clock_timestamp())
    async with reading(api.process.database) as connection:
        left = select(func.count()).where(coming, ArtifactRemoval.rounds == 0)
        assert (await connection.execute(left)).scalar_one() == 0


async def test_an_upload_that_came_too_late_is_not_on_record(client: httpx.AsyncClient, process: Process) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        async with transaction(process.database) as connection:
            await connection.execute(
                update(ArtifactRemoval).where(ArtifactRemoval.prefix.startswith("files/")).values(rounds=1)
            )

    response = await client.post("/v1/files?name=slow.bin", content=slow())
    assert response.status_code == 409
    assert (await client.get("/v1/files")).json()["items"] == []


async def test_a_file_is_listed_by_page_name_and_label(client: httpx.AsyncClient) -> None:
    files = [
        await upload(client, name=name, label=[label])
        for name, label in (("a_1.csv", "n=1"), ("a_2.csv", "n=2"), ("a%2.csv", "n=1"), ("b.csv", "m=1"))
    ]
    ids = [file["id"] for file in reversed(files)]

    async def found(**query: object) -> list[int]:
        items = (await client.get("/v1/files", params=query)).json()["items"]
        return [len(ids) - 1 - ids.index(item["id"]) for item in items]

    assert await found() == [3, 2, 1, 0]
    assert await found(name="a_") == [1, 0]
    assert await found(name="a%") == [2]
    assert await found(label="n") == [2, 1, 0]
    assert await found(label="n=1", name="a") == [2, 0]
    page = (await client.get("/v1/files?limit=3")).json()
    assert [item["id"] for item in page["items"]] == ids[:3]
    rest = (await client.get("/v1/files", params={"limit": 3, "cursor": page["next"]})).json()
    assert ([item["id"] for item in rest["items"]], rest["next"]) == (ids[3:], None)


async def test_a_file_is_its_owners(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    file = await upload(client)
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert (await stranger.request(method, f"/v1/files/{file['id']}{path}")).status_code == 404
    assert (await stranger.get("/v1/files")).json()["items"] == []
    assert (await admin.get(f"/v1/files/{file['id']}/content")).content == ROWS


async def test_a_deleted_file_is_gone_with_its_bytes(client: httpx.AsyncClient, process: Process) -> None:
    file = str((await upload(client))["id"])
    assert (await client.delete(f"/v1/files/{file}")).status_code == 204
    assert (await client.delete(f"/v1/files/{file}")).status_code == 404
    assert (await client.get(f"/v1/files/{file}/content")).status_code == 404
    assert await removal(process, file) == (0, True)
    await RetentionKeeper(process).sweep()
    assert await removal(process, file) == (1, False)
    assert file not in await stored(process)


async def test_bytes_on_record_are_never_removed(client: httpx.AsyncClient, process: Process) -> None:
    file = str((await upload(client))["id"])
    async with transaction(process.database) as connection:
        await connection.execute(ArtifactRemoval.__table__.insert().values(prefix=f"files/{file}", execution_id=file))
    await RetentionKeeper(process).sweep()
    assert (await client.get(f"/v1/files/{file}/content")).content == ROWS


async def test_only_old_files_that_nothing_refers_to_expire(client: httpx.AsyncClient, process: Process) -> None:
    old = UUID(str((await upload(client))["id"]))
    new = UUID(str((await upload(client))["id"]))
    used = UUID(str((await upload(client))["id"]))
    body = {"image": "busybox:local", "files": {"rows.csv": {"id": str(used)}}, "hold": True}
    assert (await client.post("/v1/executions", json=body)).status_code == 201
    async with transaction(process.database) as connection:
        await connection.execute(
            update(File).where(File.id.in_([old, used])).values(kept_since=func.now() - func.make_interval(0, 0, 0, 3))
        )
        assert await repository.expire(connection, None, most=100) == []
        assert await repository.expire(connection, 4, most=100) == []
        assert await repository.expire(connection, 2, most=100) == [old]
        # What is in use is looked at again tomorrow, and not at every sweep.
        look_in = select(File.kept_since - func.now() + func.make_interval(0, 0, 0, 2)).where(File.id == used)
        assert (await connection.execute(look_in)).scalar_one() == timedelta(days=1)
    assert (await client.get(f"/v1/files/{new}")).status_code == 200
    assert (await client.get(f"/v1/files/{used}")).status_code == 200
    assert (await client.get(f"/v1/files/{old}")).status_code == 404


async def test_a_file_that_very_many_had_can_be_deleted(client: httpx.AsyncClient, process: Process) -> None:
    file = str((await upload(client))["id"])
    body = {"image": "busybox:local", "files": {"rows.csv": {"id": file}}, "hold": True}
    first, second = [(await client.post("/v1/executions", json=body)).json()["id"] for _ in range(2)]
    assert (await client.post(f"/v1/executions/{first}/cancel", json={})).json()["status"] == "canceled"
    async with transaction(process.database) as connection:
        await connection.execute(AS_OFTEN, {"like": UUID(first), "file": UUID(file), "times": repository.LOOKED_AT + 1})
    refused = await client.delete(f"/v1/files/{file}")
    assert (refused.status_code, second in refused.json()["detail"]) == (409, True)
    await client.post(f"/v1/executions/{second}/cancel", json={})
    assert (await client.delete(f"/v1/files/{file}")).status_code == 204
    assert (await client.get(f"/v1/executions/{first}")).json()["files"] == body["files"]
    assert (await client.post(f"/v1/executions/{first}/rerun", json={})).status_code == 422
    async with transaction(process.database) as connection:
        await connection.execute(NO_MORE, {"like": UUID(first)})


# More executions that were the same, but that nobody can list: there is no log of theirs.
NO_MORE = text("DELETE FROM executions WHERE owner = (SELECT owner FROM executions WHERE id = :like)")
AS_OFTEN = text("""
    WITH same AS (
        INSERT INTO executions SELECT (jsonb_populate_record(executions, jsonb_build_object('id', gen_random_uuid()))).*
        FROM executions, generate_series(1, :times) WHERE id = :like RETURNING id
    )
    INSERT INTO execution_files SELECT id, :file FROM same
""")


@pytest.fixture
async def tight(settings: Settings, new_database: NewDatabase, tmp_path: Path) -> AsyncIterator[Api]:
    """An installation with a small limit for files and for owners."""
    limits = {"file_limit": 1000, "max_file_bytes_per_owner": 1500, "body_limit": 1024}
    changed = {"database_url": await new_database(), "data": tmp_path, **limits}
    async with running(settings.model_copy(update=changed)) as api:
        yield api


async def test_a_file_over_the_limit_is_refused_before_it_comes(tight: Api) -> None:
    client = await tight.client()
    asked = []

    async def body() -> AsyncIterator[bytes]:
        asked.append(True)
        yield b"x"

    response = await client.post("/v1/files?name=a", content=body(), headers={"Content-Length": "1001"})
    assert (response.status_code, response.json()["title"]) == (413, "Request body too large")
    assert asked == []
    unannounced = await client.post("/v1/files?name=a", content=in_pieces(2, 501))
    assert unannounced.status_code == 413
    assert [entry["status"] for entry in (await client.get("/v1/audit")).json()["items"]] == [413, 413]
    assert (await client.get("/v1/files")).json()["items"] == []
    assert await stored(tight.process) == set()


async def test_an_owner_has_only_so_many_bytes_however_many_uploads_there_are(tight: Api) -> None:
    client = await tight.client()
    answers = await asyncio.gather(*(client.post("/v1/files?name=a", content=b"x" * 600) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 429, 429]
    refused = next(answer.json() for answer in answers if answer.status_code == 429)
    assert refused["limit"] == 1500
    unannounced = await client.post("/v1/files?name=a", content=in_pieces(4, 100))
    assert unannounced.status_code == 429
    assert (await client.get("/v1/me")).json()["quota"]["file_bytes"] == {"used": 1200, "limit": 1500}
    items = (await client.get("/v1/files")).json()["items"]
    await client.delete(items[0]["links"]["self"])
    assert (await client.post("/v1/files?name=a", content=b"x" * 900)).status_code == 201
    await RetentionKeeper(tight.process).sweep()
    kept = {item["id"] for item in (await client.get("/v1/files")).json()["items"]}
    assert await stored(tight.process) == kept
    assert {key_of(UUID(file)).split("/")[1] for file in kept} == kept


async def test_what_is_under_way_counts(tight: Api) -> None:
    """Said or not, it has its room while it comes, and gives it back when it breaks off."""
    client, come, go_on = await tight.client(), asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * 900
        come.set()
        await go_on.wait()

    async def used() -> int:
        return int((await client.get("/v1/me")).json()["quota"]["file_bytes"]["used"])

    sending = asyncio.create_task(client.post("/v1/files?name=slow", content=slow()))
    await come.wait()
    await eventually(used, within=30)
    assert 900 <= await used() <= 1500
    for size in (601, 700):
        assert (await client.post("/v1/files?name=a", content=b"x" * size)).status_code == 429
    go_on.set()
    assert (await sending).status_code == 201
    assert await used() == 900
    assert (await client.post("/v1/files?name=a", content=b"x" * 600)).status_code == 201
    assert await used() == 1500
    assert (await client.post("/v1/files?name=a", content=in_pieces(2, 100))).status_code == 429
    assert await used() == 1500


async def test_who_stores_where_something_is_being_removed_waits_for_that(process: Process) -> None:
    execution = uuid4()
    prefixes = {str(execution): execution}

    async def begun() -> bool:
        async with transaction(process.database) as connection:
            return await removals.is_begun(connection, prefixes)

    async with transaction(process.database) as connection:
        await removals.ask(connection, prefixes)
    assert not await begun()
    async with transaction(process.database) as connection:
        assert execution in {removal.of for removal in await removals.take_due(connection, most=10_000)}
    assert await begun()
    async with transaction(process.database) as connection:
        await removals.note_done(connection, list(prefixes))
    assert not await begun()
