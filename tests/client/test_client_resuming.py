"""What breaks while one watches: connections, servers, and lines that just fall silent."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from websockets.asyncio.server import ServerConnection, serve

from stack.ports import free_port
from support.eventually import eventually
from support.fault_proxy import FaultProxy
from support.own import StartOwn
from support.running import Running
from tailrace import AsyncClient, ConnectionFailed, Line, NotTailrace
from tailrace._aio.logs import LogReader

FLOOD = "for i in $(seq 10); do seq $((i * 4000 - 3999)) $((i * 4000)); sleep 0.1; done"


async def test_a_log_that_is_cut_again_and_again_is_whole(far: AsyncClient, line: FaultProxy) -> None:
    handle = await far.run("busybox:local", ["sh", "-c", FLOOD])
    await line.cut_after(200_000)
    followed = [item async for item in handle.logs(follow=True)]
    cuts = line.accepted
    await line.cut_after(40_000)
    read = [item async for item in handle.logs()]
    assert [int(item.text) for item in followed] == list(range(1, 40_001))
    assert read == followed
    assert cuts > 4
    assert line.accepted > cuts + 2


async def test_what_counts_from_the_end_is_counted_once(far: AsyncClient, line: FaultProxy) -> None:
    handle = await far.run("busybox:local", ["sh", "-c", "i=0; while :; do i=$((i + 1)); echo $i; sleep 0.02; done"])

    async def has_begun() -> bool:
        return (await handle.refresh()).log.lines > 10

    await eventually(has_begun)
    seen: list[int] = []
    async for item in handle.logs(follow=True, tail=3, since="10m", stream="stdout"):
        seen.append(int(item.text))
        if len(seen) % 10 == 3:
            await line.cut()
        if len(seen) == 40:
            await handle.kill()
    assert seen[0] > 1
    assert seen == list(range(seen[0], seen[0] + len(seen)))


async def test_a_submission_whose_answer_is_lost_is_one(
    far: AsyncClient, line: FaultProxy, aclient: AsyncClient
) -> None:
    name = uuid4().hex
    await line.lose_answer(b"POST /v1/executions")
    handle = await far.run("busybox:local", ["true"], name=name)
    assert line.lost == 1
    assert [record.id async for record in aclient.list(q=name)] == [handle.id]


async def test_a_server_that_is_not_there_is_told_after_a_while(tailrace: Running) -> None:
    async with AsyncClient(f"http://127.0.0.1:{free_port('127.0.0.1')}", tailrace.token, patience=0.3) as client:
        with pytest.raises(ConnectionFailed) as failed:
            await client.me()
        assert failed.value.hint


async def test_a_download_that_is_cut_goes_on_where_it_was(
    far: AsyncClient, line: FaultProxy, aclient: AsyncClient, tmp_path: Path
) -> None:
    content = os.urandom(2_500_000)
    file = await aclient.files.upload(content, name="large")
    await line.cut_after(1_000_000)
    before = line.accepted
    # No connection lives long enough for all of it.
    written = await far.files.download(file.id, tmp_path / "large")
    assert written.read_bytes() == content
    assert line.accepted - before >= 2
    assert await asyncio.to_thread(os.listdir, tmp_path) == ["large"]
    await aclient.files.delete(file.id)


async def test_a_server_that_is_away_is_told_once_and_so_is_that_it_is_back(
    far: AsyncClient, line: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    handle = await far.run("busybox:local", ["sh", "-c", "echo one; sleep 600"])
    seen: list[str] = []

    async def follow() -> None:
        async for item in handle.logs(follow=True):
            seen.append(item.text)  # noqa: PERF401  they are looked at meanwhile

    def told() -> list[str]:
        return [record.message for record in caplog.records if record.name == "tailrace"]

    following = asyncio.create_task(follow())
    await eventually(lambda: seen)
    await line.refuse()
    await eventually(lambda: len(told()) == 1)
    # Who asks meanwhile has nothing to add.
    asking = asyncio.create_task(far.me())
    await line.heal()
    await asking
    await eventually(lambda: len(told()) == 2)
    await handle.kill()
    await following
    assert told() == [
        f"No connection to {far.url} (Connection refused); trying again until it is back.",
        f"{far.url} is back.",
    ]
    assert seen == ["one"]


async def test_a_line_that_falls_silent_is_given_up(far: AsyncClient, line: FaultProxy) -> None:
    handle = await far.run("busybox:local", ["sh", "-c", "echo one; sleep 2; echo two"])
    reader = LogReader(far._transport, handle.id, {"streams": "stdout"}, quiet=0.5)
    lines: list[Line] = []
    async for page in reader.follow():
        lines += page
        if len(lines) == 1:
            # As after the sleep of a laptop: nobody hears that the connection is gone.
            await line.swallow()
            await line.heal()
    assert [item.text for item in lines] == ["one", "two"]


@asynccontextmanager
async def saying(answer: bytes) -> AsyncIterator[str]:
    """The address of a server that says this to everybody."""

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(act, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\n\r\nwelcome",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"220 mail.example.com ESMTP\r\n",
    ],
)
async def test_what_has_no_websockets_is_not_followed_for_ever(answer: bytes) -> None:
    async with saying(answer) as url, AsyncClient(url, "trt_known") as client:
        with pytest.raises(NotTailrace) as failed:
            await client.events().first()
    assert "WebSocket" in str(failed.value)
    assert failed.value.hint
    assert "proxy" in failed.value.hint


async def test_what_has_others_is_not_followed_either() -> None:
    async def greet(socket: ServerConnection) -> None:
        await socket.send(json.dumps(["hello"]))
        await socket.wait_closed()

    async with serve(greet, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with AsyncClient(f"http://127.0.0.1:{port}", "trt_known") as client:
            with pytest.raises(NotTailrace, match="something else is there"):
                await client.events().first()


async def test_events_are_followed_through_cuts(far: AsyncClient, line: FaultProxy, aclient: AsyncClient) -> None:
    mark = uuid4().hex
    other = await aclient.run("busybox:local", hold=True)
    begun = asyncio.create_task(aclient.events().first())

    async def has_begun() -> bool:
        await other.change(note=uuid4().hex)
        return begun.done()

    await eventually(has_begun)
    known = await begun
    assert known is not None
    handles = [await aclient.run("busybox:local", hold=True, labels={"mark": mark}) for _ in range(3)]
    seen: list[tuple[str | None, str | None]] = []
    async for told in far.events(after=known.cursor, label={"mark": mark}, status=["queued", "canceled"]):
        seen.append((told.id, told.status))
        if len(seen) == 3:
            await line.cut()
            for handle in handles:
                await handle.cancel()
        if len(seen) == 6:
            break
    assert seen == [(handle.id, status) for status in ("queued", "canceled") for handle in handles]
    assert line.accepted >= 2
    await other.cancel()


async def test_a_server_that_restarts_is_waited_for(own: StartOwn) -> None:
    tailrace = await own()
    script = "i=0; while [ $i -lt 40 ]; do i=$((i + 1)); echo $i; sleep 0.1; done"
    async with AsyncClient(tailrace.url, tailrace.token) as client:
        handle = await client.run("busybox:local", ["sh", "-c", script])
        waiting = asyncio.create_task((await client.get(handle.id)).wait(120, check=True))
        lines: list[str] = []
        async for item in handle.logs(follow=True):
            lines.append(item.text)
            if item.text == "3":
                await tailrace.stop("api")
                await tailrace.start("api", "app")
        assert lines == [str(number) for number in range(1, 41)]
        assert (await waiting).exit_code == 0
