"""What a program may do to its directories."""

import os
from pathlib import Path


def dig(directory: Path, depth: int) -> None:
    """So many directories, each in the one before, and a file at the bottom: deeper than any path may be long.

    `shutil.rmtree`, and with it pytest's own clearing up, cannot remove it.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)
