"""The log, beside `docker logs -f`: lines per second, delay of a line, a thousand watchers, twenty floods at once.

Run it with `make bench`, or for all rounds with `python -m bench.logs`; it starts a stack of its own in a temporary
directory. Clients share the machine with what they measure, so figures are low and ratios count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.core import LINE, Bench, Row, compare, show
from bench.own import own_tailrace
from stack.engine import ensure_engine
from stack.images import ensure_images
from support.crowd import connections_of, stalled_watchers
from support.eventually import eventually
from support.running import REPOSITORY, Running

MIB = 2**20
# Waits for a file, then writes lines that begin with the time, so many per second and for so many seconds.
STAMPS = """
import os, sys, time
rate, count = int(sys.argv[1]), int(sys.argv[1]) * int(sys.argv[2])
batch = max(1, rate // 1000)
while not os.path.exists("/tailrace/outputs/go"):
    time.sleep(0.02)
begin = time.perf_counter()
for sent in range(0, count, batch):
    time.sleep(max(0.0, begin + sent / rate - time.perf_counter()))
    line = b"%d a line like any other, of some eighty bytes together\\n" % time.time_ns()
    os.write(1, line * batch)
"""


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int
    lines: int
    seconds: int
    watchers: tuple[int, ...]
    noisy: int
    noisy_lines: int


WHOLE = Extent(rounds=5, lines=500_000, seconds=20, watchers=(1, 100, 1000), noisy=20, noisy_lines=100_000)
SHORT = Extent(rounds=1, lines=200_000, seconds=5, watchers=(1, 100, 1000), noisy=20, noisy_lines=20_000)


@dataclass(frozen=True)
class Seen:
    """What so many watchers saw. Delays are milliseconds, `at_worker` is the p99 until the worker had a line; memory is
    bytes of the API process.
    """

    watchers: int
    frames: int
    lines: int
    wrong: int
    ended: int
    p50: float
    p99: float
    max: float
    at_worker: float
    memory: int

    def check(self, lines: int) -> None:
        if self.wrong or self.ended != self.watchers or self.lines != lines * self.watchers:
            raise RuntimeError(f"lines were lost or came twice: {self}, of {lines} lines")


class LogBench:
    def __init__(self, tailrace: Running, extent: Extent) -> None:
        self.tailrace = tailrace
        self.extent = extent

    async def flow(self) -> list[Row]:
        bench = Bench(self.tailrace, self.extent.lines)
        await bench.first_byte()
        watched = await compare(self.extent.rounds, bench.lines_per_second, bench.lines_per_second_of_docker_logs)
        alone = statistics.median([await self.unwatched() for _ in range(self.extent.rounds)])
        return [
            Row("container → durable → client", "lines/s", *watched, "docker logs -f", "≥ 2 ×"),
            Row("container → durable, nobody watches", "lines/s", alone, watched[0], "watched", ""),
        ]

    async def unwatched(self) -> float:
        """Lines per second, from the first to the committed end."""
        return await self.rate_of(await self.flood(self.extent.lines))

    async def flood(self, lines: int) -> str:
        return await self.tailrace.submit("sh", "-c", f"yes '{LINE}' | head -{lines}", limits={"log_bytes": "1GiB"})

    async def rate_of(self, execution: str) -> float:
        began, over = await self.span_of(execution)
        return (await self.tailrace.execution(execution))["log"]["lines"] / (over - began)

    async def span_of(self, execution: str) -> tuple[float, float]:
        """When its first line came and when its end was committed, in unix seconds."""
        record = await self.tailrace.ended(execution, within=600)
        if record["status"] != "succeeded":
            raise RuntimeError(f"it ended as {record['status']}, {record['cause']}")
        async with self.tailrace.tail(execution, "streams=stdout") as socket:
            async for message in socket:
                frame = json.loads(message)
                if frame["type"] == "lines":
                    return frame["lines"][0][0] / 1000, datetime.fromisoformat(record["finished_at"]).timestamp()
        raise RuntimeError("the log ended without a line")

    async def stamps(self, rate: int) -> str:
        execution = await self.tailrace.submit(
            "python3", "-c", STAMPS, str(rate), str(self.extent.seconds), image="python:local"
        )
        await self.tailrace.reaches(execution, "running")
        return execution

    def let_go(self, execution: str) -> None:
        (outputs,) = (self.tailrace.data / "work" / execution).glob("*/outputs")
        (outputs / "go").touch()

    async def watched(self, rate: int, watchers: int) -> Seen:
        """So many watchers of one execution that writes at this rate."""
        execution = await self.stamps(rate)
        before = self.memory()
        async with self.watching(execution, watchers) as process:
            self.let_go(execution)
            peak = await self.peak_until_ended(execution)
            seen = Seen(**await figures_of(process), watchers=watchers, memory=peak - before)
        seen.check(rate * self.extent.seconds)
        return seen

    @asynccontextmanager
    async def watching(self, execution: str, count: int) -> AsyncIterator[asyncio.subprocess.Process]:
        url = f"{self.tailrace.url}/v1/executions/{execution}/tail?streams=stdout,stderr,system"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.watchers", url, self.tailrace.token, str(count)),
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def memory(self) -> int:
        """Of the API process, bytes."""
        pages = Path(f"/proc/{self.tailrace.processes['api'].pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    async def peak_until_ended(self, execution: str) -> int:
        peak = 0
        ending = asyncio.create_task(self.tailrace.ended(execution, within=600))
        while not ending.done():
            peak = max(peak, self.memory())
            await asyncio.wait([ending], timeout=0.2)
        await ending
        return peak

    async def delays(self) -> list[Row]:
        rows = []
        for rate, targets in ((100, ("≤ 25 ms", "≤ 100 ms")), (10_000, ("", ""))):
            seen = await self.watched(rate, 1)
            for name, delay, target in zip(("p50", "p99"), (seen.p50, seen.p99), targets, strict=True):
                rows.append(Row(f"delay of a durable line at {rate:,} lines/s, {name}", "ms", delay, None, "", target))
        return rows

    async def crowds(self) -> list[Row]:
        rows = []
        one: Seen | None = None
        for count in self.extent.watchers:
            seen = await self.watched(100, count)
            one = one or seen
            what = f"{count:,} watchers" if count > 1 else "1 watcher"
            rows.append(Row(f"{what}, 100 lines/s: p99", "ms", seen.p99, one.p99, "1 watcher", "≤ 3 ×"))
            if count > 1:
                each = seen.memory / count / 1024
                rows.append(Row(f"{what}: memory of the API for each", "KiB", each, None, "", "≤ 100 KiB"))
                rows.append(Row(f"{what}: lines lost or repeated", "", seen.wrong, None, "", "0"))
        return rows

    async def standstill(self) -> list[Row]:
        """Watchers that take nothing of a log which is longer than all buffers."""
        execution = await self.flood(self.extent.lines)
        await self.tailrace.ended(execution, within=600)
        count = max(self.extent.watchers)
        before = self.memory()
        async with stalled_watchers(self.tailrace, execution, count):
            await eventually(lambda: connections_of(self.tailrace) >= count, within=120)
            await self.tailrace.frames(execution, "tail=1")
            each = (self.memory() - before) / count / 1024
        return [Row(f"{count:,} that stand still: memory of the API for each", "KiB", each, None, "", "")]

    async def crowd_of_floods(self) -> list[Row]:
        alone = await self.watched(100, 1)
        quiet = await self.stamps(100)
        async with self.watching(quiet, 1) as process:
            floods = await asyncio.gather(*(self.flood(self.extent.noisy_lines) for _ in range(self.extent.noisy)))
            self.let_go(quiet)
            spans = await asyncio.gather(*map(self.span_of, floods))
            beside = await figures_of(process)
        took = max(over for _, over in spans) - min(began for began, _ in spans)
        seconds = sorted(over - began for began, over in spans)
        count = self.extent.noisy
        total = self.extent.noisy_lines * count / took
        return [
            Row(f"{count} floods at once: all together", "lines/s", total, None, "", ""),
            Row(f"{count} floods at once: the slowest", "s", seconds[-1], seconds[0], "the fastest", ""),
            Row(f"a quiet one beside {count} floods: p99", "ms", beside["p99"], alone.p99, "alone", ""),
            Row("of this until the worker had the line", "ms", beside["at_worker"], alone.at_worker, "alone", ""),
        ]


async def figures_of(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    figures: dict[str, Any] = json.loads(await process.stdout.readline())
    return figures


async def run(extent: Extent, parts: list[str]) -> list[Row]:
    async with own_tailrace(slots=extent.noisy + 2) as tailrace:
        bench = LogBench(tailrace, extent)
        rows = []
        for part in parts:
            rows += await getattr(bench, part)()
        return rows


PARTS = ["flow", "delays", "crowds", "standstill", "crowd_of_floods"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="less of everything")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="only these")
    arguments = parser.parse_args()
    ensure_images(ensure_engine())
    rows = asyncio.run(run(SHORT if arguments.short else WHOLE, arguments.parts or PARTS))
    show(rows)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([{**asdict(row), "ratio": row.ratio} for row in rows], indent=2))


if __name__ == "__main__":
    main()
