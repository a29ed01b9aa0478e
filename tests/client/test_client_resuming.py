"""What breaks while one watches: connections, servers, and lines that just fall silent."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from stack.ports import free_port
from support.eventually import eventually
from support.fault_proxy import FaultProxy, fault_proxy
from support.own import StartOwn
from support.running import Running
from tailrace import AsyncClient, ConnectionFailed, Line
from tailrace._aio.logs import LogReader

FLOOD = "for i in $(seq 10); do seq $((i * 4000 - 3999)) $((i * 4000)); sleep 0.1; done"


@pytest.fixture
async def line(tailrace: Running) -> AsyncIterator[FaultProxy]:
    """A line to the API that can break."""
    async with fault_proxy(("127.0.0.1", 0), ("127.0.0.1", int(tailrace.url.rpartition(":")[2]))) as proxy:
        yield proxy


@pytest.fixture
async def far(tailrace: Running, line: FaultProxy) -> AsyncIterator[AsyncClient]:
    """A client behind that line."""
    async with AsyncClient(f"http://127.0.0.1:{line.port}", tailrace.token) as client:
        yield client


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
