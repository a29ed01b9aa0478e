"""What the worker needs from a container engine, and nothing more.

The runner, the log pump and the reconciler speak to this protocol only; `docker.py` is the one file that speaks to
an engine. Another engine (Kubernetes: an attempt is a pod) fits behind the same methods.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from worker.engine.layers import PullProgress


class EngineError(Exception):
    """The engine refused, failed, or could not be reached."""


class EngineUnreachable(EngineError):
    """No answer from the engine: it is down, restarting or hanging. Says nothing about the containers."""


class NoSuchContainer(EngineError):
    """The engine does not know this container (any more)."""


class NameTaken(EngineError):
    """A container of that name exists already; `create` made nothing."""


class SpecRejected(EngineError):
    """The engine refused to create the container from this specification; the message is the engine's."""


class StartRefused(EngineError):
    """The engine refused to start the container as it was specified; it never ran."""


class ImageNotFound(EngineError):
    """The image is neither here nor, as far as policy let us look, in its registry."""


class ImagePullFailed(EngineError):
    """The registry could not be reached or did not deliver: trying again may help."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Who the engine is. `id` outlives restarts; containers are bound to it."""

    id: str
    name: str
    version: str
    api_version: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image as the engine holds it. `digest` is the registry's, None for images made here."""

    id: str
    digest: str | None
    env: Mapping[str, str]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mount:
    """A bind mount of a host path, as the engine sees the host."""

    source: str
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """One container to create. Sizes in bytes; `cpus` in cores."""

    name: str
    image: str
    labels: Mapping[str, str]
    env: Mapping[str, str]
    mounts: tuple[Mount, ...]
    cpus: float
    memory: int
    pids: int
    shm: int
    file_size: int
    log_size: int
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    workdir: str | None = None
    user: str | None = None
    network: str = "none"
    runtime: str | None = None
    read_only: bool = False
    hostname: str | None = None


class ContainerState(StrEnum):
    """The engine's own view, reduced to what decisions need."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"
    REMOVING = "removing"


@dataclass(frozen=True, slots=True)
class Inspection:
    """The judge: what the engine says of a container now."""

    id: str
    name: str
    state: ContainerState
    exit_code: int | None
    oom_killed: bool
    error: str
    started_at: datetime | None
    finished_at: datetime | None
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recollection:
    """What the engine remembers of a container. `killed`: somebody sent it a signal through the engine. `exit_code` and
    `exited_at` are of its last exit. `restarted`: the engine has provably lost its memory since the start, as it does
    over a restart. `never_started`: it knows of everything since its creation, and of no start.
    """

    killed: bool
    exit_code: int | None
    exited_at: datetime | None
    restarted: bool
    never_started: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container has used by now; None where the engine cannot tell. `memory` is without the pages of files that
    the kernel would let go at once, `memory_peak` with them; both are bytes.
    """

    cpu_seconds: float | None
    memory: int | None
    memory_peak: int | None
    pids: int | None


class Stream(StrEnum):
    """Which stream of the container a piece of output came from."""

    STDOUT = "o"
    STDERR = "e"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some raw bytes of one stream, cut anywhere. `at_ms` is unix milliseconds: the engine's own stamp where it gives
    one (its log), else None (attach), and then the reader stamps it.
    """

    stream: Stream
    data: bytes
    at_ms: int | None = None


class ContainerRuntime(Protocol):
    """One container engine. Every method raises `EngineUnreachable` when the engine gives no answer."""

    async def identify(self) -> EngineInfo:
        """Who the engine is; also proves that it answers."""

    async def find_image(self, reference: str) -> Image | None:
        """The image as held here, or None."""

    async def pull_image(self, reference: str) -> PullProgress:
        """Fetch it, and tell what there was to fetch. Raises `ImageNotFound` or `ImagePullFailed`."""

    def pull_progress(self, reference: str) -> PullProgress | None:
        """How far the pull of it is now, if there is one."""

    async def create(self, spec: ContainerSpec) -> str:
        """Create, do not start; the container's id. Raises `NameTaken`, `SpecRejected`, `ImageNotFound`."""

    def attach(self, container: str) -> AbstractAsyncContextManager[AsyncIterator[Piece]]:
        """All output from now on; open before `start`. The context is entered once the engine has answered, so nothing
        is missed. Ends at exit — or because the engine died: only `inspect` tells.
        """

    def read_log(self, container: str, *, follow: bool) -> AbstractAsyncContextManager[AsyncIterator[Piece]]:
        """The engine's own log from its beginning, with times; with `follow`, until the container exits.

        A follower may end without the last of it: once `inspect` says that the container has exited, the log read
        without `follow` is whole.
        """

    async def last_line_at(self, container: str) -> int | None:
        """When the newest line of the engine's own log was written, as unix milliseconds; None if there is none."""

    def wait(self, container: str) -> AbstractAsyncContextManager[WaitForExit]:
        """Watch for the next exit; open before `start`. The context is entered once the engine watches."""

    async def start(self, container: str) -> None:
        """Start a created container; never call it twice for one. Raises `StartRefused`, `NoSuchContainer`."""

    async def signal(self, container: str, signal: str) -> bool:
        """Send a signal to the main process; False when it was not running any more."""

    async def pause(self, container: str) -> bool:
        """Freeze all of its processes; False when none runs any more. One that is frozen already is fine."""

    async def unpause(self, container: str) -> None:
        """Let it go on; one that is not frozen is fine."""

    async def inspect(self, container: str) -> Inspection:
        """Raises `NoSuchContainer`."""

    async def measure(self, container: str) -> Usage:
        """What a running container has used by now. Raises `NoSuchContainer`, also when it does not run any more."""

    async def weigh(self, container: str, directories: Sequence[Path]) -> int:
        """Bytes that a container takes on disk, together with these directories of this host; each file counts as 4 KiB
        at least. Raises `NoSuchContainer`, and `OSError` when it cannot be found out.
        """

    async def remove(self, container: str, *, force: bool = False) -> None:
        """Remove; a container that is gone or going already is fine. Without `force` a running one is refused."""

    async def recall(self, container: str) -> Recollection:
        """What the engine remembers of a container by its full id or name, also of one that is gone."""

    async def list_containers(self, labels: Mapping[str, str]) -> list[Inspection]:
        """Every container, in any state, that carries all these labels."""


class WaitForExit(Protocol):
    """A running watch on one container."""

    async def exited(self) -> None:
        """Returns when the engine said that it exited, or stopped saying anything: a hint, `inspect` is the judge."""
