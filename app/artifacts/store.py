"""The bytes of collected files: one object per file, on disk now, on S3, GCS or Azure by the same calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container
from pathlib import Path

from obstore.store import LocalStore, ObjectStore

from app.artifacts.model import ArtifactSet

PIECE_BYTES = 256 * 1024


class ArtifactStore:
    """Puts, reads and deletes collected files."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def open(cls, directory: Path) -> ArtifactStore:
        """A store in a directory, which only its owner can enter."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(LocalStore(prefix=str(directory), automatic_cleanup=True))

    async def put(self, group: ArtifactSet, path: str, pieces: AsyncIterator[bytes]) -> None:
        """Store a file whole; a reader sees all of it or none."""
        await self._store.put_async(group.key(path), pieces)

    async def read(self, group: ArtifactSet, path: str) -> AsyncIterator[bytes]:
        """The file in pieces. Raises `FileNotFoundError`."""
        response = await self._store.get_async(group.key(path))
        async for piece in response.stream(min_chunk_size=PIECE_BYTES):
            yield bytes(piece)

    async def delete(self, group: ArtifactSet) -> None:
        """Remove every file of a set; one that is gone already is fine."""
        await self.clear(group.prefix)

    async def clear(self, prefix: str, *, but: Container[str] = ()) -> None:
        """Remove everything below a prefix but these keys; what is gone already is fine."""
        async for batch in self._store.list(prefix):
            paths = [meta["path"] for meta in batch if meta["path"] not in but]
            if paths:
                await self._store.delete_async(paths)
