"""Batches with real containers: a pipeline passes files on, places are kept, the first failure ends it."""

import zipfile
from pathlib import Path
from typing import Any

from support.eventually import eventually
from support.history import check_history
from support.programs import until_it_says
from support.running import Json, Running
from tailrace import AsyncBatch, BatchRecord, Record

SUM = """
cd /tailrace/inputs && ls || exit 1
test -x right/n && ! test -x left/deep/n || exit 2
touch left/new 2> /dev/null && exit 3
echo $(($(cat left/deep/n) + $(cat right/n))) > /tailrace/outputs/sum
"""


async def submit(tailrace: Running, **fields: Any) -> AsyncBatch:
    return await tailrace.api.batch({"defaults": {"image": "busybox:local"}, **fields})


async def ended(batch: AsyncBatch) -> BatchRecord:
    """It once nothing of it is active."""
    return await batch.wait(120)


async def children(batch: AsyncBatch) -> list[Record]:
    return [child.record for child in await batch.handles()]


def shell(script: str, **fields: Any) -> Json:
    return {"command": ["sh", "-c", script], **fields}


async def test_a_pipeline_passes_files_on(tailrace: Running, tmp_path: Path) -> None:
    batch = await submit(
        tailrace,
        items=[
            shell("mkdir /tailrace/outputs/deep && echo 20 > /tailrace/outputs/deep/n", key="left"),
            shell("echo 22 > /tailrace/outputs/n; chmod +x /tailrace/outputs/n", key="right"),
            shell(
                SUM,
                key="sum",
                needs=["left", "right"],
            ),
        ],
    )
    assert (await ended(batch))["status"] == "succeeded"
    *_, last = await children(batch)
    assert await tailrace.output(last["id"], "sum") == b"42\n"
    assert await tailrace.log_text(last["id"]) == "left\nright\n"
    assert "The outputs of left, right are in place: 2 files." in await tailrace.log_text(last["id"], streams="system")
    await check_history(tailrace, last["id"])
    with zipfile.ZipFile(await batch.zip(tmp_path / "all.zip")) as archive:
        assert archive.namelist() == ["0-left/deep/n", "1-right/n", "2-sum/sum"]


async def test_a_pipeline_is_run_again_from_where_it_failed(tailrace: Running) -> None:
    batch = await submit(
        tailrace,
        items=[
            shell("echo kept > /tailrace/outputs/word", key="first"),
            shell("exit 3", key="second", needs=["first"]),
            shell("cat /tailrace/inputs/first/word", key="third", needs=["first", "second"]),
        ],
    )
    assert (await ended(batch))["status"] == "failed"
    _, failed, canceled = await children(batch)
    assert (failed["exit_code"], canceled["cause"]) == (3, "canceled_by_system")
    assert canceled["message"] == f"Canceled since it needs `second`, which has ended failed ({failed['id']})."
    again = await batch.rerun()
    assert (await ended(again))["status"] == "failed"
    second, third = await children(again)
    single = await (await tailrace.api.get(second.id)).rerun(command=["ls", "/tailrace/inputs"])
    assert (await single.wait(90)).status == "succeeded"
    assert await tailrace.log_text(single.id) == "first\n"
    assert (second["lineage"]["batch"]["index"], second["status"], third["status"]) == (1, "failed", "canceled")
    assert "The outputs of first are in place: 1 file." in await tailrace.log_text(second["id"], streams="system")


async def test_children_know_their_place_and_keep_to_the_limit(tailrace: Running) -> None:
    script = "echo $TAILRACE_BATCH_INDEX of $TAILRACE_BATCH_COUNT in $TAILRACE_BATCH_ID with $INPUT_N"
    batch = await submit(tailrace, items=[shell(script, inputs={"n": n}) for n in (5, 6, 7)], max_parallel=1)
    assert (await ended(batch))["status"] == "succeeded"
    items = await children(batch)
    assert [await tailrace.log_text(item["id"]) for item in items] == [
        f"{index} of 3 in {batch.id} with {index + 5}\n" for index in range(3)
    ]
    times = [(item["started_at"], item["finished_at"]) for item in items]
    assert sorted(time for pair in times for time in pair) == [time for pair in times for time in pair]


async def test_the_first_failure_stops_what_runs(tailrace: Running) -> None:
    batch = await submit(
        tailrace,
        defaults={"image": "busybox:local", "limits": {"grace": 1}},
        items=[shell("while true; do sleep 0.1; done"), shell("exit 1", hold=True), shell("true", hold=True)],
        fail_fast=True,
    )
    running, failing, _ = await batch.handles()
    await tailrace.reaches(running.id, "running")
    await failing.release()
    over = await ended(batch)
    assert (over["status"], over["stop"]["reason"]) == ("failed", "fail_fast")
    first, second, third = await children(batch)
    assert (second["status"], third["status"], first["status"]) == ("failed", "canceled", "canceled")
    assert {first["cause"], third["cause"]} == {"canceled_by_system"}
    why = f"Its batch fails fast. Child 1, {second['id']}, ended exit_nonzero."
    assert (first["message"], third["message"]) == (f"Canceled by system. {why}",) * 2
    assert second["id"] in over["stop"]["message"]
    await check_history(tailrace, first["id"])


async def test_a_child_finds_what_the_execution_it_is_about_has_left(tailrace: Running) -> None:
    one = await tailrace.submit("sh", "-c", "echo found > /tailrace/outputs/word; exit 1", labels={"set": "post"})
    await tailrace.ended(one)
    batch = await submit(
        tailrace,
        defaults={"image": "busybox:local", **shell("cat /tailrace/inputs/execution/word; echo $INPUT_EXECUTION")},
        query={"label": {"set": "post"}},
    )
    assert (await ended(batch))["status"] == "succeeded"
    (child,) = await children(batch)
    assert await tailrace.log_text(child["id"]) == f"found\n{one}\n"


async def test_a_batch_is_canceled_with_everything_that_runs(tailrace: Running) -> None:
    batch = await submit(
        tailrace,
        defaults={"image": "busybox:local", "limits": {"grace": 1}, **shell("echo up; while true; do sleep 0.1; done")},
        count=3,
        max_parallel=2,
    )

    async def two_run() -> bool:
        return bool((await batch.refresh()).progress.by_status["running"] == 2)

    await eventually(two_run, within=60)
    assert (await batch.cancel()).progress.by_status["canceled"] == 1
    over = await ended(batch)
    assert (over["status"], over["progress"]["by_status"]["canceled"]) == ("canceled", 3)
    assert {item["cause"] for item in await children(batch)} == {"canceled_by_user"}


async def test_a_batch_is_deleted_with_everything_that_runs(tailrace: Running) -> None:
    deaf = "trap '' TERM; echo deaf; while [ ! -f /tailrace/outputs/go ]; do sleep 0.1; done"
    batch = await submit(
        tailrace, defaults={"image": "busybox:local", "limits": {"grace": 300}}, items=[shell("true"), shell(deaf)]
    )
    first, second = [child["id"] for child in await children(batch)]
    await tailrace.ended(first)
    await until_it_says(tailrace, second, "deaf")
    await batch.delete()
    assert (await batch.refresh()).status == "stopping"
    (tailrace.data / "work" / second / "1" / "outputs" / "go").touch()

    async def is_gone() -> bool:
        return (await tailrace.request("GET", batch.record.links["self"])).status_code == 404

    await eventually(is_gone, within=90)
    assert (await tailrace.request("GET", f"/v1/executions/{second}")).status_code == 404
