"""What a container takes on disk: where the engine keeps what it writes, and how much that is.

A program arranges its tree as it likes while we look, deeper than any path may be long and with any number of names.
`du` stands that: it holds little in memory, follows no link, and stays on the file system where it began.
"""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

# An empty file takes an inode and a name, and those can run out too: each file or directory counts as one block.
FILE_BYTES: Final = 4096
# Tens of millions of names take minutes. Who gave up earlier would let such a tree grow on.
_WITHIN: Final = 600.0
_DU: Final = ("nice", "du", "--summarize", "--total", "--one-file-system")


def own_directories(found: Mapping[str, Any]) -> tuple[Path, ...] | None:
    """Where the engine's host keeps what a container writes: its layer, and volumes that its image asks for.

    By the engine's answer about the container. None where the engine does not say, or the host is not this one.
    """
    layer = ((found.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir")
    if layer is None:
        return None
    volumes = [mount["Source"] for mount in found.get("Mounts") or () if mount["Type"] == "volume"]
    directories = tuple(map(Path, (layer, *volumes)))
    # Those of another host are not there, those of an engine of somebody else's we may not enter.
    return directories if all(os.access(directory, os.R_OK | os.X_OK) for directory in directories) else None


async def allocated(directories: Sequence[Path]) -> int:
    """Bytes that these take on disk together; holes take nothing. Raises `OSError` when it cannot be found out."""
    if not directories:
        return 0
    blocks = await _total("--block-size=1", directories)
    return max(blocks, FILE_BYTES * await _total("--inodes", directories))


async def _total(what: str, directories: Sequence[Path]) -> int:
    process = await asyncio.create_subprocess_exec(
        *_DU,
        what,
        "--",
        *map(str, directories),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=DEVNULL,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    try:
        # What vanishes while it is counted makes it fail, but not without a sum.
        async with asyncio.timeout(_WITHIN):
            said, _ = await process.communicate()
        return int(said.splitlines()[-1].split()[0])
    except (TimeoutError, IndexError, ValueError) as error:
        raise OSError(f"du could not tell: {error!r}") from error
    finally:
        # Not waited for: it may hang on a disk that does.
        with suppress(ProcessLookupError):
            process.kill()
