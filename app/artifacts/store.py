"""Bytes that are kept: one object per file, on disk or on S3, GCS or Azure by the same calls."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

from obstore.exceptions import GenericError
from obstore.store import LocalStore, ObjectStore, S3Store

from app.artifacts.address import Bucket
from app.artifacts.model import ArtifactSet, Span

PIECE_BYTES = 256 * 1024
# What is stored goes in parts of so many bytes, and so many of them are in memory. S3 takes 10,000 parts of an object.
PART_BYTES = 8 * 1024 * 1024
MAX_PARTS = 10_000
PARTS_AT_ONCE = 2
# Of one request to a store on another machine; who needs more patience asks again.
CONNECT_WITHIN = timedelta(seconds=5)
ANSWER_WITHIN = timedelta(seconds=120)
RETRIES = 3
AWAY_AT_MOST = 300.0
RETRY_WITHIN = timedelta(seconds=20)


class ArtifactStore:
    """Puts, reads and deletes files. `directory` is where they lie, if that is a disk of ours.

    `patience`: it may be away for so many seconds until whoever has something to store gives up.
    """

    def __init__(self, store: ObjectStore, directory: Path | None = None, *, patience: float = AWAY_AT_MOST) -> None:
        self._store = store
        self._directory = directory
        self.patience = patience

    @classmethod
    def open(cls, directory: Path) -> ArtifactStore:
        """A store in a directory, which only its owner can enter."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(LocalStore(prefix=str(directory), automatic_cleanup=True), directory)

    @classmethod
    def of(cls, setting: str, data: Path) -> ArtifactStore:
        """Where the setting says, else below the data directory. Credentials are the environment's (`AWS_…`)."""
        bucket = Bucket.parse(setting)
        if bucket is None:
            return cls.open(data / "artifacts")
        options: dict[str, Any] = {"region": bucket.region or "us-east-1"}
        if bucket.endpoint is not None:
            options["endpoint"] = bucket.endpoint
        store = S3Store(
            bucket.name,
            prefix=bucket.prefix or None,
            client_options={
                "allow_http": (bucket.endpoint or "").startswith("http:"),
                "connect_timeout": CONNECT_WITHIN,
                "timeout": ANSWER_WITHIN,
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_WITHIN},
            **options,
        )
        return cls(store)

    async def put(self, group: ArtifactSet, path: str, pieces: AsyncIterator[bytes]) -> None:
        """Store a file whole; a reader sees all of it or none."""
        await self.put_object(group.key(path), pieces)

    async def put_object(self, key: str, pieces: AsyncIterator[bytes], *, most: int = PART_BYTES * MAX_PARTS) -> None:
        """The same under any key, of at most so many bytes. What the iterator raises is raised, and nothing stays."""
        await self._check_there()
        head: list[bytes] = []
        held = 0
        async for piece in pieces:
            head.append(piece)
            held += len(piece)
            if held > PART_BYTES:
                break
        else:
            await self._store.put_async(key, b"".join(head), chunk_size=PART_BYTES)
            return
        part = max(PART_BYTES, -(-most // MAX_PARTS))
        whole = _chained(head, pieces)
        await self._store.put_async(key, whole, chunk_size=part, max_concurrency=PARTS_AT_ONCE)

    async def read(self, group: ArtifactSet, path: str, span: Span | None = None) -> AsyncIterator[bytes]:
        """A file in pieces, or a part of it. Raises `FileNotFoundError`."""
        async for piece in self.read_object(group.key(path), span):
            yield piece

    async def read_object(self, key: str, span: Span | None = None) -> AsyncIterator[bytes]:
        """The same of any key."""
        await self._check_there()
        response = await self._store.get_async(key, options={"range": (span.start, span.end)} if span else None)
        async for piece in response.stream(min_chunk_size=PIECE_BYTES):
            yield bytes(piece)

    async def delete(self, group: ArtifactSet) -> None:
        """Remove every file of a set; one that is gone already is fine."""
        await self.clear(group.prefix)

    async def clear(self, prefix: str, *, but: Collection[str] = ()) -> None:
        """Remove everything below a prefix but these keys; what is gone already is fine."""
        await self._check_there()
        async for batch in self._store.list(prefix):
            paths = [meta["path"] for meta in batch if meta["path"] not in but]
            if paths:
                await self._store.delete_async(paths)
        if self._directory is not None and not but:
            # What a process that died was writing has a name that no list shows.
            await asyncio.to_thread(shutil.rmtree, self._directory / prefix, ignore_errors=True)

    async def _check_there(self) -> None:
        """Raises `GenericError` when our directory is not there, such as that of a disk that is not mounted.

        It would be made anew on whatever disk is there, and what is on ours would be called gone.
        """
        if self._directory is not None and not await asyncio.to_thread(self._directory.is_dir):
            raise GenericError(f"{self._directory} is not there.")


async def _chained(head: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while head:
        yield head.pop(0)
    async for piece in rest:
        yield piece
