"""Files as inputs."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tailrace._aio.api import Api
from tailrace._aio.downloads import PIECE, download
from tailrace._document import Document
from tailrace._errors import TailraceError
from tailrace._nouns import File
from tailrace._pages import AsyncPages
from tailrace._transport import Request, label, segment

FILES = "/v1/files"
# What is smaller goes with the submission.
SMALL = 64 * 1024


@dataclass
class _Body:
    """Bytes that are read while they are sent, and again if they have to be sent again."""

    file: IO[bytes]
    start: int = field(init=False)
    digest: str = ""

    def __post_init__(self) -> None:
        self.start = self.file.tell()

    def length(self) -> int:
        """How many there are."""
        end = self.file.seek(0, os.SEEK_END)
        self.file.seek(self.start)
        return end - self.start

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of them, from the beginning."""
        import hashlib

        digest = hashlib.sha256()
        self.file.seek(self.start)
        while piece := self.file.read(PIECE):
            digest.update(piece)
            yield piece
        self.digest = digest.hexdigest()


class AsyncFiles:
    """Files that were uploaded, for `files=` of submissions: `run(…, files={"a.csv": files.upload("a.csv")})`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self, *, name: str | None = None, label: Mapping[str, str | None] | None = None) -> AsyncPages[File]:
        """Yours, the newest first; those whose name begins so, or with these labels."""
        return self._api.pages(FILES, File, {"name": name, "label": label})

    async def get(self, id: str) -> File:  # noqa: A002  that is what it is
        """One of them. Raises `NotFound`."""
        return File(await self._api.get(f"{FILES}/{segment(id)}"))

    async def upload(
        self,
        source: str | os.PathLike[str] | bytes | IO[bytes],
        *,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> File:
        """Send a file: a path, bytes, or an open file that can be rewound. It is read piece by piece as it is sent.

        Raises:
            TailraceError: It did not arrive as it was sent.
            TooMany: You have as many bytes of files as you may have.
        """
        with opened(source) as file:
            body = _Body(file)
            headers = {
                "Content-Length": str(body.length()),
                **({"Content-Type": media_type} if media_type else {}),
            }
            params = {
                "name": name or Path(str(getattr(file, "name", "") or "file")).name,
                "label": [label(key, value) for key, value in (labels or {}).items()],
            }
            request = Request("POST", FILES, params=params, content=body.pieces, headers=headers, repeatable=True)
            record = File((await self._api.transport.send(request)).json())
        if record.sha256 != body.digest:
            raise TailraceError(f"{record.name} did not arrive as it was sent: its checksum is another one.")
        return record

    async def read(self, id: str) -> bytes:  # noqa: A002  that is what it is
        """Its bytes, all in memory. Raises `NotFound`."""
        return (await self._api.transport.send(Request("GET", f"{FILES}/{segment(id)}/content"))).content

    async def download(self, id: str, path: str | os.PathLike[str]) -> Path:  # noqa: A002  that is what it is
        """Write it to a path, where it appears when it is complete. Raises `NotFound`."""
        return await download(self._api.transport, f"{FILES}/{segment(id)}/content", Path(path))

    async def preview(self, id: str) -> Mapping[str, Any]:  # noqa: A002  that is what it is
        """What can be shown of it: the beginning of a text, the rows of a table, a picture's size."""
        preview: Mapping[str, Any] = await self._api.get(f"{FILES}/{segment(id)}/preview")
        return preview

    async def delete(self, id: str) -> None:  # noqa: A002  that is what it is
        """Delete it. Raises `Conflict` while something that has not ended needs it."""
        await self._api.ask("DELETE", f"{FILES}/{segment(id)}")

    async def sent_along(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """A submission with the paths and bytes of its `files` uploaded, or written out where they are small."""
        files = document.get("files")
        # What is nothing of the kind is for the API to refuse.
        if not isinstance(files, Mapping):
            return dict(document)
        return {**document, "files": {path: await self._source(value) for path, value in files.items()}}

    async def _source(self, value: Any) -> Any:
        if isinstance(value, File):
            return {"id": value.id}
        if isinstance(value, bytes) and len(value) <= SMALL:
            return {"base64": base64.b64encode(value).decode()}
        if isinstance(value, bytes | os.PathLike):
            return {"id": (await self.upload(value)).id}
        return dict(value) if isinstance(value, Document) else value


def opened(source: str | os.PathLike[str] | bytes | IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    """To be read; what was open before stays open."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        return Path(source).open("rb")
    return nullcontext(source)
