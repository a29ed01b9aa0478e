"""One execution end to end, beside `docker run` and `docker logs -f`: latency of a start, lines per second, dispatch.

Each round measures Tailrace and its peer one after the other, so that both meet the same noise; the figures are
medians of the rounds and their ratio. Run it with `make bench`; it starts a stack of its own in a temporary directory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.own import own_tailrace
from stack.engine import ensure_engine
from stack.images import ensure_images
from support.running import Running

IMAGE = "busybox:local"
LINE = "a line of one hundred bytes, as programs write them when they are in a hurry to tell what they did to"
DOCKER_TRIES = 5
Measure = Callable[[], Awaitable[float]]


@dataclass(frozen=True)
class Row:
    """One comparison: `ours` and `theirs` are medians; the ratio is read as in the target."""

    what: str
    unit: str
    ours: float
    theirs: float | None
    peer: str
    target: str

    @property
    def ratio(self) -> float | None:
        return None if self.theirs is None else self.ours / self.theirs


async def compare(rounds: int, ours: Measure, theirs: Measure) -> tuple[float, float]:
    pairs = [(await ours(), await theirs()) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


async def docker(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "docker", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, limit=2**20
    )


class Bench:
    def __init__(self, tailrace: Running, lines: int) -> None:
        self.tailrace = tailrace
        self.lines = lines

    async def first_byte(self) -> float:
        """Milliseconds from the request to the first line at a WebSocket client."""
        began = time.perf_counter()
        execution = await self.tailrace.submit("echo", "hi")
        async with self.tailrace.tail(execution, "streams=stdout") as socket:
            async for message in socket:
                if '"lines"' in str(message)[:20]:
                    return (time.perf_counter() - began) * 1000
        raise RuntimeError("the log ended without a line")

    async def first_byte_of_docker_run(self) -> float:
        began = time.perf_counter()
        process = await docker("run", "--rm", "--network", "none", IMAGE, "echo", "hi")
        assert process.stdout is not None
        await process.stdout.readline()
        elapsed = (time.perf_counter() - began) * 1000
        await process.communicate()
        return elapsed

    @property
    def flood(self) -> list[str]:
        return ["sh", "-c", f"yes '{LINE}' | head -{self.lines}"]

    async def lines_per_second(self) -> float:
        """From the first line at the client to the last, all of them durable."""
        execution = await self.tailrace.submit(*self.flood, limits={"log_bytes": "4GiB"})
        times: list[float] = []
        count = 0
        async with self.tailrace.tail(execution, "streams=stdout") as socket:
            async for message in socket:
                # Counting quotes is cheaper than parsing, and enough: every line has one time, stream and text.
                if lines := str(message).count('"o",'):
                    times.append(time.perf_counter())
                    count += lines
        elapsed = times[-1] - times[0]
        if count != self.lines:
            raise RuntimeError(f"{count} of {self.lines} lines arrived")
        return self.lines / elapsed

    async def lines_per_second_of_docker_logs(self) -> float:
        """Of an equal container on a log that does not rotate: with the default driver options lines get lost.

        Now and then `docker logs -f` ends too early even so; then another container is followed.
        """
        for _ in range(DOCKER_TRIES):
            count, elapsed = await self._follow_docker_logs()
            if count == self.lines:
                return self.lines / elapsed
        raise RuntimeError(f"docker logs -f gave {count} of {self.lines} lines")

    async def _follow_docker_logs(self) -> tuple[int, float]:
        log = ("--log-opt", "max-size=4g", "--log-opt", "max-file=1", "--log-opt", "compress=false")
        options = ("--network", "none", "--log-driver", "local", *log)
        created = await docker("run", "-d", *options, IMAGE, *self.flood)
        name = (await created.communicate())[0].decode().strip()
        try:
            follower = await docker("logs", "-f", name)
            assert follower.stdout is not None
            times: list[float] = []
            count = 0
            while piece := await follower.stdout.read(2**20):
                times.append(time.perf_counter())
                count += piece.count(b"\n")
            elapsed = times[-1] - times[0]
        finally:
            await (await docker("rm", "-f", name)).communicate()
        return count, elapsed

    async def dispatch(self, rounds: int) -> float:
        """Milliseconds from accepted to claimed, on the database's clock; the median."""
        delays = []
        for _ in range(rounds):
            execution = await self.tailrace.submit("true")
            record = await self.tailrace.ended(execution)
            events = await self.tailrace.events(execution)
            claimed = next(event for event in events if event["to"] == "preparing")
            waited = datetime.fromisoformat(claimed["at"]) - datetime.fromisoformat(record["created_at"])
            delays.append(waited.total_seconds() * 1000)
        return statistics.median(delays)


async def measure(tailrace: Running, *, rounds: int, lines: int) -> list[Row]:
    bench = Bench(tailrace, lines)
    await bench.first_byte()
    start = await compare(rounds, bench.first_byte, bench.first_byte_of_docker_run)
    flow = await compare(max(1, rounds // 4), bench.lines_per_second, bench.lines_per_second_of_docker_logs)
    return [
        Row("submit → first line at a client, cold", "ms", *start, "docker run", "≤ 0.5 ×"),
        Row("container → durable → client", "lines/s", *flow, "docker logs -f", "≥ 2 ×"),
        Row("accepted → claimed, idle", "ms", await bench.dispatch(rounds), None, "", "≤ 30 ms"),
    ]


def show(rows: list[Row]) -> None:
    table = Table("what", "unit", "Tailrace", "peer", "ratio", "target")
    for row in rows:
        peer = "" if row.theirs is None else f"{row.theirs:,.1f} ({row.peer})"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.what, row.unit, f"{row.ours:,.1f}", peer, ratio, row.target)
    Console().print(table)


async def run(*, rounds: int, lines: int) -> list[Row]:
    """On a stack of its own, which is gone afterwards."""
    async with own_tailrace(slots=4) as tailrace:
        return await measure(tailrace, rounds=rounds, lines=lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    ensure_images(ensure_engine())
    rows = asyncio.run(run(rounds=arguments.rounds, lines=arguments.lines))
    show(rows)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([{**asdict(row), "ratio": row.ratio} for row in rows], indent=2))


if __name__ == "__main__":
    main()
