"""The example programs: stopped and resumed they end exactly as when left alone."""

import csv
import json
import shutil
import signal
import sys
from xml.etree import ElementTree as ET

import pytest
from job_mount import REPOSITORY, Mount, finish, read_line

KMEANS = REPOSITORY / "examples" / "kmeans" / "kmeans.py"
COUNTDOWN = REPOSITORY / "examples" / "countdown.sh"
SHELLS = [["sh"], *([["busybox", "sh"]] if shutil.which("busybox") else [])]
CHUNKS = 28  # seven values of k, four chunks each


def output(mount: Mount) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in mount.outputs.iterdir()}


async def test_kmeans_stopped_after_every_chunk_ends_as_if_never_stopped(mount: Mount) -> None:
    mount.put("inputs.json", '{"restarts": 8}')
    whole = await mount.run(sys.executable, KMEANS)
    assert whole.code == 0, whole.err
    expected = output(mount)
    assert set(expected) == {"clusters.csv", "plot.svg", "result.json"}

    shutil.rmtree(mount.outputs)
    mount.outputs.mkdir()
    (mount.checkpoint / "search.json").unlink()
    mount.stop(reason="pause")
    for chunk in range(1, CHUNKS + 1):
        stopped = await mount.run(sys.executable, KMEANS)
        assert stopped.code == 85, stopped.err
        assert f"saving the checkpoint at chunk {chunk} of {CHUNKS}" in stopped.out
        assert (f"resuming after chunk {chunk - 1} of {CHUNKS}" in stopped.out) is (chunk > 1)
        assert output(mount) == {}
    resumed = await mount.run(sys.executable, KMEANS)
    assert resumed.code == 0, resumed.err
    assert output(mount) == expected


async def test_kmeans_finds_the_grapes(mount: Mount) -> None:
    mount.put("inputs.json", '{"restarts": 20}')
    assert (await mount.run(sys.executable, KMEANS)).code == 0
    result = json.loads((mount.outputs / "result.json").read_text())
    assert (result["k"], result["sizes"], result["silhouette"]) == (3, [65, 62, 51], 0.2849)
    assert result["adjusted_rand_index"] == 0.8975
    events = mount.events()
    assert events[0] == {"checkpoints": True} or {"checkpoints": True} in events
    assert {"result": result} in events
    assert events[-1] == {"progress": 100, "phase": "done"}
    rows = list(csv.DictReader((mount.outputs / "clusters.csv").read_text().splitlines()))
    assert [len([r for r in rows if r["cluster"] == cluster]) for cluster in "123"] == [65, 62, 51]
    picture = ET.parse(mount.outputs / "plot.svg").getroot()  # noqa: S314 (made by ourselves)
    dots = [e for e in picture.iter() if e.get("class") == "dot"]
    assert len(dots) == len(rows) + result["k"]  # and the legend


async def test_kmeans_stops_while_it_runs(mount: Mount) -> None:
    program = await mount.start(sys.executable, KMEANS)
    while not (await read_line(program)).startswith("chunk 2/"):
        assert program.returncode is None
    mount.stop(reason="cancel", by="ann")
    finished = await finish(program)
    assert finished.code == 85, finished.err
    done = json.loads((mount.checkpoint / "search.json").read_text())["done"]
    assert f"stop requested (cancel) by ann: saving the checkpoint at chunk {done} of {CHUNKS}\n" in finished.out


async def test_kmeans_does_not_mix_two_searches(mount: Mount) -> None:
    mount.put("inputs.json", '{"restarts": 4}')
    assert (await mount.run(sys.executable, KMEANS)).code == 0
    mount.put("inputs.json", '{"restarts": 5}')
    again = await mount.run(sys.executable, KMEANS)
    assert again.code == 0
    assert "the checkpoint is of a search with other inputs: starting anew\nchunk 1/" in again.out


@pytest.mark.parametrize("restarts", ["0", '"many"', "2.5", "null"])
async def test_kmeans_refuses_a_bad_input_in_a_sentence(mount: Mount, restarts: str) -> None:
    mount.put("inputs.json", f'{{"restarts": {restarts}}}')
    finished = await mount.run(sys.executable, KMEANS)
    assert finished.code == 1
    assert finished.err.startswith("input restarts: a whole number from 1 is needed, not ")


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
async def test_the_countdown_stopped_at_every_number_ends_as_if_never_stopped(mount: Mount, shell: list[str]) -> None:
    inputs = {"INPUT_STEPS": "4", "INPUT_HASHES": "5"}
    whole = await mount.run(*shell, COUNTDOWN, **inputs)
    assert whole.code == 0, whole.err
    expected = output(mount)
    assert whole.out.splitlines()[:-1] == ["counting down from 4", "4", "3", "2", "1"]
    assert mount.events() == [
        {"checkpoints": True},
        *({"progress": percent, "phase": "counting"} for percent in (25, 50, 75, 100)),
        {"result": {"steps": 4, "sha256": expected["hash.txt"].decode().strip()}},
    ]

    (mount.outputs / "hash.txt").unlink()
    (mount.checkpoint / "n").unlink()
    mount.stop(reason="pause")
    for number in (3, 2, 1, 0):
        stopped = await mount.run(*shell, COUNTDOWN, **inputs)
        assert stopped.code == 85, stopped.err
        assert stopped.out.endswith(f"stop requested: the checkpoint is at {number}\n")
        assert [path.name for path in mount.checkpoint.iterdir()] == ["n"]
    resumed = await mount.run(*shell, COUNTDOWN, **inputs)
    assert resumed.code == 0, resumed.err
    assert resumed.out.startswith("resuming at 0\nlift-off: ")
    assert output(mount) == expected


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
async def test_the_countdown_stops_on_sigterm(mount: Mount, shell: list[str]) -> None:
    program = await mount.start(*shell, COUNTDOWN, INPUT_STEPS="1000", INPUT_HASHES="20")
    while await read_line(program) != "998":
        assert program.returncode is None
    program.send_signal(signal.SIGTERM)
    finished = await finish(program)
    assert finished.code == 85, finished.err
    assert (mount.checkpoint / "n").read_text().split()[1] == "1000"


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
async def test_the_countdown_runs_on_a_laptop(mount: Mount, shell: list[str]) -> None:
    finished = await mount.run(*shell, COUNTDOWN, mounted=False, INPUT_STEPS="1", INPUT_HASHES="1")
    assert finished.code == 0, finished.err
    assert (mount.home / "outputs" / "hash.txt").exists()


async def test_the_countdown_refuses_a_bad_input_in_a_sentence(mount: Mount) -> None:
    finished = await mount.run("sh", COUNTDOWN, INPUT_STEPS="many")
    assert (finished.code, finished.err) == (
        2,
        "inputs steps and hashes: whole numbers are needed, not many and 1000\n",
    )
