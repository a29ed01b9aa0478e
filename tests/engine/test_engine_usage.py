"""What a container uses, by the kernel's count or by the engine's word."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from harbour import Harbour

from support.eventually import eventually
from worker.engine.answers import read_usage
from worker.engine.cgroups import find_control_group
from worker.engine.docker import DockerRuntime
from worker.engine.port import NoSuchContainer, Usage

MIB = 2**20
CONTAINER = "c0ffee" * 10 + "cafe"
# Holds 8 MiB in a file in memory, which nobody can let go of, and counts.
BURNS = "head -c 8388608 /dev/zero > /dev/shm/held; while :; do :; done"


@pytest.fixture(params=["by the kernel's count", "by the engine's word"])
async def runtime(request: pytest.FixtureRequest, engine_host: str, tmp_path: Path) -> AsyncIterator[DockerRuntime]:
    """One that sees the engine's processes, and one that does not."""
    proc = Path("/proc") if "kernel" in request.param else tmp_path
    async with DockerRuntime(engine_host, proc=proc) as runtime:
        yield runtime


async def test_what_a_container_burns_and_holds_is_seen(harbour: Harbour, runtime: DockerRuntime) -> None:
    container = await harbour.start("sh", "-c", BURNS, shm=16 * MIB)

    async def burnt() -> Usage | None:
        usage = await runtime.measure(container)
        return usage if (usage.cpu_seconds or 0) > 0.5 and (usage.memory or 0) >= 8 * MIB else None

    usage = await eventually(burnt, within=60)
    assert usage.cpu_seconds is not None
    assert usage.memory_peak is None or usage.memory_peak >= 8 * MIB
    assert usage.pids == 2  # with the init
    later = await runtime.measure(container)
    assert later.cpu_seconds is not None
    assert later.cpu_seconds >= usage.cpu_seconds


async def test_what_does_not_run_uses_nothing(harbour: Harbour, runtime: DockerRuntime) -> None:
    container = await harbour.engine.create(harbour.spec("sleep", "600"))
    with pytest.raises(NoSuchContainer):
        await runtime.measure(container)
    await harbour.engine.start(container)
    assert (await runtime.measure(container)).memory is not None
    await harbour.engine.signal(container, "SIGKILL")

    async def is_over() -> bool:
        try:
            await runtime.measure(container)
        except NoSuchContainer:
            return True
        return False

    await eventually(is_over)
    await harbour.engine.remove(container)
    with pytest.raises(NoSuchContainer):
        await runtime.measure(container)


def written(directory: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return directory


def a_proc(directory: Path, mounts: str, groups: str) -> Path:
    return written(directory / "proc", {"self/mounts": mounts, "42/cgroup": groups})


def test_control_groups_of_version_2_are_read(tmp_path: Path) -> None:
    group = f"/system.slice/docker-{CONTAINER}.scope"
    proc = a_proc(tmp_path, f"proc /proc proc rw 0 0\ncgroup2 {tmp_path}/fs cgroup2 rw,nosuid 0 0\n", f"0::{group}\n")
    written(
        tmp_path / f"fs{group}",
        {
            "cpu.stat": "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\n",
            "memory.current": "5000\n",
            "memory.stat": "anon 1000\ninactive_file 2000\n",
            "memory.peak": "9000\n",
            "pids.current": "7\n",
        },
    )
    found = find_control_group(CONTAINER, 42, proc)
    assert found is not None
    assert found.read() == Usage(cpu_seconds=1.5, memory=3000, memory_peak=9000, pids=7)
    # Kernels before 5.19 count no peak.
    (tmp_path / f"fs{group}" / "memory.peak").unlink()
    assert found.read().memory_peak is None


def test_control_groups_of_version_1_are_read_beside_those_of_version_2(tmp_path: Path) -> None:
    mounts = "".join(
        f"cgroup {tmp_path}/fs/{name} cgroup rw,{name} 0 0\n" for name in ("cpu,cpuacct", "memory", "pids")
    )
    mounts += f"cgroup2 {tmp_path}/fs/unified cgroup2 rw 0 0\n"
    group = f"/docker/{CONTAINER}"
    groups = f"9:pids:{group}\n4:memory:{group}\n1:cpu,cpuacct:{group}\n0::{group}\n"
    proc = a_proc(tmp_path, mounts, groups)
    written(
        tmp_path / "fs",
        {
            f"cpu,cpuacct{group}/cpuacct.usage": "2500000000\n",
            f"memory{group}/memory.usage_in_bytes": "5000\n",
            f"memory{group}/memory.max_usage_in_bytes": "9000\n",
            f"memory{group}/memory.stat": "inactive_file 1\ntotal_inactive_file 1000\n",
            f"pids{group}/pids.current": "7\n",
        },
    )
    found = find_control_group(CONTAINER, 42, proc)
    assert found is not None
    assert found.read() == Usage(cpu_seconds=2.5, memory=4000, memory_peak=9000, pids=7)


def test_a_process_of_the_same_number_elsewhere_is_not_taken_for_it(tmp_path: Path) -> None:
    proc = a_proc(tmp_path, f"cgroup2 {tmp_path}/fs cgroup2 rw 0 0\n", "0::/user.slice/somebody\n")
    assert find_control_group(CONTAINER, 42, proc) is None
    assert find_control_group(CONTAINER, 43, proc) is None


def test_an_engine_that_counts_less_is_understood() -> None:
    """On version 2 of control groups there is no peak, and of what does not run nothing."""
    answer = {
        "cpu_stats": {"cpu_usage": {"total_usage": 1_500_000_000}},
        "memory_stats": {"usage": 5000, "stats": {"inactive_file": 2000}},
        "pids_stats": {},
    }
    assert read_usage(answer) == Usage(cpu_seconds=1.5, memory=3000, memory_peak=None, pids=None)
    assert read_usage(answer | {"memory_stats": {}}) is None
