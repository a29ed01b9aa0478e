"""The Docker Engine behind the port: the one file that knows its HTTP API.

Measured behaviour that the code relies on is said where it matters.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote
from weakref import WeakValueDictionary

import aiohttp
import orjson

from worker.engine.answers import read_image, read_inspection, read_recollection, read_usage, understanding
from worker.engine.cgroups import ControlGroup, find_control_group
from worker.engine.connection import EngineConnection, Refused
from worker.engine.disk import Turns, count_by_engine, own_directories
from worker.engine.frames import Demultiplexer, FrameError
from worker.engine.layers import PullProgress
from worker.engine.oom import OomWitness
from worker.engine.port import (
    ContainerSpec,
    ContainerState,
    EngineError,
    EngineInfo,
    EngineUnreachable,
    Image,
    ImageNotFound,
    Inspection,
    NameTaken,
    NoSuchContainer,
    Piece,
    Recollection,
    SpecRejected,
    StartRefused,
    Usage,
)
from worker.engine.pull import Reference, SingleFlight, local_name, parse_reference, pull_error
from worker.engine.spec import create_body

_INSPECTIONS_AT_ONCE: Final = 16
# What a container uses is a costly question; each of them takes a second.
_QUESTIONS_AT_ONCE: Final = 2
_GROUPS_KNOWN: Final = 1000
# Words of a failed `create` or `start` that speak of the engine's own host, not of what was asked for.
_HOST_TROUBLE: Final = re.compile(
    "no space left|read-only file system|input/output error|too many open files|cannot allocate memory"
    "|context deadline",
    re.IGNORECASE,
)


class DockerRuntime:
    """`ContainerRuntime` on one Docker Engine. Close it, or use it as an async context manager.

    `timeout` bounds every short request and the beginning of every stream; `slow_timeout` bounds create, start and
    remove, in which the engine works on a disk; streams themselves last as long as they do. `on_error` hears of
    requests in which the engine failed. In `proc` the processes of the engine's host are seen, if anywhere. Raises
    `ValueError` for a `host` that is neither `unix:///path` nor `tcp://host:port`.
    """

    def __init__(
        self,
        host: str = "unix:///var/run/docker.sock",
        *,
        timeout: float = 30.0,
        slow_timeout: float = 120.0,
        on_error: Callable[[str], None] = lambda _: None,
        proc: Path = Path("/proc"),
    ) -> None:
        self._proc = proc
        self._http = EngineConnection(host, timeout=timeout, slow_timeout=slow_timeout, on_error=on_error)
        self._pulls = SingleFlight()
        # Each for as long as somebody waits for the pull.
        self._progress: WeakValueDictionary[str, PullProgress] = WeakValueDictionary()
        self._oom = OomWitness()
        self._groups: dict[str, ControlGroup | None] = {}
        self._questions, self._turns = asyncio.Semaphore(_QUESTIONS_AT_ONCE), Turns()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Cut every connection; open streams end with `EngineUnreachable`."""
        self._oom.close()
        await self._http.close()

    async def identify(self) -> EngineInfo:
        """Who the engine is; also proves that it answers."""
        info = await self._http.json("GET", "/info")
        with understanding("GET /info"):
            # Engines that only imitate Docker may have no id; two of those on one host do not exist.
            return EngineInfo(
                id=info["ID"] or info["Name"],
                name=info["Name"],
                version=info["ServerVersion"],
                api_version=self._http.version or "",
            )

    async def find_image(self, reference: str) -> Image | None:
        """The image as held here, or None."""
        try:
            name = local_name(reference)
        except ValueError:
            return None
        try:
            found = await self._http.json("GET", f"/images/{quote(name, safe='/:@')}/json")
        except Refused as refusal:
            if refusal.status in (400, 404):
                return None
            raise
        with understanding("the image"):
            return read_image(found, name)

    async def pull_image(self, reference: str) -> PullProgress:
        """Fetch it; callers at the same time share one pull. Raises `ImageNotFound` or `ImagePullFailed`."""
        try:
            wanted = parse_reference(reference)
        except ValueError as error:
            raise ImageNotFound(str(error)) from None
        progress = self._progress.get(wanted.text) or PullProgress()
        self._progress[wanted.text] = progress
        await self._pulls.run(wanted.text, lambda: self._pull(wanted, progress))
        return progress

    def pull_progress(self, reference: str) -> PullProgress | None:
        """How far the pull of it is now, if there is one."""
        try:
            return self._progress.get(parse_reference(reference).text)
        except ValueError:
            return None

    async def create(self, spec: ContainerSpec) -> str:
        """Create, do not start; the container's id. Raises `NameTaken`, `SpecRejected`, `ImageNotFound`."""
        try:
            spec = replace(spec, image=local_name(spec.image))
        except ValueError as error:
            raise SpecRejected(str(error)) from None
        body = create_body(spec)
        try:
            made = await self._http.json("POST", "/containers/create", params={"name": spec.name}, body=body, slow=True)
        except Refused as refusal:
            raise _create_error(refusal) from None
        with understanding("the created container"):
            return str(made["Id"])

    @asynccontextmanager
    async def attach(self, container: str) -> AsyncIterator[AsyncIterator[Piece]]:
        """All output from now on; open before `start`. Raises `NoSuchContainer`.

        The engine subscribes before it answers, so a container that writes and exits at once loses nothing. A plain
        request without an upgrade is answered with the raw stream, up to the end of the connection.
        """
        path = f"/containers/{_quoted(container)}/attach"
        params = {"stream": "1", "stdout": "1", "stderr": "1"}
        async with self._stream(container, "POST", path, params) as response:
            yield _Pieces(self._http, response, Demultiplexer())

    @asynccontextmanager
    async def read_log(self, container: str, *, follow: bool) -> AsyncIterator[AsyncIterator[Piece]]:
        """The engine's own log from its beginning, with times. Raises `NoSuchContainer`.

        Of a container that was never started it is empty, and ends at once even with `follow`. At an exit the engine's
        follower often stops before the last message (measured); and when the log outgrows its file and begins anew,
        the follower skips some of it and gives some twice. Read without `follow`, it is always exactly what is there.
        """
        path = f"/containers/{_quoted(container)}/logs"
        params = {"follow": str(int(follow)), "stdout": "1", "stderr": "1", "timestamps": "1"}
        async with self._stream(container, "GET", path, params) as response:
            yield _Pieces(self._http, response, Demultiplexer(timestamps=True))

    async def last_line_at(self, container: str) -> int | None:
        """When the newest line of the engine's own log was written, unix milliseconds. Raises `NoSuchContainer`."""
        path = f"/containers/{_quoted(container)}/logs"
        params = {"follow": "0", "stdout": "1", "stderr": "1", "timestamps": "1", "tail": "1"}
        newest = None
        async with self._stream(container, "GET", path, params) as response:
            async for piece in _Pieces(self._http, response, Demultiplexer(timestamps=True)):
                newest = piece.at_ms
        return newest

    @asynccontextmanager
    async def wait(self, container: str) -> AsyncIterator[_Exit]:
        """Watch for the next exit; open before `start`. Raises `NoSuchContainer`.

        The engine sends the head of its answer once it watches. The next exit, because without the condition the
        engine takes a container that was never started for one that exited with 0.
        """
        path = f"/containers/{_quoted(container)}/wait"
        async with self._stream(container, "POST", path, {"condition": "next-exit"}) as response:
            yield _Exit(response)

    async def start(self, container: str) -> None:
        """Start a created container. Raises `StartRefused` when it certainly never ran, `NoSuchContainer`.

        Any other `EngineError` leaves open whether it ran: only `inspect` tells.
        """
        try:
            with _about(container):
                await self._http.call("POST", f"/containers/{_quoted(container)}/start", slow=True)
        except Refused as refusal:
            raise await self._start_error(container, refusal) from None

    async def signal(self, container: str, signal: str) -> bool:
        """Send a signal to the main process; False when it was not running. Raises `NoSuchContainer`.

        Killing a frozen container unfreezes it.
        """
        try:
            with _about(container):
                await self._http.call("POST", f"/containers/{_quoted(container)}/kill", params={"signal": signal})
        except Refused as refusal:
            if refusal.status == 409:
                return False
            raise
        return True

    async def pause(self, container: str) -> bool:
        """Freeze all of its processes; False when none runs any more. Raises `NoSuchContainer`."""
        return await self._freeze(container, "pause", ContainerState.PAUSED)

    async def unpause(self, container: str) -> None:
        """Let it go on; one that is not frozen is fine. Raises `NoSuchContainer`."""
        await self._freeze(container, "unpause", ContainerState.RUNNING)

    async def inspect(self, container: str) -> Inspection:
        """Raises `NoSuchContainer`."""
        with _about(container):
            found = await self._http.json("GET", f"/containers/{_quoted(container)}/json")
        with understanding("the container"):
            seen = read_inspection(found)
        if seen.state is ContainerState.EXITED and not seen.oom_killed and self._oom.saw(seen.id):
            return replace(seen, oom_killed=True)
        return seen

    async def measure(self, container: str) -> Usage:
        """What a running container has used by now. Raises `NoSuchContainer`, also when it does not run any more."""
        if container not in self._groups:
            if len(self._groups) >= _GROUPS_KNOWN:
                self._groups.clear()
            self._groups[container] = await self._find_group(container)
        group = self._groups[container]
        if group is not None:
            try:
                return await asyncio.to_thread(group.read)
            except OSError:
                del self._groups[container]
                raise NoSuchContainer(f"{container} does not run any more") from None
        params = {"stream": "false", "one-shot": "true"}
        async with self._questions:
            with _about(container):
                found = await self._http.json("GET", f"/containers/{_quoted(container)}/stats", params=params)
        with understanding("what the container uses"):
            usage = read_usage(found)
        if usage is None:
            raise NoSuchContainer(f"{container} does not run any more")
        return usage

    async def _find_group(self, container: str) -> ControlGroup | None:
        with _about(container):
            found = await self._http.json("GET", f"/containers/{_quoted(container)}/json")
        with understanding("the container"):
            id_, pid = found["Id"], int(found["State"]["Pid"])
        if pid == 0:
            raise NoSuchContainer(f"{container} does not run any more")
        return await asyncio.to_thread(find_control_group, id_, pid, self._proc)

    async def weigh(self, container: str, directories: Sequence[Path]) -> int:
        """Bytes that it takes on disk, with these directories. Raises `NoSuchContainer`, and `OSError`.

        Where its own are not of this host the engine counts them, by the apparent sizes of the files.
        """
        path, counted = f"/containers/{_quoted(container)}/json", 0
        with _about(container):
            own = await asyncio.to_thread(own_directories, await self._http.json("GET", path))
            if own is None:
                async with self._turns.asking(container):
                    counted = await count_by_engine(self._http.json, path)
        return counted + await self._turns.allocated([*(own or ()), *directories])

    async def remove(self, container: str, *, force: bool = False) -> None:
        """Remove, with its anonymous volumes; gone or going already is fine.

        Raises `EngineError` for a running container without `force`.
        """
        params = {"v": "1", "force": str(int(force))}
        try:
            with _about(container):
                await self._http.call("DELETE", f"/containers/{_quoted(container)}", params=params, slow=True)
        except NoSuchContainer:
            return
        except Refused as refusal:
            if refusal.status != 409 or "already in progress" not in str(refusal):
                raise

    async def list_containers(self, labels: Mapping[str, str]) -> list[Inspection]:
        """Every container, in any state, that carries all these labels.

        Those that go meanwhile, or of which the engine cannot tell, are left out.
        """
        filters = orjson.dumps({"label": [f"{name}={value}" for name, value in labels.items()]}).decode()
        rows = await self._http.json("GET", "/containers/json", params={"all": "1", "filters": filters})
        with understanding("GET /containers/json"):
            ids = [row["Id"] for row in rows]
        turn = asyncio.Semaphore(_INSPECTIONS_AT_ONCE)

        async def look(container: str) -> Inspection | None:
            async with turn:
                try:
                    return await self.inspect(container)
                except EngineUnreachable:
                    raise
                except EngineError:
                    return None

        found = await asyncio.gather(*map(look, ids))
        return [inspection for inspection in found if inspection]

    async def recall(self, container: str) -> Recollection:
        """What the engine remembers of a container by its full id or name, also of one that is gone.

        It keeps its last 256 events, and none over a restart (measured).
        """
        events = await self._events()
        memory = read_recollection(events, container)
        if not memory.restarted:
            return memory
        # What came while we asked is not told, and yet has crowded out others. Asked again, the engine tells as many
        # as it keeps, or has forgotten its oldest by now.
        again = await self._events()
        memory = read_recollection(again, container)
        return replace(memory, restarted=memory.restarted and (not events or again[:1] == events[:1]))

    async def _freeze(self, container: str, what: str, wanted: ContainerState) -> bool:
        """Whether it is as wanted. Engines differ in how they refuse what is so already: `inspect` tells."""
        try:
            with _about(container):
                await self._http.call("POST", f"/containers/{_quoted(container)}/{what}")
        except Refused:
            state = (await self.inspect(container)).state
            if state in {ContainerState.RUNNING, ContainerState.PAUSED} and state is not wanted:
                raise
            return state is wanted
        return True

    async def _events(self) -> list[Any]:
        """All that the engine remembers until now, oldest first."""
        until = f"{await self._now():.6f}"
        answer = await self._http.call("GET", "/events", params={"since": "0", "until": until})
        with understanding("GET /events"):
            return [orjson.loads(line) for line in answer.splitlines()]

    async def _now(self) -> float:
        """The time of day by the engine's clock, never early: what has happened until now is before it.

        Ours is more exact, but may be wrong: the engine would wait for an end of its events that is yet to come.
        """
        ours = time.time()
        with self._http.reaching("GET /_ping"):
            answer = await self._http.begin("GET", "/_ping", params={})
        async with answer:
            with understanding("GET /_ping"):
                dated = parsedate_to_datetime(answer.headers["Date"]).timestamp()  # in whole seconds
        return ours if dated <= ours <= dated + 1 else dated + 1

    async def _pull(self, wanted: Reference, progress: PullProgress) -> None:
        params = {"fromImage": wanted.name, "tag": wanted.digest or wanted.tag or ""}
        await self._http.call("GET", "/_ping")  # the answer to a pull may take minutes: only here a dead engine shows
        rest = b""
        with self._http.reaching(f"the pull of {wanted.text}"):
            try:
                response = await self._http.open("POST", "/images/create", params=params)
            except Refused as refusal:
                raise pull_error(wanted, str(refusal)) from None
            async with response:
                async for data in response.content.iter_any():
                    *lines, rest = (rest + data).split(b"\n")
                    _hear_pull(wanted, lines, progress)
        _hear_pull(wanted, [rest], progress)

    async def _start_error(self, container: str, refusal: Refused) -> EngineError:
        found = await self.inspect(container)
        if found.started_at:
            return EngineError(f"The engine reported a failed start of a container that has run: {refusal}")
        return refusal if _HOST_TROUBLE.search(str(refusal)) else StartRefused(str(refusal))

    @asynccontextmanager
    async def _stream(
        self, container: str, method: str, path: str, params: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        with self._http.reaching(f"{method} {path}"), _about(container):
            response = await self._http.begin(method, path, params=params)
        try:
            yield response
        finally:
            response.close()  # at once, read or not: the engine must not wait for us


class _Pieces:
    """The output of one stream. Holds nothing open: its context does."""

    def __init__(self, http: EngineConnection, response: aiohttp.ClientResponse, demultiplexer: Demultiplexer) -> None:
        self._http = http
        self._response = response
        self._demultiplexer = demultiplexer
        self._ready: Iterator[Piece] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Piece:
        """Raises `EngineUnreachable` when the connection broke; a container's end and a dying engine end it alike."""
        while True:
            for piece in self._ready:
                return piece
            with self._http.reaching("reading output"):
                data = await _read(self._response)
            if not data:
                self._end()
                raise StopAsyncIteration
            self._ready = iter(self._demultiplexer.feed(data))

    def _end(self) -> None:
        try:
            self._demultiplexer.close()
        except FrameError as error:  # the engine always writes whole frames: it was cut off
            raise EngineUnreachable(str(error)) from None


class _Exit:
    """A running watch on one container."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def exited(self) -> None:
        """Returns when the engine said that it exited, or stopped saying anything: a hint, `inspect` is the judge."""
        with suppress(aiohttp.ClientError, OSError):
            await _read(self._response)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """What has come since, at least a byte; nothing at the end."""
    try:
        return await response.content.readany()
    except RuntimeError as error:  # how aiohttp says that the connection went before we asked
        raise aiohttp.ClientConnectionError(str(error)) from error


@contextmanager
def _about(container: str) -> Iterator[None]:
    """Tells "no such container" from the other things that may be missing: an image, a network, another container."""
    try:
        yield
    except Refused as refusal:
        # One that is on its way out is as good as gone, but the engine refuses it in other words.
        gone = refusal.status == 404 and container in str(refusal)
        if gone or (refusal.status == 409 and "marked for removal" in str(refusal)):
            raise NoSuchContainer(str(refusal)) from None
        raise


def _quoted(container: str) -> str:
    return quote(container, safe="")


def _create_error(refusal: Refused) -> EngineError:
    message = str(refusal)
    if refusal.status == 409:
        return NameTaken(message)
    if refusal.status == 404 and "no such image" in message.lower():
        return ImageNotFound(message)
    return refusal if _HOST_TROUBLE.search(message) else SpecRejected(message)


def _hear_pull(wanted: Reference, lines: list[bytes], progress: PullProgress) -> None:
    for line in filter(None, map(bytes.strip, lines)):
        with understanding(f"the pull of {wanted.text}"):
            said = orjson.loads(line)
            error = said.get("error")
            progress.hear(said)
        if error:
            raise pull_error(wanted, error)
