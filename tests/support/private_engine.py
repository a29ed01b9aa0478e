"""A container engine of a test's own, to be stopped, killed and started again. The machine's engine never notices.

It lives in namespaces of its own: mounts, network and processes. Their first process is a child of ours; when that is
killed, or when we die, the kernel ends everything in there, containers included, and its mounts are gone with it.
Mounts are slaves of the machine's: what the other engine unmounts is not kept busy here.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from stack.engine import Engine, Origin, answers, ensure_engine
from stack.processes import leash
from stack.programs import find_program, has_program, search_path
from support.eventually import eventually

READY_WITHIN = 60.0
STOPS_WITHIN = 60.0
# Where the machine's engine may keep a containerd that any new engine would take, and the key that gives it its id.
COVER = """
    for directory in /run/containerd /etc/docker; do
        mkdir -p $directory && mount -t tmpfs tailrace $directory || exit
    done
    exec "$@"
"""
# Users of containers are mapped to numbers from here on, in the name of somebody whom every machine has.
MAPPED_FROM = 200_000
_MAPPED_AS = "daemon"
_SUBORDINATES = ("/etc/subuid", "/etc/subgid")
CGROUPS = Path("/sys/fs/cgroup")
# Process 1 of the namespaces: the engine's helpers become its children when the engine is killed.
HOLDER = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
print(flush=True)
while True:
    signal.sigwait({signal.SIGCHLD})
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
"""


class PrivateEngine:
    """One engine. `live_restore`: its containers live on without it; `maps_users`: their users are others outside."""

    def __init__(self, directory: Path, *, live_restore: bool = False, maps_users: bool = False) -> None:
        directory.mkdir(parents=True)
        self._directory = directory
        self._live_restore = live_restore
        self._maps_users = maps_users
        self._holder: Process | None = None
        self._daemon: Process | None = None
        self._cgroup = f"tailrace-test-{uuid4().hex}"
        self.log = directory / "dockerd.log"

    @property
    def docker_host(self) -> str:
        """For `DOCKER_HOST`."""
        return f"unix://{self._directory / 'engine.sock'}"

    @property
    def runs(self) -> bool:
        """Whether its daemon is there."""
        return self._daemon is not None and self._daemon.returncode is None

    async def open(self) -> None:
        """Make the namespaces, in which the engine may be started."""
        new = [find_program("unshare"), "--mount", "--propagation", "slave", "--net", "--pid", "--fork", "--mount-proc"]
        command = [*leash(signal.SIGKILL), *new, "--kill-child=KILL", "sh", "-c", COVER, "sh"]
        with self.log.open("ab") as log:
            self._holder = await asyncio.create_subprocess_exec(
                *command, sys.executable, "-c", HOLDER, stdin=DEVNULL, stdout=PIPE, stderr=log
            )
        assert self._holder.stdout is not None
        assert await self._holder.stdout.readline(), "the namespaces could not be made"
        if self._maps_users:
            numbers = self._directory / "subordinate"
            numbers.write_text(f"{_MAPPED_AS}:{MAPPED_FROM}:65536\n")
            for path in _SUBORDINATES:
                cover = await self._inside(["mount", "--bind", str(numbers), path], output=DEVNULL)
                assert await cover.wait() == 0

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        assert not self.runs
        socket = self._directory / "engine.sock"
        socket.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._daemon = await self._inside(self._command(), output=log.fileno())

        def ready() -> bool:
            assert self.runs, self.log.read_text(errors="replace")[-4000:]
            return socket.exists() and answers(self.docker_host)

        await eventually(ready, within=READY_WITHIN)

    async def stop(self) -> None:
        """SIGTERM, as for an upgrade of the engine."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL, as when the machine runs out of memory."""
        await self._end(signal.SIGKILL)

    async def cut_power(self) -> None:
        """SIGKILL to it and to every process of its containers, as when the machine goes down."""
        processes = [pid for group in self._cgroups() for path in group.glob("*/cgroup.procs") for pid in _read(path)]
        await self.kill()
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def load(self, image: str) -> None:
        """Copy an image from the machine's engine."""
        await asyncio.to_thread(self._load, image)

    def processes_of(self, container: str) -> list[int]:
        """Those in a container, whether the engine is there or not."""
        return [pid for group in self._cgroups() for pid in _read(group / container / "cgroup.procs")]

    async def close(self) -> None:
        """Let nothing of it remain."""
        if self._holder is not None:
            with suppress(OSError, ValueError):
                os.kill(self._first_process(), signal.SIGKILL)
            await self._holder.wait()
        if self._daemon is not None:
            await self._daemon.wait()
        await eventually(self._removed, within=READY_WITHIN)

    def _command(self) -> list[str]:
        state = self._directory
        flags = [
            f"--host={self.docker_host}",
            f"--data-root={state / 'data'}",
            f"--exec-root={state / 'exec'}",
            f"--pidfile={state / 'pid'}",
            f"--cgroup-parent=/{self._cgroup}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            "--bridge=none",
            "--iptables=false",
            "--ip-forward=false",
        ]
        # No settings of the machine's engine.
        (state / "daemon.json").write_text("{}")
        if self._live_restore:
            flags.append("--live-restore")
        if self._maps_users:
            flags.append(f"--userns-remap={_MAPPED_AS}")
        return [find_program("dockerd"), f"--config-file={state / 'daemon.json'}", *flags]

    async def _end(self, number: signal.Signals) -> None:
        assert self._daemon is not None
        pid = (self._directory / "pid").read_text().strip()
        kill = await self._inside(["sh", "-c", f"kill -{number.name.removeprefix('SIG')} {pid}"], output=DEVNULL)
        assert await kill.wait() == 0
        async with asyncio.timeout(STOPS_WITHIN):
            await self._daemon.wait()

    async def _inside(self, command: Sequence[str], *, output: int) -> Process:
        target = str(self._first_process())
        enter = [find_program("nsenter"), "--target", target, "--mount", "--net", "--pid", "--", *command]
        environment = {"PATH": search_path(), "LC_ALL": "C.UTF-8"}
        return await asyncio.create_subprocess_exec(
            *enter, stdin=DEVNULL, stdout=output, stderr=STDOUT, env=environment, cwd="/", start_new_session=True
        )

    def _first_process(self) -> int:
        """Of the namespaces. Raises `OSError` or `ValueError` when they are gone."""
        assert self._holder is not None
        pid = self._holder.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())

    def _load(self, image: str) -> None:
        private = Engine(self.docker_host, Origin.STARTED)
        with (
            ensure_engine().client() as there,
            private.client() as here,
            there.stream("GET", f"/images/{image}/get") as saved,
        ):
            saved.raise_for_status()
            loaded = here.post("/images/load", content=saved.iter_bytes())
            assert loaded.status_code == httpx.codes.OK, loaded.text

    def _cgroups(self) -> list[Path]:
        """Version 1 has a tree per controller, and version 2 one."""
        return [group for place in (".", "*") for group in CGROUPS.glob(f"{place}/{self._cgroup}")]

    def _removed(self) -> bool:
        """What it kept on disk, and the cgroups of its containers, which the kernel keeps while a process dies."""
        groups = self._cgroups()
        for group in groups:
            for below in [*sorted(group.rglob("*/"), reverse=True), group]:
                with suppress(OSError):
                    below.rmdir()
        shutil.rmtree(self._directory, ignore_errors=True)
        return not self._directory.exists() and not any(group.exists() for group in groups)


def _knows_subordinates() -> bool:
    return all(Path(path).exists() for path in _SUBORDINATES)


def _read(processes: Path) -> list[int]:
    """The processes of a cgroup, which may be gone."""
    try:
        return [int(pid) for pid in processes.read_text().split()]
    except OSError:
        return []


@asynccontextmanager
async def private_engine(
    directory: Path, *, live_restore: bool = False, maps_users: bool = False
) -> AsyncIterator[PrivateEngine]:
    """One that runs, with `busybox:local`. Skips the test where we may not have one."""
    if os.geteuid() != 0 or not has_program("dockerd"):
        pytest.skip("an engine of one's own needs root, and Docker's daemon on this machine")
    if maps_users and not _knows_subordinates():
        pytest.skip("this machine knows no subordinate users: there is no /etc/subuid")
    engine = PrivateEngine(directory, live_restore=live_restore, maps_users=maps_users)
    try:
        await engine.open()
        await engine.start()
        await engine.load("busybox:local")
        yield engine
    finally:
        await engine.close()
