"""Files from the server onto the disk: whole or not at all, and on from where the line broke."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

from tailrace._errors import ConnectionFailed, TailraceError
from tailrace._outage import reason_of
from tailrace._retrying import Patience
from tailrace._transport import Request, Transport

if TYPE_CHECKING:
    import httpx

PIECE = 1024 * 1024


async def download(
    transport: Transport, path: str, target: Path, *, params: Mapping[str, Any] | None = None, sha256: str | None = None
) -> Path:
    """Write what is at a path of the API to a file, which appears when it is complete.

    Raises:
        TailraceError: What came has not the checksum that it should have.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: beside other downloads of the same, and however long the name of the file is.
    part = target.with_name(f".{uuid4().hex}.part")
    try:
        with part.open("w+b") as file:
            await _fetch(transport, path, file, params)
            if sha256 is not None and _digest(file) != sha256:
                raise TailraceError(f"{target.name} did not arrive as it was sent: its checksum is another one.")
        part.replace(target)
    except OSError as error:
        # That the disk is full, nobody says of which file.
        error.filename = error.filename or str(target)
        raise
    finally:
        with suppress(OSError):
            part.unlink()
    return target


async def _fetch(transport: Transport, path: str, file: IO[bytes], params: Mapping[str, Any] | None) -> None:
    """Every byte. After a cut only the rest is asked for, if the server can tell that it is still the same file."""
    import httpx

    patience = Patience(transport.patience, transport.outage)
    etag: str | None = None
    while True:
        before = file.tell()
        headers = {"Range": f"bytes={file.tell()}-", "If-Range": etag} if etag and file.tell() else {}
        try:
            async with transport.open(Request("GET", path, params=params, headers=headers)) as response:
                etag = response.headers.get("etag")
                if response.status_code != 206:
                    file.seek(0)
                    file.truncate()
                await _write(response, file)
                return
        except httpx.TransportError as error:
            # What gets on is no reason to lose patience.
            if file.tell() > before:
                patience = Patience(transport.patience, transport.outage)
            await patience.rest(ConnectionFailed(transport.config.url, reason_of(error)))


async def _write(response: httpx.Response, file: IO[bytes]) -> None:
    # As they come: what is held back to be larger is lost at a cut.
    async for piece in response.aiter_bytes():
        file.write(piece)


def _digest(file: IO[bytes]) -> str:
    import hashlib

    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


def inside(directory: Path, path: str) -> Path:
    """Where a path of a program's choice goes. Raises `TailraceError` if that is not inside."""
    root = directory.resolve()
    # No file has such a name, and paths with it cannot even be asked about.
    target = root if "\0" in path else (root / path).resolve()
    if not target.is_relative_to(root) or target == root:
        raise TailraceError(f"`{path}` is not a path below {directory}; it is not written.")
    return target
