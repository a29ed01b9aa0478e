"""Containers of one test: made, followed to their end, and removed by label whatever happens."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from worker.engine.docker import DockerRuntime
from worker.engine.port import ContainerSpec, Inspection, Piece, Stream

LABEL = "tailrace.test"
IMAGE = "busybox:local"


@dataclass(frozen=True)
class Ended:
    """A container that has come to its end, with all it said."""

    seen: Inspection
    out: bytes
    err: bytes


async def read(output: AsyncIterator[Piece]) -> list[Piece]:
    return [piece async for piece in output]


def both(pieces: list[Piece]) -> tuple[bytes, bytes]:
    """What was said on each of the two streams."""
    out = b"".join(piece.data for piece in pieces if piece.stream is Stream.STDOUT)
    err = b"".join(piece.data for piece in pieces if piece.stream is Stream.STDERR)
    return out, err


class Harbour:
    """Makes containers with the label of one test, and removes them."""

    def __init__(self, engine: DockerRuntime, labels: dict[str, str]) -> None:
        self.engine = engine
        self.labels = labels

    def spec(self, *command: str, **changes: Any) -> ContainerSpec:
        usual: dict[str, Any] = {
            "name": f"tailrace-test-{uuid.uuid4().hex}",
            "image": IMAGE,
            "labels": self.labels,
            "env": {},
            "mounts": (),
            "cpus": 1.0,
            "memory": 32 << 20,
            "pids": 64,
            "shm": 1 << 20,
            "file_size": 64 << 20,
            "log_size": 80 << 20,
            "command": command,
        }
        return ContainerSpec(**usual | changes)

    async def start(self, *command: str, **changes: Any) -> str:
        """Create and start, without looking at its output."""
        container = await self.engine.create(self.spec(*command, **changes))
        await self.engine.start(container)
        return container

    async def run(self, *command: str, **changes: Any) -> Ended:
        """From create to exit, with all its output by attach."""
        container = await self.engine.create(self.spec(*command, **changes))
        return await self.follow(container)

    async def follow(self, container: str) -> Ended:
        async with self.engine.attach(container) as output, self.engine.wait(container) as watch:
            await self.engine.start(container)
            pieces = await read(output)
            await watch.exited()
        seen = await self.engine.inspect(container)
        return Ended(seen, *both(pieces))

    async def clear(self) -> None:
        await clear(self.engine, self.labels)


async def clear(engine: DockerRuntime, labels: dict[str, str]) -> None:
    left = await engine.list_containers(labels)
    await asyncio.gather(*(engine.remove(container.id, force=True) for container in left))
