"""Watchers in crowds, on thin lines and at several APIs: each gets every line once, in order, and nobody waits."""

import asyncio
import hashlib
import random
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from typing_extensions import override
from websockets.exceptions import WebSocketException

from stack.ports import free_port
from support.crowd import follow_through, peak_memory
from support.eventually import eventually
from support.history import check_history
from support.logs import Follower, raw_log
from support.own import StartOwn
from support.running import Running
from support.thin_line import thin_line

MIB = 2**20
UNTIL_ASKED = {"grace": 300, "notice": 299}
# Numbered lines of a kilobyte, so many a second.
WIDE_LINES = """
import sys, time
begin = time.monotonic()
for number in range(int(sys.argv[1])):
    print(f"{number:06d} " + "x" * 1016, flush=number % 50 == 49)
    time.sleep(max(0.0, begin + number / int(sys.argv[2]) - time.monotonic()) if number % 50 == 49 else 0)
"""


@dataclass
class Summing(Follower):
    """One that keeps no line, only their sum: of these there may be many."""

    digest: Any = field(default_factory=hashlib.sha256)

    @override
    def _take(self, frame: dict[str, Any]) -> None:
        super()._take(frame)
        for _, letter, text, *more in self.lines:
            if letter == "o":
                self.digest.update(f"{text}{'' if more else chr(10)}".encode())
        self.lines.clear()


def wide_lines(count: int) -> str:
    return "".join(f"{number:06d} {'x' * 1016}\n" for number in range(count))


def sum_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_a_reader_may_go_from_one_api_to_another_at_every_line(own: StartOwn) -> None:
    installation = await own()
    port = free_port("127.0.0.1")
    await installation.start("second", "app", TAILRACE_PORT=str(port))
    second = replace(installation, url=f"http://127.0.0.1:{port}")
    await second.until_ready()
    # For as long as it takes.
    program = "i=0; while [ ! -f /tailrace/stop ]; do echo $i; i=$((i+1)); sleep 0.02; done"
    execution = await installation.submit("sh", "-c", f"{program}; echo $i > /tailrace/outputs/n", limits=UNTIL_ASKED)
    await installation.reaches(execution, "running")
    reader = Follower(installation, execution)
    chance = random.Random(7)  # noqa: S311 - the same every time
    visits = 0
    while reader.end is None:
        visits += 1
        reader.installation = (installation, second)[visits % 2]
        await reader.read(frames=chance.randint(1, 6))
        if visits == 20:
            await installation.cancel(execution)
    assert visits >= 20
    count = int(await installation.output(execution, "n"))
    assert reader.text() == "".join(f"{number}\n" for number in range(count))
    assert not reader.gaps
    await check_history(installation, execution)


async def beside_a_thin_line(installation: Running, *, count: int, rate: int, fast: int) -> None:
    """A watcher at 1 KiB/s beside fast ones: it holds up nobody, is not cut off, and has everything in the end."""
    execution = await installation.submit("python3", "-c", WIDE_LINES, str(count), str(rate), image="python:local")
    async with thin_line(installation, rate=1024) as (there, line):
        slow = Summing(there, execution)
        slowly = asyncio.create_task(slow.read())
        await eventually(lambda: slow.statuses)
        # With so many in one process the answer to a ping may wait behind the log, too.
        crowd = [Summing(replace(installation, ping_timeout=None), execution) for _ in range(fast)]
        await asyncio.gather(*(reader.read() for reader in crowd))
        assert not slowly.done()
        assert line.answered < count * 1024 / 10
        line.widen()
        await slowly
        assert line.accepted == 1
    assert {reader.digest.hexdigest() for reader in [slow, *crowd]} == {sum_of(wide_lines(count))}
    assert not any(reader.gaps for reader in [slow, *crowd])


async def test_a_watcher_on_a_thin_line_neither_slows_a_hundred_others_nor_loses_anything(tailrace: Running) -> None:
    await beside_a_thin_line(tailrace, count=6_000, rate=1_000, fast=100)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_watcher_on_a_thin_line_is_left_alone_for_as_long_as_it_takes(tailrace: Running) -> None:
    """Longer than pings are apart, and than a time limit on a frame or a ping would be."""
    await beside_a_thin_line(tailrace, count=15_000, rate=200, fast=10)


async def come_and_go(reader: Follower, chance: random.Random) -> None:
    """Join, stay for some frames, and leave; until the end."""
    while reader.end is None:
        # One that had to wait too long at the door is one that comes again.
        with suppress(OSError, WebSocketException):
            await reader.read(frames=chance.randint(100, 1000))
        await asyncio.sleep(chance.random())


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_thousand_watchers_come_and_go_and_each_has_every_line_once(own: StartOwn) -> None:
    installation = await own()
    count = 1_500
    program = f"i=0; while [ $i -lt {count} ]; do echo $i; i=$((i+1)); sleep 0.02; done"
    execution = await installation.submit("sh", "-c", program)
    await installation.reaches(execution, "running")
    crowd = [Summing(installation, execution) for _ in range(1000)]
    await asyncio.gather(*(come_and_go(reader, random.Random(number)) for number, reader in enumerate(crowd)))  # noqa: S311
    expected = sum_of("".join(f"{number}\n" for number in range(count)))
    assert {reader.digest.hexdigest() for reader in crowd} == {expected}
    assert not any(reader.gaps for reader in crowd)
    await check_history(installation, execution)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_gibibyte_against_a_cap_of_64_mebibytes_fills_nobodys_memory(own: StartOwn) -> None:
    installation = await own()
    program = f"yes $(head -c 1023 /dev/zero | tr '\\0' x) | head -n {MIB}; echo done"
    before = {name: peak_memory(installation, name) for name in ("api", "worker")}
    execution = await installation.submit("sh", "-c", program, limits={"log_bytes": 64 * MIB})
    crowd = [Summing(installation, execution) for _ in range(3)]
    await asyncio.gather(*map(follow_through, crowd))
    record = await check_history(installation, execution)
    assert (record["status"], record["log"]["truncated"], record["log"]["complete"]) == ("succeeded", True, True)
    assert record["log"]["bytes"] == 1024 * MIB + 5
    for reader in crowd:
        assert {gap["reason"] for gap in reader.gaps} == {"log_limit"}
        assert reader.end is not None
    log = await raw_log(installation, execution)
    assert 48 * MIB < len(log) < 64 * MIB
    assert log.endswith(b"x\ndone\n")
    for name, peak in before.items():
        assert peak_memory(installation, name) - peak < 300 * MIB


async def test_lines_of_ten_megabytes_come_in_pieces_that_join(tailrace: Running) -> None:
    program = "for character in 'xyz': print(character * 10_000_000)"
    execution = await tailrace.submit("python3", "-c", program, image="python:local")
    reader = Summing(tailrace, execution)
    await reader.read()
    expected = "".join(f"{character * 10_000_000}\n" for character in "xyz")
    assert reader.digest.hexdigest() == sum_of(expected)
    assert await tailrace.log_text(execution) == expected
    assert await raw_log(tailrace, execution) == expected.encode()


async def test_a_byte_a_second_is_shown_while_it_comes(tailrace: Running) -> None:
    program = (
        "printf a; sleep 1; printf b; sleep 1; printf c; while [ ! -f /tailrace/stop ]; do sleep 0.1; done; printf d"
    )
    execution = await tailrace.submit("sh", "-c", program, limits=UNTIL_ASKED)
    reader = Follower(tailrace, execution)
    reading = asyncio.create_task(reader.read())
    await eventually(lambda: reader.text() == "abc", within=60)
    assert (await tailrace.execution(execution))["status"] == "running"
    await tailrace.cancel(execution)
    await reading
    assert reader.text() == "abcd"
    assert {tuple(line[3:]) for line in reader.lines if line[1] == "o"} == {("+",)}
    assert await tailrace.log_text(execution) == "abcd"
