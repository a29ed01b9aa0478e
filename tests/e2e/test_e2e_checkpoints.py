"""What a program leaves behind: outputs however it ends, and checkpoints that another execution goes on from."""

import io
import zipfile

import pytest

from support.history import check_history
from support.programs import the_attempt, until_it_says
from support.running import Running

COUNT = """
echo '{"checkpoints": true}' >> /tailrace/events
read -r n < /tailrace/checkpoint/n || n=0
echo "begins at $n"
while [ "$n" -lt "$1" ]; do
    n=$((n + 1))
    echo "$n" > /tailrace/checkpoint/.n.tmp && mv /tailrace/checkpoint/.n.tmp /tailrace/checkpoint/n
    echo "$n" > /tailrace/outputs/count
    echo "counted $n"
    [ -f /tailrace/stop ] && exit 85
    sleep 0.05
done
echo finished
"""


async def count(tailrace: Running, to: int, **fields: object) -> str:
    return await tailrace.submit("sh", "-c", COUNT, "count", str(to), limits={"grace": 300}, **fields)


async def stop_after(tailrace: Running, execution: str, line: str) -> None:
    await until_it_says(tailrace, execution, line)
    assert (await tailrace.cancel(execution)).status_code == 202


async def first_line(tailrace: Running, execution: str) -> str:
    return (await tailrace.log_text(execution)).splitlines()[0]


async def test_a_stopped_program_goes_on_from_its_checkpoint_and_again_from_the_next(tailrace: Running) -> None:
    first = await count(tailrace, 100_000)
    await stop_after(tailrace, first, "counted 3")
    record = await check_history(tailrace, first)
    assert (record["status"], record["exit_code"]) == ("canceled", 85)
    assert record["message"] == "Canceled by admin; it saved a checkpoint first."
    reached = int(await tailrace.output(first, "count"))
    assert reached >= 3

    second = await count(tailrace, 100_000, resume_from=first)
    await stop_after(tailrace, second, f"counted {reached + 3}")
    record = await check_history(tailrace, second)
    assert (record["status"], record["lineage"]["resumed_from"]) == ("canceled", first)
    assert await first_line(tailrace, second) == f"begins at {reached}"
    further = int(await tailrace.output(second, "count"))
    assert further >= reached + 3

    third = await count(tailrace, further + 2, resume_from=second)
    record = await check_history(tailrace, third)
    assert record["status"] == "succeeded"
    lines = (await tailrace.log_text(third)).splitlines()
    assert lines == [f"begins at {further}", f"counted {further + 1}", f"counted {further + 2}", "finished"]

    # Neither the second nor the third touched what the first had left.
    again = await count(tailrace, reached, resume_from=first)
    assert (await check_history(tailrace, again))["status"] == "succeeded"
    assert await tailrace.log_text(again) == f"begins at {reached}\nfinished\n"


async def test_a_checkpoint_is_a_copy_with_its_tree_and_modes(tailrace: Running) -> None:
    saves = """
        mkdir -p /tailrace/checkpoint/a/b && cd /tailrace/checkpoint
        head -c 3000000 /dev/urandom > a/b/random && md5sum a/b/random
        echo 'echo executed' > run && chmod +x run; touch empty; echo plain > 'with space'
    """
    first = await tailrace.submit("sh", "-c", saves)
    record = await check_history(tailrace, first)
    assert (record["status"], record["warnings"]) == ("succeeded", [])
    checks = """
        cd /tailrace/checkpoint && md5sum a/b/random && ./run && test -f empty && cat 'with space'
        echo more >> a/b/random && echo new > a/b/new && rm run && find . -type f | sort
    """
    for user in ("0:0", "65534:65534"):
        second = await tailrace.submit("sh", "-c", checks, resume_from=first, user=user)
        assert (await check_history(tailrace, second))["exit_code"] == 0
        expected = await tailrace.log_text(first) + "executed\nplain\n./a/b/new\n./a/b/random\n./empty\n./with space\n"
        assert await tailrace.log_text(second) == expected


LEAVES = "mkdir -p /tailrace/outputs/d && echo yes > /tailrace/outputs/d/file && echo 1 > /tailrace/checkpoint/c; "
WAYS = {
    "success": (LEAVES + "exit 0", "succeeded", False),
    "failure": (LEAVES + "exit 9", "failed", True),
    "timeout": (LEAVES + "exec sleep 600", "timed_out", True),
    "cancel": (LEAVES + "echo ready; exec sleep 600", "canceled", True),
    "kill": (LEAVES + "kill -9 $$", "failed", True),
}


@pytest.mark.parametrize("way", WAYS)
async def test_outputs_are_collected_on(way: str, tailrace: Running) -> None:
    program, status, partial = WAYS[way]
    limits = {"timeout": 1} if way == "timeout" else {}
    execution = await tailrace.submit("sh", "-c", program, limits=limits)
    if way == "cancel":
        await stop_after(tailrace, execution, "ready")
    record = await check_history(tailrace, execution)
    assert record["status"] == status
    assert record["outputs"] == {"files": 1, "bytes": 4, "partial": partial, "expired_at": None}
    (file,) = await tailrace.outputs(execution)
    assert (file["path"], file["bytes"]) == ("d/file", 4)
    assert await tailrace.output(execution, "d/file") == b"yes\n"
    assert (await the_attempt(tailrace, execution))["checkpoint_files"] == 1


async def test_all_outputs_come_as_one_zip(tailrace: Running) -> None:
    program = """
        cd /tailrace/outputs && mkdir -p plots && echo 1,2 > table.csv && echo '<svg/>' > plots/a.svg
        head -c 2000000 /dev/urandom > random && md5sum random | cut -d ' ' -f 1
    """
    execution = await tailrace.submit("sh", "-c", program)
    record = await check_history(tailrace, execution)
    assert record["outputs"]["files"] == 3
    response = await tailrace.request("GET", f"/v1/executions/{execution}/outputs.zip")
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert contents["table.csv"] == b"1,2\n"
    assert contents["plots/a.svg"] == b"<svg/>\n"
    assert contents["random"] == await tailrace.output(execution, "random")


async def test_an_execution_without_outputs_has_an_empty_zip(tailrace: Running) -> None:
    execution = await tailrace.submit("true")
    await check_history(tailrace, execution)
    assert await tailrace.outputs(execution) == []
    response = await tailrace.request("GET", f"/v1/executions/{execution}/outputs.zip")
    assert zipfile.ZipFile(io.BytesIO(response.content)).namelist() == []


async def test_outputs_over_the_limit_of_bytes_are_left_out_and_the_record_says_so(tailrace: Running) -> None:
    program = "cd /tailrace/outputs && echo a > a && head -c 5000 /dev/zero > b && echo c > c"
    execution = await tailrace.submit("sh", "-c", program, limits={"output_bytes": 1000})
    record = await check_history(tailrace, execution)
    assert record["status"] == "succeeded"
    assert record["outputs"] == {"files": 2, "bytes": 4, "partial": True, "expired_at": None}
    (warning,) = record["warnings"]
    assert warning["code"] == "output_left_out"
    assert "limit on bytes" in warning["message"]


async def test_outputs_over_the_limit_of_files_are_left_out_and_the_record_says_so(tailrace: Running) -> None:
    program = "cd /tailrace/outputs && for i in $(seq 20); do echo $i > $i; done"
    execution = await tailrace.submit("sh", "-c", program, limits={"output_files": 5})
    record = await check_history(tailrace, execution)
    assert (record["outputs"]["files"], record["outputs"]["partial"]) == (5, True)
    (warning,) = record["warnings"]
    assert warning["code"] == "output_left_out"
    assert "more than 5 files" in warning["message"]


async def test_half_a_checkpoint_is_no_checkpoint(tailrace: Running) -> None:
    program = "cd /tailrace/checkpoint && echo small > a && head -c 5000 /dev/zero > b"
    execution = await tailrace.submit("sh", "-c", program, limits={"checkpoint_bytes": 1000})
    record = await check_history(tailrace, execution)
    assert record["status"] == "succeeded"
    assert [warning["code"] for warning in record["warnings"]] == ["checkpoint_not_kept"]
    body = {"image": "busybox:local", "resume_from": execution}
    refused = await tailrace.request("POST", "/v1/executions", json=body)
    assert refused.status_code == 422
    assert "checkpoint" in refused.text


async def test_what_still_runs_cannot_be_resumed_from(tailrace: Running) -> None:
    execution = await tailrace.submit("sleep", "600")
    body = {"image": "busybox:local", "resume_from": execution}
    refused = await tailrace.request("POST", "/v1/executions", json=body)
    assert refused.status_code == 422
    await tailrace.cancel(execution, force=True)
    await check_history(tailrace, execution)
