"""An engine that maps users: root in a container is nobody outside, and all else is as ever."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.eventually import eventually
from support.history import check_history
from support.own import StartOwn
from support.private_engine import MAPPED_FROM, private_engine

PROGRAM = """
cat /proc/self/uid_map; cat /tailrace/inputs.json > /tailrace/outputs/inputs.json
mkdir /tailrace/outputs/deep; echo x > /tailrace/outputs/deep/x; echo '{"progress": 50}' >> /tailrace/events
echo saved > /tailrace/checkpoint/state; while [ ! -f /tailrace/stop ]; do sleep 0.1; done; exit 0
"""


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Somewhere that mapped users may pass through; pytest's own directories are closed to others."""
    with tempfile.TemporaryDirectory(prefix="tailrace-users-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def owners_of(pids: list[int]) -> set[int]:
    """Whose processes these are outside."""
    return {Path(f"/proc/{pid}").stat().st_uid for pid in pids}


@pytest.mark.slow
async def test_users_are_mapped_where_the_engine_does_so(own: StartOwn, open_directory: Path) -> None:
    async with private_engine(open_directory / "engine", maps_users=True) as engine:
        tailrace = await own(DOCKER_HOST=engine.docker_host, TAILRACE_DATA=str(open_directory / "data"))
        execution = await tailrace.submit("sh", "-c", PROGRAM, inputs={"a": 1}, limits={"grace": 30, "notice": 20})

        async def has_started() -> bool:
            return str(MAPPED_FROM) in await tailrace.log_text(execution)

        await eventually(has_started, within=60)
        (attempt,) = await tailrace.attempts(execution)
        assert owners_of(engine.processes_of(attempt["container_id"])) == {MAPPED_FROM}
        await tailrace.cancel(execution)
        record = await check_history(tailrace, execution)
        assert record["status"] == "succeeded", record["message"]
        assert (record["outputs"]["files"], record["checkpoint"]["files"]) == (2, 1)
        assert await tailrace.output(execution, "deep/x") == b"x\n"
        await eventually(lambda: not (open_directory / "data" / "work" / execution).exists())
