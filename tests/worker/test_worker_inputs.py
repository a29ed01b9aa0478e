"""The input files of an attempt, fetched from hosts that may do anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import web

from app.bootstrap import Process
from app.executions.states import Cause
from app.files.model import FileSource
from support.receiver import Received, Receiver, receiving
from support.records import Records, opened
from support.shelf import Shelf
from worker import inputs
from worker.context import WorkerContext
from worker.engine.docker import DockerRuntime
from worker.inputs import InputFiles
from worker.log_writer import LogWriter
from worker.over import Over
from worker.story import Story
from worker.workspace import Workspace

LIMIT = 100_000


@pytest.fixture(scope="module")
async def fetching(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Process]:
    """A process that may fetch from this host, by one of its names."""
    allowed = {"outbound_allow": "localhost", "input_urls": "localhost", "file_limit": LIMIT}
    async with opened(database_url, redis_url, tmp_path_factory.mktemp("data"), **allowed) as process:
        yield process


@pytest.fixture
async def host() -> AsyncIterator[Receiver]:
    async with receiving("localhost") as receiver:
        yield receiver


async def place(process: Process, files: dict[str, FileSource]) -> Path:
    """What an execution with these files finds; where the inputs lie."""
    records = await Records.of(process)
    claim = await records.claim()
    context = WorkerContext(process, DockerRuntime(), records.worker, LogWriter(process.database, process.hints))
    workspace = Workspace(process.settings.data, uuid4(), 1)
    workspace.create(inputs={})
    story = Story(context, claim.record, Shelf().sink())
    try:
        await InputFiles(context, files, workspace, story).place()
    finally:
        await records.end(claim.lease, Cause.SPEC_REJECTED, kept=None, ran=False)
    return workspace.root / "mount" / "inputs"


async def test_a_file_is_fetched_whole_and_nobody_may_write_it(fetching: Process, host: Receiver) -> None:
    content = bytes(range(256)) * 256

    async def act(_: Received) -> web.StreamResponse:
        return web.Response(body=content)

    host.act = act
    source = FileSource(url=f"{host.url}/a?b=c", sha256=sha256(content).hexdigest())
    found = await place(fetching, {"d/e/a.bin": source})
    assert (found / "d/e/a.bin").read_bytes() == content
    assert (found / "d/e/a.bin").stat().st_mode & 0o777 == 0o644
    assert [received.path for received in host.received] == ["/a?b=c"]


async def test_what_is_given_and_what_is_uploaded_is_there_too(fetching: Process) -> None:
    found = await place(fetching, {"a/b.txt": FileSource(text="ü"), "a/c": FileSource(base64="AAE=")})
    assert ((found / "a/b.txt").read_text(), (found / "a/c").read_bytes()) == ("ü", b"\0\1")


@pytest.mark.parametrize("status", [404, 403, 204])
async def test_what_is_not_there_ends_it(status: int, fetching: Process, host: Receiver) -> None:
    host.answer(status)
    with pytest.raises(Over, match=f"HTTP {status}") as over:
        await place(fetching, {"a": FileSource(url=f"{host.url}/a")})
    assert (over.value.outcome.cause, over.value.ran) == (Cause.SPEC_REJECTED, False)
    assert len(host.received) == 1


async def test_what_may_pass_is_tried_again(fetching: Process, host: Receiver) -> None:
    async def act(_: Received) -> web.StreamResponse:
        return web.Response(status=503) if len(host.received) < inputs.FETCH_TRIES else web.Response(text="third")

    host.act = act
    found = await place(fetching, {"a": FileSource(url=f"{host.url}/a")})
    assert (found / "a").read_text() == "third"


async def test_a_file_has_no_more_bytes_than_it_may(fetching: Process, host: Receiver) -> None:
    async def act(_: Received) -> web.StreamResponse:
        return web.Response(body=b"x" * (LIMIT + 1))

    host.act = act
    with pytest.raises(Over, match=r"gives more than 100\.0 KB|gives more than 97\.7 KiB"):
        await place(fetching, {"a": FileSource(url=f"{host.url}/a")})


async def test_all_urls_together_give_no_more_than_they_may(
    database_url: str, redis_url: str, tmp_path: Path, host: Receiver
) -> None:
    host.answer(200, "x" * 60)
    allowed = {"outbound_allow": "localhost", "input_urls": "localhost", "input_urls_limit": 120}
    async with opened(database_url, redis_url, tmp_path, **allowed) as process:
        files = {name: FileSource(url=f"{host.url}/{name}") for name in "abc"}
        found = await place(process, {name: files[name] for name in "ab"})
        assert [len((found / name).read_text()) for name in "ab"] == [60, 60]
        with pytest.raises(Over, match=r"With its input `c` its URLs give more than 120 B together") as over:
            await place(process, files)
    assert over.value.outcome.cause is Cause.SPEC_REJECTED


async def test_other_bytes_than_were_promised_are_not_taken(fetching: Process, host: Receiver) -> None:
    host.answer(200, "other")
    with pytest.raises(Over, match="another SHA-256"):
        await place(fetching, {"a": FileSource(url=f"{host.url}/a", sha256="0" * 64)})


async def test_a_redirect_leads_to_no_other_host(fetching: Process, host: Receiver) -> None:
    host.answer(302, Location="http://169.254.169.254/latest/meta-data/")
    with pytest.raises(Over, match="an address that is not public"):
        await place(fetching, {"a": FileSource(url=f"{host.url}/a")})


async def test_a_redirect_does_not_lead_through_another_host_either(
    database_url: str, redis_url: str, tmp_path: Path, host: Receiver
) -> None:
    through = host.url.replace("localhost", "127.0.0.1")

    async def act(received: Received) -> web.StreamResponse:
        onward = {"/a": f"{through}/b", "/b": f"{host.url}/c"}.get(received.path)
        return web.Response(status=302, headers={"Location": onward}) if onward else web.Response(text="there")

    host.act = act
    allowed = {"outbound_allow": "localhost, 127.0.0.1", "input_urls": "localhost"}
    async with opened(database_url, redis_url, tmp_path, **allowed) as process:
        with pytest.raises(Over, match="this worker fetches nothing"):
            await place(process, {"a": FileSource(url=f"{host.url}/a")})
    assert [received.path for received in host.received] == ["/a"]


async def test_a_redirect_on_the_same_host_is_followed(fetching: Process, host: Receiver) -> None:
    async def act(received: Received) -> web.StreamResponse:
        if received.path == "/a":
            return web.Response(status=302, headers={"Location": f"{host.url}/b"})
        return web.Response(text="there")

    host.act = act
    found = await place(fetching, {"a": FileSource(url=f"{host.url}/a")})
    assert (found / "a").read_text() == "there"


async def test_a_worker_fetches_nothing_that_its_own_settings_do_not_allow(
    database_url: str, redis_url: str, tmp_path: Path, host: Receiver
) -> None:
    async with opened(database_url, redis_url, tmp_path, outbound_allow="localhost") as process:
        with pytest.raises(Over, match="this worker fetches nothing"):
            await place(process, {"a": FileSource(url=f"{host.url}/a")})
    assert host.received == []


async def test_an_address_of_this_network_is_not_connected_to(
    database_url: str, redis_url: str, tmp_path: Path, host: Receiver
) -> None:
    async with opened(database_url, redis_url, tmp_path, input_urls="*") as process:
        with pytest.raises(Over, match="a host with a public address"):
            await place(process, {"a": FileSource(url=f"{host.url}/a")})
    assert host.received == []
