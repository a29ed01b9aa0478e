"""Files that programs left behind: listed, downloaded, and harmless."""

import io
import zipfile
from dataclasses import replace
from hashlib import sha256
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from hand import Hand
from served import Submit
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from app.artifacts import repository, service, tables
from app.artifacts.model import Artifact, ArtifactSet, Kind
from app.artifacts.zip import SafeNames, safe_name
from app.attachment import attachment
from app.bootstrap import Process
from app.db.engine import reading, transaction

NASTY = {
    "plain.txt": b"plain",
    "deep/er/ünï cödé.csv": b"a,b\n",
    "new\nline\t\x1b[31m.txt": b"control",
    'quote".txt': b"quote",
    "semi;colon=x.txt": b"semi",
    "per%2e%2e%2fcent": b"percent",
    "question?#hash&.txt": b"query",
    "back\\slash\\..\\..\\evil.exe": b"windows",
    "C:\\autoexec.bat": b"drive",
    " leading and trailing ": b"spaces",
    "emoji 🎉.txt": b"emoji",
    "-rf": b"dash",
    "run.sh": b"#!/bin/sh\n",
    "empty": b"",
}


async def ended_with(hand: Hand, execution: str, outputs: dict[str, bytes]) -> str:
    await hand.start(execution)
    await hand.keep_outputs(execution, outputs)
    await hand.end(execution)
    return f"/v1/executions/{execution}"


async def test_outputs_are_listed_with_sizes_and_sums(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    own = await ended_with(hand, await submit(), {"b/c.json": b"{}", "a.txt": b"abc"})
    body = (await client.get(f"{own}/outputs")).json()
    assert [item["path"] for item in body["items"]] == ["a.txt", "b/c.json"]
    assert body["items"][0] == {
        "path": "a.txt",
        "bytes": 3,
        "sha256": sha256(b"abc").hexdigest(),
        "media_type": "text/plain",
        "declared": None,
        "links": {"self": f"{own}/outputs/a.txt", "preview": f"{own}/previews/a.txt"},
    }
    assert (body["files"], body["bytes"], body["partial"]) == (2, 5, False)


async def test_without_outputs_the_list_and_the_zip_are_empty(client: httpx.AsyncClient, submit: Submit) -> None:
    own = f"/v1/executions/{await submit()}"
    nothing = {
        "items": [],
        "files": 0,
        "bytes": 0,
        "partial": False,
        "expired_at": None,
        "declared": [],
        "next": None,
    }
    assert (await client.get(f"{own}/outputs")).json() == nothing
    archive = await client.get(f"{own}/outputs.zip")
    assert zipfile.ZipFile(io.BytesIO(archive.content)).namelist() == []


async def test_outputs_are_listed_page_by_page(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    names = [*(f"{number}.txt" for number in range(5)), 'ü"\n\\.csv']
    execution = await submit(outputs=[{"path": "*.txt"}, {"path": "*.none", "required": False}])
    own = await ended_with(hand, execution, dict.fromkeys(names, b"x"))
    pages = [(await client.get(f"{own}/outputs", params={"limit": 2})).json()]
    await hand.keep_outputs(execution, {"new.txt": b"2"}, attempt=3)  # what comes meanwhile is not mixed in
    while cursor := pages[-1]["next"]:
        pages.append((await client.get(f"{own}/outputs", params={"limit": 2, "cursor": cursor})).json())
    assert [len(page["items"]) for page in pages] == [2, 2, 2]
    assert [item["path"] for page in pages for item in page["items"]] == sorted(names)
    assert [page["files"] for page in pages] == [6, 1, 1]
    assert [[each["files"] for each in page["declared"]] for page in pages] == [[5, 0], [None] * 2, [None] * 2]


@pytest.mark.parametrize("cursor", ["", "x", "W10", "WzEsMV0", "WzEsIlx1MDAwMCJd", "Wy0xLCJhIl0", "WzFlMzAsImEiXQ"])
async def test_a_cursor_of_outputs_is_taken_as_it_was_given(
    cursor: str, client: httpx.AsyncClient, submit: Submit
) -> None:
    answer = await client.get(f"/v1/executions/{await submit()}/outputs", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "bad_cursor")


async def test_thousands_of_outputs_are_counted_and_a_page_is_small(
    client: httpx.AsyncClient, submit: Submit, process: Process, hand: Hand
) -> None:
    execution = await submit(outputs=[{"path": "**/*.txt"}])
    group = ArtifactSet((await hand.row(execution)).id, 1, Kind.OUTPUT)
    count = repository.ROWS_AT_ONCE + 1
    files = [Artifact(f"d/{number:05}.txt", 1, "0" * 64, "text/plain", executable=False) for number in range(count)]
    async with transaction(process.database) as connection:
        await repository.add_artifacts(connection, group, files)
    page = (await client.get(f"/v1/executions/{execution}/outputs")).json()
    assert (len(page["items"]), page["declared"][0]["files"]) == (200, count)
    async with transaction(process.database) as connection:
        await repository.add_artifacts(connection, group, [replace(files[0], path="never.txt")])
    # Which never happens: they are counted once.
    again = (await client.get(f"/v1/executions/{execution}/outputs")).json()
    assert again["declared"][0]["files"] == count


async def test_removed_outputs_are_told_from_none(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    own = await ended_with(hand, await submit(), {"a.txt": b"abc", "b.txt": b"abc"})
    first = (await client.get(f"{own}/outputs", params={"limit": 1})).json()
    await client.post(f"{own}/archive", json={"archive": "record"})
    expired_at = (await client.get(own)).json()["outputs"]["expired_at"]
    for cursor in ({}, {"cursor": first["next"]}):
        body = (await client.get(f"{own}/outputs", params=cursor)).json()
        assert (body["items"], body["files"], body["next"], body["expired_at"]) == ([], 2, None, expired_at)
    for path in ("/outputs/a.txt", "/outputs.zip", "/previews/a.txt"):
        answer = await client.get(own + path)
        assert (answer.status_code, "were removed at 20" in answer.json()["detail"]) == (404, True)


async def test_every_name_can_be_downloaded(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    own = await ended_with(hand, await submit(), NASTY)
    for item in (await client.get(f"{own}/outputs")).json()["items"]:
        response = await client.get(item["links"]["self"])
        assert response.status_code == 200, item
        assert response.content == NASTY[item["path"]]
        assert response.headers["content-length"] == str(item["bytes"])
        assert response.headers["etag"] == f'"{item["sha256"]}"'
        assert response.headers["x-content-type-options"] == "nosniff"
        disposition = response.headers["content-disposition"]
        assert disposition.startswith("attachment; ")
        assert disposition.isascii()
        assert disposition.isprintable()
        assert disposition.count('"') == 2
        name = item["path"].rpartition("/")[2]
        assert disposition.endswith(f"filename*=UTF-8''{quote(name, safe='')}")


@pytest.mark.parametrize(
    ("name", "sent_as"),
    [
        ("page.html", "application/octet-stream"),
        ("page.xhtml", "application/octet-stream"),
        ("plot.svg", "application/octet-stream"),
        ("feed.xml", "application/octet-stream"),
        ("script.js", "application/octet-stream"),
        ("plot.png", "image/png"),
        ("table.csv", "text/csv"),
        ("data.json", "application/json"),
        ("unknown.xyzzy", "application/octet-stream"),
    ],
)
async def test_nothing_is_sent_as_what_a_browser_would_run(
    name: str, sent_as: str, client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    own = await ended_with(hand, await submit(), {name: b"<script>alert(1)</script>"})
    response = await client.get(f"{own}/outputs/{name}")
    assert response.headers["content-type"] == sent_as
    assert "sandbox" in response.headers["content-security-policy"]


async def test_a_known_file_is_not_sent_again(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    own = await ended_with(hand, await submit(), {"a.txt": b"abc"})
    etag = (await client.get(f"{own}/outputs/a.txt")).headers["etag"]
    response = await client.get(f"{own}/outputs/a.txt", headers={"If-None-Match": etag})
    assert (response.status_code, response.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "status", "content", "part"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=-1", 206, b"9", "bytes 9-9/10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("nonsense", 200, b"0123456789", None),
    ],
)
async def test_a_part_of_a_file_can_be_had(
    asked: str, status: int, content: bytes, part: str | None, client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    own = await ended_with(hand, await submit(), {"a.txt": b"0123456789"})
    response = await client.get(f"{own}/outputs/a.txt", headers={"Range": asked})
    assert (response.status_code, response.content) == (status, content)
    assert response.headers.get("content-range") == part
    assert response.headers["content-length"] == str(len(content))
    assert response.headers["accept-ranges"] == "bytes"


async def test_a_part_is_of_the_file_that_is_meant_or_the_whole(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    own = await ended_with(hand, await submit(), {"a.txt": b"0123456789", "empty": b""})
    etag = (await client.get(f"{own}/outputs/a.txt")).headers["etag"]
    same = await client.get(f"{own}/outputs/a.txt", headers={"Range": "bytes=1-1", "If-Range": etag})
    other = await client.get(f"{own}/outputs/a.txt", headers={"Range": "bytes=1-1", "If-Range": '"other"'})
    assert ((same.status_code, same.content), (other.status_code, other.content)) == ((206, b"1"), (200, b"0123456789"))
    for name, size in (("a.txt", 10), ("empty", 0)):
        beyond = await client.get(f"{own}/outputs/{name}", headers={"Range": "bytes=10-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
        assert beyond.json()["title"] == "Range not satisfiable"


@pytest.mark.parametrize(
    "path", ["nope", "", "../a.txt", "..%2fa.txt", "%2e%2e/a.txt", "/etc/passwd", "a.txt/", "A.TXT", "a%00.txt"]
)
async def test_only_what_is_on_record_can_be_downloaded(
    path: str, client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    own = await ended_with(hand, await submit(), {"a.txt": b"abc"})
    response = await client.get(f"http://tailrace{own}/outputs/{path}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


async def test_lost_bytes_are_an_answer_not_half_a_file(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    execution = await submit()
    own = await ended_with(hand, execution, {"a.txt": b"abc"})
    async with reading(process.database) as connection:
        group = await repository.latest_outputs(connection, (await hand.row(execution)).id)
    assert group is not None
    await process.artifacts.delete(group)
    response = await client.get(f"{own}/outputs/a.txt")
    assert response.status_code == 404
    assert "gone" in response.json()["detail"]


async def test_the_zip_holds_everything_under_safe_names(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    own = await ended_with(hand, await submit(), NASTY)
    response = await client.get(f"{own}/outputs.zip")
    assert response.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    assert archive.testzip() is None
    assert sorted(archive.read(name) for name in archive.namelist()) == sorted(NASTY.values())
    for name in archive.namelist():
        assert name.isprintable()
        assert "\\" not in name
        assert ":" not in name
        assert not name.startswith("/")
        assert ".." not in name.split("/")
    assert archive.getinfo("run.sh").external_attr >> 16 == 0o100755
    assert archive.getinfo("plain.txt").external_attr >> 16 == 0o100644


async def test_a_zip_of_some_has_these_files_and_all_below_these_directories(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    content = {path: path.encode() for path in ("a.txt", "b.txt", "plots/1.png", "plots/deep/2.png", "plotsbeside.txt")}
    own = await ended_with(hand, await submit(), content)

    async def names(*paths: str) -> list[str]:
        response = await client.get(f"{own}/outputs.zip", params={"path": list(paths)})
        return sorted(zipfile.ZipFile(io.BytesIO(response.content)).namelist())

    assert await names("b.txt", "plots/") == ["b.txt", "plots/1.png", "plots/deep/2.png"]
    assert await names("plots/deep/2.png", "plots") == ["plots/deep/2.png"]
    assert await names("nothing") == []
    assert await names() == sorted(content)
    refused = await client.get(f"{own}/outputs.zip?path=&paths=a")
    assert refused.status_code == 422
    assert {error["field"] for error in refused.json()["errors"]} == {"path[0]", "paths"}


async def test_a_large_zip_is_made_while_it_is_sent(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    content = bytes(range(256)) * 4096 * 8
    own = await ended_with(hand, await submit(), {f"{number}.bin": content for number in range(4)} | {"a.png": content})
    async with client.stream("GET", f"{own}/outputs.zip") as response:
        assert "content-length" not in response.headers
        received = b"".join([piece async for piece in response.aiter_bytes()])
    archive = zipfile.ZipFile(io.BytesIO(received))
    assert all(archive.read(name) == content for name in archive.namelist())
    assert len(archive.namelist()) == 5


async def test_outputs_are_those_of_the_latest_attempt_that_left_some(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    execution = await submit()
    own = await ended_with(hand, execution, {"old.txt": b"1"})
    await hand.keep_outputs(execution, {"new.txt": b"2"}, attempt=3)
    items = (await client.get(f"{own}/outputs")).json()["items"]
    assert [item["path"] for item in items] == ["new.txt"]
    assert (await client.get(f"{own}/outputs/old.txt")).status_code == 404
    async with reading(process.database) as connection:
        assert await repository.latest_checkpoint(connection, uuid4()) is None


async def test_a_manifest_of_thousands_is_kept_whole(submit: Submit, process: Process, hand: Hand) -> None:
    group = ArtifactSet((await hand.row(await submit())).id, 1, Kind.CHECKPOINT)
    files = [Artifact(f"{number:05}", number, "0" * 64, "text/plain", executable=False) for number in range(5_001)]
    async with transaction(process.database) as connection:
        await repository.add_artifacts(connection, group, files)
    async with reading(process.database) as connection:
        assert await repository.latest_checkpoint(connection, group.execution) == (group, files)
        assert await repository.latest_outputs(connection, group.execution) is None
    with pytest.raises(IntegrityError):
        async with transaction(process.database) as connection:
            await repository.add_artifacts(connection, group, files[:1])
    # Read some at a time it is the same; what is removed meanwhile is missed.
    assert [file async for file in service.each_file(process, group)] == files
    reading_on = service.each_file(process, group)
    assert await anext(reading_on) == files[0]
    async with transaction(process.database) as connection:
        await connection.execute(delete(tables.Artifact).where(tables.Artifact.execution_id == group.execution))
    with pytest.raises(service.FilesGone):
        assert len([file async for file in reading_on]) < len(files) - 1


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.txt", "a/b.txt"),
        ("/etc/passwd", "etc/passwd"),
        ("a/../../b", "a/_/_/b"),
        ("./a", "_/a"),
        ("a//b", "a/b"),
        ("..\\x", ".._x"),
        ("a\0b", "a_b"),
        ("", "_"),
        (".. /a. .", "_/a_"),
        ("CON/nul.txt/console", "_CON/_nul.txt/console"),
    ],
)
def test_a_name_in_a_zip_stays_inside(path: str, name: str) -> None:
    assert safe_name(path) == name


def test_names_that_become_the_same_are_told_apart() -> None:
    names = SafeNames()
    assert [names.of(path) for path in ("a_b.txt", "a\\b.txt", "a:b.txt")] == ["a_b.txt", "a_b (2).txt", "a_b (3).txt"]


def test_a_file_name_cannot_end_its_header() -> None:
    header = attachment('x"; filename=evil.exe\r\nSet-Cookie: a=b\r\n\u2028ü.txt')
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
