"""System users for the embedded servers, so that none of them runs as root."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError
from stack.exclusive import alone_with
from stack.programs import find_program


@dataclass(frozen=True, slots=True)
class Account:
    """A user that a server runs as."""

    name: str
    uid: int
    gid: int

    def own(self, directory: Path) -> None:
        """Make a directory, or take over an existing one, that only this user (and root) can enter."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        os.chown(directory, self.uid, self.gid)


def server_account(name: str) -> Account:
    """The system user `name` when we are root, made if it is missing; else the user that we are.

    Raises `StackError` when the user cannot be made.
    """
    if os.geteuid() != 0:
        return _account(pwd.getpwuid(os.geteuid()))
    # Two that add the same user at once may each give it another number.
    with alone_with(Path("/etc/passwd")):
        if not _exists(name):
            _add_system_user(name)
    return _account(pwd.getpwnam(name))


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _add_system_user(name: str) -> None:
    command = [find_program("useradd"), "--system", "--user-group", "--no-create-home"]
    command += ["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise StackError(f"The system user {name} could not be made: {made.stderr.strip()}")
