"""The methods in `examples/`, taken in and run as their page says."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any

import pytest

from stack.engine import ensure_engine
from stack.examples import build_examples
from support.running import REPOSITORY, Json, Running
from tailrace import BatchRecord, Record

METHODS = sorted((REPOSITORY / "examples" / "methods").glob("*.yaml"))
TABLE = "height,weight,group\n" + "".join(f"{150 + n},{50 + n % 7},{'ab'[n % 2]}\n" for n in range(40))


@pytest.fixture(scope="module")
async def examples(tailrace: Running) -> Running:
    """An installation that has them all, published."""

    def build() -> None:
        with ensure_engine().client() as client:
            build_examples(client)

    await asyncio.to_thread(build)
    for path in METHODS:
        await tailrace.api.methods.load(path, publish=True)
    return tailrace


async def run(examples: Running, method: str, **fields: Any) -> Record:
    """The record of an execution by method that has ended well."""
    handle = await examples.api.submit({"method": method, **fields})
    return await handle.wait(90, check=True)


async def run_all(examples: Running, **fields: Any) -> tuple[BatchRecord, list[Record]]:
    """A batch that has ended well, and its children."""
    batch = await examples.api.batch(fields)
    ended = await batch.wait(180, check=True)
    return ended, [child.record for child in await batch.handles()]


async def outputs_of(examples: Running, record: Record) -> Json:
    """Paths and media types."""
    return {item["path"]: item["media_type"] for item in await examples.outputs(record.id)}


async def test_a_table_becomes_a_report(examples: Running) -> None:
    table = {"text": TABLE, "name": "people.csv"}
    record = await run(examples, "csv-report", inputs={"table": table, "by": "group", "bins": 5})
    assert record["result"] == {"rows": 40, "columns": 2}
    assert await outputs_of(examples, record) == {
        "plots/height.svg": "image/svg+xml",
        "plots/weight.svg": "image/svg+xml",
        "report.html": "text/html",
        "summary.json": "application/json",
    }
    summary = json.loads(await examples.output(record["id"], "summary.json"))
    assert summary["height"]["mean"] == 169.5
    assert summary["height"]["means"] == {"a": 169.0, "b": 170.0}
    assert b"mean of b" in await examples.output(record["id"], "report.html")


async def test_wines_are_sorted_and_the_experiment_is_short(examples: Running) -> None:
    record = await run(examples, "wine-kmeans", profile="experiment")
    assert (record["inputs"]["restarts"], record["limits"]["timeout"]) == (20, 60)
    assert (record["result"]["k"], record["result"]["sizes"]) == (3, [65, 62, 51])


async def test_images_are_a_batch(examples: Running) -> None:
    _, children = await run_all(
        examples, defaults={"method": "digit-sheet", "inputs": {"zoom": 2}}, matrix={"inputs": {"digit": [0, 4, 9]}}
    )
    assert [child["result"]["images"] for child in children] == [31, 29, 31]
    sheet = await examples.output(children[0]["id"], "sheet-0.png")
    assert sheet.startswith(b"\x89PNG\r\n\x1a\n")
    data = sheet[sheet.index(b"IDAT") + 4 : sheet.index(b"IEND") - 8]
    # 10 columns and 4 rows of 8 pixels with paper between, each as two by two; a byte before each line.
    assert len(zlib.decompress(data)) == (2 * 91 + 1) * 2 * (4 * 9 + 1)


async def test_chance_is_a_matrix(examples: Running) -> None:
    matrix = {"inputs": {"cultivar": [1, 3], "seed": [1, 2]}}
    _, children = await run_all(
        examples, defaults={"method": "wine-bootstrap", "inputs": {"draws": 500}}, matrix=matrix, max_parallel=4
    )
    found = [child["result"] for child in children]
    assert {each["mean"] for each in found} == {13.7447, 13.1538}
    assert all(each["low"] < each["mean"] < each["high"] for each in found)
    assert len({each["low"] for each in found}) == 4


async def test_two_steps_pass_a_table_on(examples: Running) -> None:
    batch, children = await run_all(examples, method="standard-report", inputs={"bins": 10})
    assert batch["progress"]["total"] == 2
    first, second = children
    assert await outputs_of(examples, first) == {"table.csv": "text/csv"}
    summary = json.loads(await examples.output(second["id"], "summary.json"))
    assert (summary["alcohol"]["mean"], summary["alcohol"]["deviation"]) == (0.0, 1.0)
    assert set(summary["alcohol"]["means"]) == {"1", "2", "3"}


async def test_a_shell_program_counts_down(examples: Running) -> None:
    record = await run(examples, "countdown", inputs={"steps": 3, "hashes": 10})
    assert await outputs_of(examples, record) == {"hash.txt": "text/plain"}
