"""Questions to /proc about other processes, and about ours."""

import os
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def is_alive(pid: int) -> bool:
    """Whether a process exists and is more than an entry that its parent has not read yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def uid_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def tcp_ports_of(pid: int) -> list[str]:
    """The local addresses on which a process listens."""
    inodes = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if "socket:" in str(link.readlink())}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                listening.append(fields[1])
    return listening


def our_mounts_below(directory: str) -> list[str]:
    """Where this process sees something mounted; elsewhere, containers come and go."""
    places = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [place for place in places if place.startswith(directory)]
