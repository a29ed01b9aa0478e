"""The container engine: find one, or install and start Debian's, and talk to it over its socket."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx

from stack.errors import EngineMissing
from stack.packages import install_packages, may_install
from stack.programs import find_program, has_program, search_path

USUAL_HOST = "unix:///var/run/docker.sock"
SAME_HOST = "unix:///run/docker.sock"
SCHEME = "unix://"
SYSTEMD = Path("/run/systemd/system")
DAEMON_LOG = Path("/var/log/tailrace-dockerd.log")
# tini is the init process that the engine puts into containers; certificates are for pulling images.
PACKAGES = ("docker.io", "tini", "ca-certificates")
ANSWERS_WITHIN = 40.0
PING_SECONDS = 5.0
POLL_SECONDS = 0.1

Say = Callable[[str], None]


class Origin(StrEnum):
    """How we came to the engine."""

    FOUND = "found"
    STARTED = "started"
    INSTALLED = "installed"


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine that answers."""

    docker_host: str
    origin: Origin

    def client(self, *, timeout: float = 60.0) -> httpx.Client:
        """A client of the engine's HTTP API."""
        return open_client(self.docker_host, timeout=timeout)

    @property
    def farewell(self) -> str | None:
        """What to tell who did not have this engine running before; None when there is nothing to tell."""
        if self.origin is Origin.FOUND:
            return None
        stop = "systemctl stop docker.socket docker" if SYSTEMD.exists() else "kill $(cat /var/run/docker.pid)"
        return f"The container engine was {self.origin} and keeps running; to stop it: {stop}"


def ensure_engine(docker_host: str | None = None, *, say: Say = print) -> Engine:
    """The engine at `docker_host`, at `DOCKER_HOST` or at the usual socket; failing that, Debian's, freshly started.

    Raises `EngineMissing`, which says what to do, when there is none and we cannot provide it.
    """
    host = docker_host or os.environ.get("DOCKER_HOST") or USUAL_HOST
    path = _socket_of(host)
    if answers(host):
        return Engine(host, Origin.FOUND)
    if host not in {USUAL_HOST, SAME_HOST}:
        raise EngineMissing(f"No container engine answers at {host}, where DOCKER_HOST points")
    if path.exists() and not os.access(path, os.W_OK):
        raise EngineMissing(_not_allowed(path))
    origin = _install(say)
    say("starting the container engine")
    _start()
    _wait_until_it_answers(host)
    return Engine(host, origin)


def answers(docker_host: str) -> bool:
    """Whether an engine answers there."""
    # Asked first since httpx leaves its socket open when it cannot connect.
    if not _accepts(_socket_of(docker_host)):
        return False
    try:
        with open_client(docker_host, timeout=PING_SECONDS) as client:
            return client.get("/_ping").is_success
    except httpx.TransportError:
        return False


def open_client(docker_host: str, *, timeout: float) -> httpx.Client:
    """A client of the engine's HTTP API at a socket that is known to be one."""
    transport = httpx.HTTPTransport(uds=str(_socket_of(docker_host)))
    return httpx.Client(transport=transport, base_url="http://engine", timeout=timeout)


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PING_SECONDS)
        return probe.connect_ex(str(path)) == 0


def _socket_of(docker_host: str) -> Path:
    if not docker_host.startswith(SCHEME):
        raise EngineMissing(f"DOCKER_HOST must name a unix socket ({SCHEME}/path) on this machine, not {docker_host}")
    return Path(docker_host.removeprefix(SCHEME))


def _install(say: Say) -> Origin:
    """Make sure that there is a daemon to start, and that we may start it."""
    installed = has_program("dockerd")
    if installed and os.geteuid() == 0:
        return Origin.STARTED
    if installed or not may_install():
        raise EngineMissing(_what_to_run(installed=installed))
    say(f"there is no container engine: installing {', '.join(PACKAGES)} (a minute or two)")
    install_packages(PACKAGES)
    return Origin.INSTALLED


def _start() -> None:
    # Installing the package may have started it already; then both of these do no harm.
    environment = {**os.environ, "PATH": search_path()}
    if SYSTEMD.exists():
        subprocess.run(["systemctl", "start", "docker"], env=environment, capture_output=True, check=False)
        return
    if answers(USUAL_HOST):
        return
    # In a session of its own, and a child of nobody: it has to outlive us.
    with DAEMON_LOG.open("ab") as log:
        command = [find_program("setsid"), "--fork", find_program("dockerd")]
        subprocess.run(command, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)


def _wait_until_it_answers(docker_host: str) -> None:
    deadline = time.monotonic() + ANSWERS_WITHIN
    while not answers(docker_host):
        if time.monotonic() > deadline:
            where = "`journalctl -u docker`" if SYSTEMD.exists() else str(DAEMON_LOG)
            raise EngineMissing(f"The container engine does not answer after {ANSWERS_WITHIN:.0f} s: see {where}")
        time.sleep(POLL_SECONDS)


def _not_allowed(path: Path) -> str:
    return (
        f"There is a container engine, but you may not use {path}. Run this, then log in again:\n"
        "  sudo usermod --append --groups docker $USER"
    )


def _what_to_run(*, installed: bool) -> str:
    if installed:
        return "The container engine is installed but does not run. Run as root:\n  systemctl start docker"
    return (
        "There is no container engine. Run as root (or install any engine with Docker's API, and set DOCKER_HOST):\n"
        "  apt-get update && apt-get install --yes docker.io\n"
        "  systemctl start docker"
    )
