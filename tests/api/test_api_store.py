"""Outputs and files that lie in a bucket, by the same requests; and the answer while that is away."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from hand import Hand
from served import Api, running

from app.settings import Settings
from support.migrations import NewDatabase
from support.s3 import S3, serving_s3
from worker.retention import RetentionKeeper


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with serving_s3() as server:
        yield server


@pytest.fixture(scope="module")
async def remote(
    settings: Settings, s3: S3, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    changed = {
        "store": s3.setting("kept/here"),
        "database_url": await new_database(),
        "data": tmp_path_factory.mktemp("remote"),
    }
    async with running(settings.model_copy(update=changed)) as api:
        yield api


@pytest.fixture
async def user(remote: Api) -> httpx.AsyncClient:
    return await remote.client()


async def an_execution(user: httpx.AsyncClient, remote: Api, outputs: dict[str, bytes]) -> str:
    hand = await Hand.of(remote.process)
    answer = await user.post("/v1/executions", json={"image": "busybox:local"})
    execution: str = answer.json()["id"]
    await hand.start(execution)
    await hand.keep_outputs(execution, outputs)
    await hand.end(execution)
    return f"/v1/executions/{execution}"


async def test_outputs_in_a_bucket_are_read_whole_in_parts_and_as_a_zip(user: httpx.AsyncClient, remote: Api) -> None:
    own = await an_execution(user, remote, {"a.txt": b"0123456789", "d/b.txt": b"b"})
    assert (await user.get(f"{own}/outputs")).json()["files"] == 2
    assert (await user.get(f"{own}/outputs/a.txt")).content == b"0123456789"
    part = await user.get(f"{own}/outputs/a.txt", headers={"Range": "bytes=-3"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"789", "bytes 7-9/10")
    archive = zipfile.ZipFile(io.BytesIO((await user.get(f"{own}/outputs.zip")).content))
    assert {name: archive.read(name) for name in archive.namelist()} == {"a.txt": b"0123456789", "d/b.txt": b"b"}


async def test_what_is_deleted_is_removed_from_the_bucket(user: httpx.AsyncClient, remote: Api, s3: S3) -> None:
    own = await an_execution(user, remote, {"a.txt": b"a"})
    file = (await user.post("/v1/files?name=b.txt", content=b"b")).json()
    assert (await user.get(file["links"]["content"])).content == b"b"
    listed = await asyncio.to_thread(s3.ask, "GET", "?list-type=2")
    names = [own.rpartition("/")[2].encode(), file["id"].encode()]
    assert all(b"kept/here" in listed and name in listed for name in names)
    assert (await user.delete(own)).status_code == 204
    assert (await user.delete(file["links"]["self"])).status_code == 204
    await RetentionKeeper(remote.process).sweep()
    listed = await asyncio.to_thread(s3.ask, "GET", "?list-type=2")
    assert not any(name in listed for name in names)


async def test_a_store_that_is_away_is_told_from_a_file_that_is_gone(
    user: httpx.AsyncClient, remote: Api, s3: S3
) -> None:
    own = await an_execution(user, remote, {"a.txt": b"a"})
    await asyncio.to_thread(s3.stop)
    try:
        away = await user.get(f"{own}/outputs/a.txt")
        refused = await user.post("/v1/files?name=c.txt", content=b"c")
    finally:
        s3.start()
    assert (away.status_code, refused.status_code) == (503, 503)
    assert away.headers["retry-after"]
    assert (await user.get(f"{own}/outputs/a.txt")).content == b"a"
    assert (await user.get("/v1/files", params={"name": "c"})).json()["items"] == []
    assert not (remote.process.settings.data / "artifacts").exists()
