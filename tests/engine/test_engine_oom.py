"""Who ran out of memory is told from the kernel's log where the engine missed it."""

import asyncio
from pathlib import Path

from harbour import Harbour

from worker.engine.oom import OomWitness

MEMORY = 16 << 20
# The engine alone misses about one in fourteen; the kernel tells of ten in five seconds at most.
AT_ONCE = 5


async def oom_killed(harbour: Harbour) -> list[bool]:
    ended = await asyncio.gather(*(harbour.run("tail", "/dev/zero", memory=MEMORY) for _ in range(AT_ONCE)))
    assert [each.seen.exit_code for each in ended] == [137] * AT_ONCE
    return [each.seen.oom_killed for each in ended]


async def test_every_program_that_ran_out_of_memory_is_known(harbour: Harbour) -> None:
    assert all(await oom_killed(harbour))


async def test_a_program_that_killed_itself_did_not_run_out_of_memory(harbour: Harbour) -> None:
    ended = await harbour.run("sh", "-c", "kill -9 $$")
    assert (ended.seen.exit_code, ended.seen.oom_killed) == (137, False)


def test_without_a_kernel_log_nothing_was_seen(tmp_path: Path) -> None:
    witness = OomWitness(str(tmp_path / "none"))
    assert not witness.saw("0" * 64)
    witness.close()
