"""Limits are always set, and hold."""

import asyncio

from support.eventually import eventually
from support.history import check_history
from support.running import Running

MIB = 2**20
# Control groups of either version: what the kernel enforces, as seen from inside.
CGROUP = """
first() { for file in "$@"; do [ -f "$file" ] && cat "$file" && return; done; }
cd /sys/fs/cgroup
first memory.max memory/memory.limit_in_bytes
first memory.swap.max memory/memory.memsw.limit_in_bytes
first pids.max pids/pids.max
first cpu.max cpu/cpu.cfs_quota_us
first /dev/null cpu/cpu.cfs_period_us
df -k /dev/shm | awk 'NR == 2 {print $2}'
ulimit -c
"""


async def test_the_limits_are_visible_inside(tailrace: Running) -> None:
    limits = {"memory": "64MiB", "pids": 33, "cpus": 0.5, "shm": "1MiB", "file_size": "2MiB"}
    execution = await tailrace.submit("sh", "-c", CGROUP + "ulimit -f", limits=limits)
    record = await check_history(tailrace, execution)
    memory, swap, pids, *cpu, shm, core, blocks = (await tailrace.log_text(execution)).split()
    assert (int(memory), int(pids)) == (64 * MIB, 33)
    assert int(swap) in {0, 64 * MIB}  # none, or memory and swap together
    quota, period = map(int, cpu)
    assert quota / period == 0.5
    assert (int(shm), int(core), int(blocks) * 512) == (1024, 0, 2 * MIB)
    assert record["limits"]["memory"] == 64 * MIB


async def test_without_being_asked_limits_are_set_too(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", CGROUP)
    limits = (await check_history(tailrace, execution))["limits"]
    memory, _, pids, *cpu, _shm, core = (await tailrace.log_text(execution)).split()
    assert (int(memory), int(pids), int(core)) == (limits["memory"], limits["pids"], 0)
    quota, period = map(int, cpu)
    assert quota / period == limits["cpus"]
    assert (limits["timeout"], limits["grace"]) == (3600, 10)


async def test_a_fork_bomb_is_contained(tailrace: Running) -> None:
    bomb = "echo ready; b() { b | b & }; b 2> /dev/null; sleep 600"
    bombed = await tailrace.submit("sh", "-c", bomb, limits={"pids": 20, "cpus": 0.2, "timeout": 100, "grace": 2})
    beside = await tailrace.submit("echo", "unharmed")
    assert (await check_history(tailrace, beside))["status"] == "succeeded"
    await tailrace.cancel(bombed, force=True)
    record = await check_history(tailrace, bombed)
    assert record["status"] in {"canceled", "failed", "succeeded"}


async def test_threads_beyond_the_limit_are_refused_and_the_program_lives(tailrace: Running) -> None:
    program = """if True:
        import threading, time
        made = 0
        stop = threading.Event()
        try:
            while made < 500:
                threading.Thread(target=stop.wait).start()
                made += 1
        except RuntimeError:
            pass
        stop.set()
        print(made)
    """
    execution = await tailrace.submit("python3", "-c", program, image="python:local", limits={"pids": 50})
    assert (await check_history(tailrace, execution))["status"] == "succeeded"
    assert 20 < int(await tailrace.log_text(execution)) <= 50


async def test_a_file_beyond_its_limit_is_cut_by_the_kernel(tailrace: Running) -> None:
    program = "head -c 3000000 /dev/zero > /tmp/big || wc -c < /tmp/big"
    execution = await tailrace.submit("sh", "-c", program, limits={"file_size": "1MiB"})
    await check_history(tailrace, execution)
    assert int(await tailrace.log_text(execution, streams="stdout")) == MIB


async def test_shared_memory_beyond_its_limit_is_refused(tailrace: Running) -> None:
    program = "head -c 3000000 /dev/zero > /dev/shm/big 2> /dev/null; echo $?"
    execution = await tailrace.submit("sh", "-c", program, limits={"shm": "1MiB"})
    await check_history(tailrace, execution)
    assert int(await tailrace.log_text(execution)) != 0


async def test_more_than_there_are_slots_have_to_wait(tailrace: Running) -> None:
    running = [await tailrace.submit("sleep", "600") for _ in range(8)]
    await asyncio.gather(*(tailrace.reaches(execution, "running") for execution in running))
    waiting = await tailrace.submit("echo", "at last")
    record = await tailrace.execution(waiting)
    assert (record["status"], record["waiting_on"]) == ("queued", "slot")
    await tailrace.cancel(running[0], force=True)
    assert (await check_history(tailrace, waiting))["status"] == "succeeded"

    async def others_still_run() -> bool:
        records = await asyncio.gather(*map(tailrace.execution, running[1:]))
        return {record["status"] for record in records} == {"running"}

    await eventually(others_still_run)
    await asyncio.gather(*(tailrace.cancel(execution, force=True) for execution in running[1:]))
    for execution in running:
        assert (await check_history(tailrace, execution))["status"] == "canceled"
