"""What surrounds the program: seen from inside a real container."""

from pathlib import Path

from harbour import Harbour

from worker.engine.port import Mount


async def test_the_program_has_no_privilege_and_its_limits(harbour: Harbour) -> None:
    script = """
        grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status
        ulimit -Hf; ulimit -Hc
        ls /sys/class/net
        df -m /dev/shm | tail -1 | awk '{print $2}'
    """
    ended = await harbour.run("sh", "-c", script)
    assert ended.out.decode().split() == [
        *("CapEff:", "0000000000000000", "CapBnd:", "0000000000000000", "NoNewPrivs:", "1", "Seccomp:", "2"),
        *("131072", "0", "lo", "1"),  # 64 MiB in blocks of 512 bytes; no core; no network; 1 MiB
    ]
    raw = await harbour.engine._http.json("GET", f"/containers/{ended.seen.id}/json")
    limits = {key: raw["HostConfig"][key] for key in ("Memory", "MemorySwap", "NanoCpus", "PidsLimit", "Init")}
    assert limits == {
        "Memory": 32 << 20,
        "MemorySwap": 32 << 20,
        "NanoCpus": 1_000_000_000,
        "PidsLimit": 64,
        "Init": True,
    }
    assert raw["HostConfig"]["LogConfig"]["Type"] == "local"


async def test_a_fork_bomb_meets_its_limit(harbour: Harbour) -> None:
    ended = await harbour.run(
        "sh", "-c", "i=0; while [ $i -lt 200 ]; do sleep 60 & i=$((i+1)); done; echo all", pids=32
    )
    assert b"all" not in ended.out
    assert b"fork" in ended.err


async def test_a_file_beyond_the_limit_is_not_written(harbour: Harbour) -> None:
    ended = await harbour.run("dd", "if=/dev/zero", "of=/tmp/x", "bs=1M", "count=8", file_size=4 << 20)
    assert ended.seen.exit_code == 153


async def test_a_writable_directory_can_lie_in_a_read_only_one(harbour: Harbour, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    events = tmp_path / "events"
    events.touch()
    script = "echo a > /tailrace/a; echo b > /tailrace/outputs/b; echo c >> /tailrace/events; cat /tailrace/outputs/b"
    ended = await harbour.run(
        "sh",
        "-c",
        script,
        mounts=(
            Mount(str(events), "/tailrace/events", read_only=False),
            Mount(str(outputs), "/tailrace/outputs", read_only=False),
            Mount(str(tmp_path), "/tailrace", read_only=True),
        ),
    )
    assert b"Read-only file system" in ended.err
    assert ended.out == b"b\n"
    assert not (tmp_path / "a").exists()
    assert (outputs / "b").read_bytes() == b"b\n"
    assert events.read_bytes() == b"c\n"
