"""The way of an execution through the client."""

import asyncio
from pathlib import Path

import pytest

from tailrace import AsyncClient, Client, Conflict, ExecutionFailed, Gap, Invalid, NotFound, Record, WaitTimeout

SCRIPT = """
echo one; echo two >&2; printf thr; sleep 1.3; echo ee
mkdir /tailrace/outputs/deep; echo 1 > '/tailrace/outputs/deep/a #%1.csv'; echo hi > /tailrace/outputs/hi.txt
"""


def test_it_runs_and_tells_and_leaves_files(client: Client, tmp_path: Path) -> None:
    handle = client.run("busybox:local", ["sh", "-c", SCRIPT], name="course", labels={"team": "a=b"})
    lines = list(handle.logs(follow=True, stream=["stdout", "stderr", "system"]))
    told = "".join(f"{line.text}{line.end}" for line in lines if line.stream == "stdout")
    assert told == "one\nthree\n"
    assert [line.text for line in lines if line.stream == "stderr"] == ["two"]
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))

    record = handle.wait(60, check=True)
    assert record is handle.record
    assert (record.status, record.cause, record.exit_code, record.labels) == ("succeeded", "ok", 0, {"team": "a=b"})
    assert list(handle.logs(tail=2, stream="stdout")) == [line for line in lines if line.stream == "stdout"][-2:]

    files = handle.outputs.download(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in files] == ["deep/a #%1.csv", "hi.txt"]
    assert (tmp_path / "hi.txt").read_text() == "hi\n"
    assert handle.outputs.text("deep/a #%1.csv") == "1\n"
    assert handle.outputs.zip(tmp_path / "all.zip").stat().st_size > 100
    assert [event.to for event in handle.events()][-1] == "succeeded"
    assert len(handle.attempts()) == 1
    assert "busybox:local" in handle.code("python")
    assert record.id in [found.id for found in client.list(label={"team": "a=b"}, status="succeeded")]


def test_what_is_wrong_is_told_by_its_kind(client: Client) -> None:
    with pytest.raises(Invalid) as wrong:
        client.submit({"image": "", "colour": "red", "limits": {"timeout": -1}})
    assert {error["field"] for error in wrong.value.errors} >= {"colour", "limits.timeout"}
    with pytest.raises(NotFound):
        client.get("01a1fc28-1093-71a3-9f09-0315d31d4c8a")
    failed = client.run("busybox:local", ["sh", "-c", "exit 3"])
    with pytest.raises(ExecutionFailed) as ended:
        failed.wait(60, check=True)
    assert ended.value.record.exit_code == 3
    with pytest.raises(Conflict):
        failed.cancel()
    again = failed.rerun(command=["true"])
    assert again.wait(60, check=True).lineage.rerun_of == failed.id


def test_a_stop_from_elsewhere_is_noticed_at_once(client: Client) -> None:
    handle = client.run("busybox:local", ["sleep", "600"], limits={"grace": 1})
    with pytest.raises(WaitTimeout):
        handle.wait(0.5)
    before = client.get(handle.id)
    handle.kill()
    assert handle.wait(60).status == "canceled"
    assert handle.status.canceled
    # What has ended is not told as it was before, however short the wait.
    assert before.wait(0).status == "canceled"
    handle.delete()
    with pytest.raises(NotFound):
        handle.refresh()


async def test_the_same_without_blocking(aclient: AsyncClient) -> None:
    handles = await asyncio.gather(*(aclient.run("busybox:local", ["echo", str(n)]) for n in range(3)))
    await asyncio.gather(*(handle.wait(60, check=True) for handle in handles))
    assert [[line.text async for line in handle.logs()] for handle in handles] == [["0"], ["1"], ["2"]]


async def test_who_waits_may_act_at_a_change(aclient: AsyncClient) -> None:
    handle = await aclient.run("busybox:local", ["sleep", "600"])

    async def kill(record: Record) -> None:
        if record.status == "running":
            await handle.kill()

    assert (await handle.wait(60, on_change=kill)).status == "canceled"


async def test_only_newlines_end_lines(aclient: AsyncClient) -> None:
    handle = await aclient.run("busybox:local", ["echo", "a\u2028b\u0085c\x0cd"])
    followed = [line.text async for line in handle.logs(follow=True)]
    assert followed == ["a\u2028b\u0085c\x0cd"] == [line.text async for line in handle.logs()]


async def test_what_is_not_kept_of_a_log_is_told(aclient: AsyncClient) -> None:
    handle = await aclient.run("busybox:local", ["seq", "30000"], limits={"log_bytes": "64KiB"})
    await handle.wait(60)
    for lines in ([line async for line in handle.logs()], [line async for line in handle.logs(follow=True)]):
        (gap,) = [line for line in lines if isinstance(line, Gap)]
        assert gap.reason == "log_limit"
        assert gap.stream == "gap"
        assert len(lines) - 1 + gap.last - gap.first + 1 == 30000
