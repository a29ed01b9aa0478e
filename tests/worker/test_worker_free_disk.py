"""A worker whose disk is too full starts nothing new, says so, and goes on when there is room again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from stack.ports import free_port
from support.eventually import eventually
from support.own import StartOwn
from support.scraping import ask_worker, scrape_worker
from worker.free_disk import FreeDisk

MIB = 2**20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with 4 MiB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


async def test_it_is_too_full_below_so_much_and_not_any_more_above(small: Path) -> None:
    disk = FreeDisk(small, 2 * MIB)
    await disk.look()
    assert (disk.free, disk.message) == (4 * MIB, None)
    (small / "large").write_bytes(bytes(3 * MIB))
    await disk.look()
    assert disk.free == MIB
    assert disk.message is not None
    assert f"{MIB} bytes free, of at least {2 * MIB}" in disk.message
    (small / "large").unlink()
    await disk.look()
    assert (disk.free, disk.message) == (4 * MIB, None)


async def test_what_cannot_be_looked_at_is_as_it_was(tmp_path: Path) -> None:
    disk = FreeDisk(tmp_path / "none", 2**60)
    await disk.look()
    assert (disk.free, disk.message) == (None, None)


async def test_a_worker_without_room_starts_nothing_and_says_so(own: StartOwn) -> None:
    port = str(free_port("127.0.0.1"))
    installation = await own(TAILRACE_WORKER_PORT=port, TAILRACE_MIN_FREE_DISK="1024PiB")
    execution = await installation.submit("true")
    async with installation.client() as client:

        async def waits_for_a_pool() -> bool:
            return bool((await client.get(f"/v1/executions/{execution}")).json()["waiting_on"] == "pool")

        await eventually(waits_for_a_pool)

        async def worker_says_why() -> Any:
            # For nobody is there it waits as well, and the worker may be on its way up.
            items = (await client.get("/v1/workers")).json()["items"]
            return items and items[0]["message"] and items

        (worker,) = await eventually(worker_says_why, within=60)
        assert worker["state"] == "active"
        assert "nothing new is started" in worker["message"]
        (pool,) = (await client.get("/v1/pools")).json()["items"]
        assert (pool["workers"], pool["slots"]) == (1, 0)
        assert (await client.get(f"/v1/executions/{execution}")).json()["waiting_on"] == "pool"

    async def health() -> Any:
        with suppress(httpx.TransportError):
            return (await ask_worker(port, "/healthz")).json()

    seen = await eventually(health, within=60)
    assert seen["status"] == "degraded"
    assert any("nothing new is started" in reason for reason in seen["reasons"])
    scraped = await scrape_worker(port)
    assert scraped["tailrace_disk_low"] == 1
    assert scraped["tailrace_disk_free_bytes"] > 0
