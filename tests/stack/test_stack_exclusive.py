"""Who changes the system is alone with it."""

import asyncio
import sys
from pathlib import Path

from stack.exclusive import alone_with
from support.eventually import eventually

ENTER = "import sys; from pathlib import Path; from stack.exclusive import alone_with\n"
ENTER += "with alone_with(Path(sys.argv[1])): print('in')"


async def test_another_process_waits_until_the_first_is_done(tmp_path: Path) -> None:
    with alone_with(tmp_path):
        other = await asyncio.create_subprocess_exec(sys.executable, "-c", ENTER, tmp_path, stdout=-1)
        await eventually(lambda: is_waited_for(tmp_path))
        assert other.returncode is None
    said, _ = await other.communicate()
    assert (said, other.returncode) == (b"in\n", 0)


def is_waited_for(path: Path) -> bool:
    inode = f":{path.stat().st_ino} "
    return any(inode in line and "->" in line for line in Path("/proc/locks").read_text().splitlines())
