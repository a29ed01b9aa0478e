"""Fetching images: what a reference names, what a refusal means, and one pull of it at a time.

Nothing here speaks to an engine.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from worker.engine.port import EngineError, ImageNotFound, ImagePullFailed

_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST: Final = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_PART: Final = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_REFERENCE: Final = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[+._-][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?"
)
_LONGEST: Final = 512
_ID: Final = re.compile(r"sha256:[0-9a-f]{64}")
# The engine passes the registry's words on; the status beside them is 404, 500 or a 200 sent before the trouble began.
_ABSENT: Final = re.compile(
    "not found|does not exist|manifest unknown|name unknown|no matching manifest|(?<!permission )denied|unauthorized"
    "|invalid reference",
    re.IGNORECASE,
)
_LIMITED: Final = re.compile("toomanyrequests|rate limit", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of one image: a repository with a tag, or with a digest, which then decides alone."""

    name: str
    tag: str | None
    digest: str | None

    @property
    def text(self) -> str:
        """The reference in full."""
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"

    @property
    def repository(self) -> str:
        """The name as the engine shows it: without the default registry and its default folder."""
        name = self.name.removeprefix("docker.io/").removeprefix("index.docker.io/")
        return name.removeprefix("library/")


def parse_reference(text: str) -> Reference:
    """Read `[registry[:port]/]path[:tag][@digest]`; without both, the tag is `latest`. Raises `ValueError`."""
    if _ID.fullmatch(text):
        raise ValueError(f"{text!r} is the id of an image, which no registry knows it by")
    match = _REFERENCE.fullmatch(text) if len(text) <= _LONGEST else None
    if not match:
        raise ValueError(f"{text[:_LONGEST]!r} is not a valid image reference")
    name, tag, digest = match.group("name", "tag", "digest")
    return Reference(name, None if digest else tag or "latest", digest)


def local_name(text: str) -> str:
    """What to ask the engine for. Raises `ValueError`.

    Always complete: the engine would take a bare name that looks like one for the beginning of an image id.
    """
    if _ID.fullmatch(text):
        return text
    name = parse_reference(text).text
    return f"docker.io/library/{name}" if name.startswith("sha256:") else name


def pull_error(reference: Reference, message: str) -> EngineError:
    """What the engine's words about a failed pull mean."""
    absent = _ABSENT.search(message) and not _LIMITED.search(message)
    kind = ImageNotFound if absent else ImagePullFailed
    return kind(f"Cannot pull {reference.text}: {message}")


@dataclass(slots=True)
class _Flight:
    task: asyncio.Task[None]
    callers: int = 0


class SingleFlight:
    """One run per key at a time: later callers join it. When its last caller is cancelled, so is the run."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight] = {}

    async def run(self, key: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work, or wait for the run that does it. Raises what the work raises, for every caller."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.ensure_future(self._fly(key, work)))
        flight.callers += 1
        try:
            await asyncio.shield(flight.task)
        finally:
            flight.callers -= 1
            if not flight.callers and self._flights.get(key) is flight:
                del self._flights[key]
                flight.task.cancel()

    async def _fly(self, key: str, work: Callable[[], Awaitable[None]]) -> None:
        flight = self._flights[key]
        try:
            await work()
        finally:
            # Not for callers that come after the end: the answer may be another one by then.
            if self._flights.get(key) is flight:
                del self._flights[key]
