"""Packages of Debian and its relatives: what is installed, installing more, fetching one without installing it."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

from stack.errors import StackError
from stack.exclusive import alone_with
from stack.programs import find_program, has_program, search_path

# A fresh machine often updates itself at this moment.
LOCK_SECONDS = 300
APT = Path("/etc/apt")
QUOTED_LINES = 8


def has_packages() -> bool:
    """Whether this is Debian, Ubuntu or another of their family."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return False
    family = {release.get("ID"), *release.get("ID_LIKE", "").split()}
    return not family.isdisjoint({"debian", "ubuntu"}) and has_program("apt-get")


def may_install() -> bool:
    """Whether we can install packages here."""
    return os.geteuid() == 0 and has_packages()


def install_packages(names: Sequence[str]) -> None:
    """Install packages and what they need, nothing that they merely recommend. Raises `StackError`."""
    # apt waits for another that installs, but not for one that fetches the lists.
    with alone_with(APT):
        update_lists()
        _apt("install", "--yes", "--no-install-recommends", *names)


def unpack_package(name: str, directory: Path) -> None:
    """Fetch a package and unpack it into a directory; the system is not changed. Raises `StackError`."""
    try:
        _apt("download", name, cwd=directory)
    except StackError:
        if os.geteuid() != 0:
            raise
        update_lists()
        _apt("download", name, cwd=directory)
    (package,) = directory.glob(f"{name}_*.deb")
    _run([find_program("dpkg-deb"), "--extract", str(package), str(directory)])


def ensure_program(name: str) -> str:
    """The path of a program; the package of the same name is installed if it is missing. Raises `StackError`."""
    if not has_program(name):
        if not may_install():
            raise StackError(f"The package {name} is needed; run as root: apt-get install {name}")
        install_packages([name])
    return find_program(name)


def system_codename() -> str:
    """The release of this system, such as `bookworm`. Raises `StackError` where there are no such packages."""
    if not has_packages():
        raise StackError("This is neither Debian nor Ubuntu")
    return platform.freedesktop_os_release()["VERSION_CODENAME"]


def source_files() -> list[str]:
    """The files that name the mirrors of the system itself, and not those of other vendors."""
    query = [find_program("apt-get"), "indextargets", "Identifier: Packages", "--format", "$(ORIGIN) $(SOURCESENTRY)"]
    listed = subprocess.run(query, env=_environment(), capture_output=True, text=True, check=False).stdout
    entries = [line.split(maxsplit=1) for line in listed.splitlines()]
    files = (entry[1].rpartition(":")[0] for entry in entries if entry[0] in {"Debian", "Ubuntu"})
    return list(dict.fromkeys(files))


def update_lists() -> None:
    """Fetch the lists of packages. A source that does not answer is no failure: another may have what is needed."""
    subprocess.run(_apt_command("update"), env=_environment(), capture_output=True, check=False)


def _apt(*arguments: str, cwd: Path | None = None) -> None:
    _run(_apt_command(*arguments), cwd=cwd)


def _apt_command(*arguments: str) -> list[str]:
    return [find_program("apt-get"), "--quiet", "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}", *arguments]


def _run(command: Sequence[str], *, cwd: Path | None = None) -> None:
    done = subprocess.run(command, env=_environment(), cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-QUOTED_LINES:])
        raise StackError(f"`{' '.join(command)}` failed:\n{said}")


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": search_path(), "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
