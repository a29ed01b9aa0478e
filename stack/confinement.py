"""Runs a server as a user of its own that sees only the directories it needs, and that dies when we die.

The clone and the data may lie where such a user cannot go (`/root` is closed to everybody else), and we open nothing
up for it. As root the server therefore gets a private mount namespace, in which a tmpfs covers `/mnt` and each
directory is bound beneath it. Other processes see none of this, and it is gone with the server. Without root there is
no other user, and the directories are used where they are.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stack.accounts import Account
from stack.processes import leash
from stack.programs import find_program, search_path

INSIDE = "/mnt"
# What is mounted inside stays inside; what others unmount outside goes inside as well, instead of being kept busy.
NEW_NAMESPACE = ("--mount", "--propagation", "slave")

# Arguments: (bind|copy name source)… -- command…
ENTER = f"""
set -eu
mount -t tmpfs -o mode=0755,nosuid,nodev tailrace {INSIDE}
while [ "$1" != -- ]; do
    mkdir -p "{INSIDE}/$2"
    case "$1" in
        bind) mount --bind "$3" "{INSIDE}/$2" ;;
        copy) cp -R "$3/." "{INSIDE}/$2"; chmod -R a+rX "{INSIDE}/$2" ;;
    esac
    shift 3
done
shift
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Confinement:
    """How one server is started: its user, and its directories by the name that they have inside."""

    account: Account
    programs: Mapping[str, Path]
    state: Mapping[str, Path]
    isolated: bool

    @classmethod
    def of(cls, account: Account, *, programs: Mapping[str, Path], state: Mapping[str, Path]) -> Confinement:
        """`programs` are only read; `state` must belong to the account already."""
        return cls(account, programs, state, isolated=os.geteuid() == 0 and _can_isolate())

    def path(self, name: str) -> str:
        """The directory `name` as the server sees it."""
        return f"{INSIDE}/{name}" if self.isolated else str({**self.programs, **self.state}[name])

    def command(self, argv: Sequence[str], *, death_signal: signal.Signals) -> list[str]:
        """The command line that runs `argv` inside; it stays one process, and gets `death_signal` when we die."""
        return [*self._enter(), *leash(death_signal, *self._privileges()), *argv]

    def _enter(self) -> list[str]:
        if not self.isolated:
            return []
        return [find_program("unshare"), *NEW_NAMESPACE, "sh", "-c", ENTER, "sh", *self._mounts(), "--"]

    def _mounts(self) -> Iterator[str]:
        for name, directory in self.programs.items():
            # Under a strict umask the environment was installed for root alone; then the server gets a copy.
            yield from ("bind" if _is_world_readable(directory) else "copy", name, str(directory))
        for name, directory in self.state.items():
            yield from ("bind", name, str(directory))

    def _privileges(self) -> list[str]:
        if os.geteuid() != 0:
            return ["--no-new-privs"]
        return ["--no-new-privs", "--reuid", str(self.account.uid), "--regid", str(self.account.gid), "--clear-groups"]


def _is_world_readable(directory: Path) -> bool:
    entries = (directory, *directory.rglob("*"))
    return all(entry.stat().st_mode & stat.S_IROTH for entry in entries)


@cache
def _can_isolate() -> bool:
    """Root in a container often may not mount; then the server's user has to reach the directories as they are."""
    probe = ["unshare", *NEW_NAMESPACE, "mount", "-t", "tmpfs", "tailrace", INSIDE]
    environment = {"PATH": search_path()}
    return subprocess.run(probe, env=environment, capture_output=True, check=False).returncode == 0
