"""Watchers: hundreds whose API goes away, and those that take nothing."""

import asyncio
import signal

import pytest

from support.crashes import WITHIN, numbered
from support.crowd import connections_of, follow_through, peak_memory, stalled_watchers
from support.eventually import eventually
from support.history import check_history
from support.logs import Follower
from support.own import StartOwn

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

WATCHERS = 200
COUNTER = "i=0; while [ $i -lt %d ]; do echo $i; i=$((i+1)); sleep 0.1; done; exit 7"
# Ten megabytes, at a pace that every reader who reads can keep up with.
FLOOD = """
    line=$(head -c 72 /dev/zero | tr '\\0' x)
    i=0; while [ $i -lt 100 ]; do yes $line | head -n 1400; i=$((i+1)); sleep 0.05; done
"""
MIB = 2**20


async def test_two_hundred_watchers_go_on_at_the_exact_line_when_the_api_is_restarted(own: StartOwn) -> None:
    """F27: first asked to go, then killed; it goes in time, and nobody misses or repeats a line."""
    installation = await own()
    execution = await installation.submit("sh", "-c", COUNTER % 300)
    readers = [Follower(installation, execution) for _ in range(WATCHERS)]
    reading = [asyncio.create_task(follow_through(reader)) for reader in readers]
    for lines, number in ((20, signal.SIGTERM), (150, signal.SIGKILL)):
        await eventually(lambda lines=lines: min(len(r.lines) for r in readers) > lines, within=WITHIN)  # type: ignore[misc]
        await installation.stop("api", number)
        await installation.start("api", "app")
        await installation.until_ready()
    await asyncio.gather(*reading)
    assert {reader.text() for reader in readers} == {numbered(300)}
    assert not any(reader.gaps for reader in readers)
    assert (await check_history(installation, execution))["exit_code"] == 7


async def test_fifty_watchers_that_take_nothing_cost_the_others_nothing(own: StartOwn) -> None:
    """F26: they are let go of in time, memory stays bounded, and who reads gets all of it."""
    installation = await own(TAILRACE_STALLED_AFTER="5")
    execution = await installation.submit("sh", "-c", FLOOD)
    await installation.reaches(execution, "running")
    before = peak_memory(installation, "api")
    readers = [Follower(installation, execution) for _ in range(5)]
    async with stalled_watchers(installation, execution, 50):
        reading = [asyncio.create_task(follow_through(reader)) for reader in readers]
        await eventually(lambda: connections_of(installation) > 50, within=WITHIN)
        await asyncio.gather(*reading)
        assert (await check_history(installation, execution))["status"] == "succeeded"
        await eventually(lambda: connections_of(installation) <= 5, within=WITHIN)
    assert {reader.text() for reader in readers} == {("x" * 72 + "\n") * 140_000}
    assert peak_memory(installation, "api") - before < 100 * MIB
