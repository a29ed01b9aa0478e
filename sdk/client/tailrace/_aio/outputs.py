"""What an execution left."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tailrace._aio.api import Api
from tailrace._aio.downloads import download, inside
from tailrace._pages import AsyncPages
from tailrace._records import OutputFile
from tailrace._transport import Request, segment


class AsyncOutputs:
    """The files that a program left in `/tailrace/outputs`."""

    def __init__(self, api: Api, execution: str) -> None:
        self._api = api
        self._path = f"/v1/executions/{segment(execution)}/outputs"

    def list(self) -> AsyncPages[OutputFile]:
        """Every file, by path. While it runs there are none."""
        return self._api.pages(self._path, OutputFile)

    async def read(self, path: str) -> bytes:
        """The bytes of one file. Raises `NotFound`."""
        response = await self._api.transport.send(Request("GET", self._of(path)))
        return response.content

    async def text(self, path: str, encoding: str = "utf-8") -> str:
        """The same as text. Raises `NotFound`, `UnicodeDecodeError`."""
        return (await self.read(path)).decode(encoding)

    async def download(self, directory: str | os.PathLike[str] = ".", pattern: str = "*") -> tuple[Path, ...]:
        """Write the files, with their directories, and return where they are: `download("results", "*.csv")`.

        `pattern` chooses some: `*.csv`, `plots/*`; a `*` stands for slashes, too. A file that is there already is
        replaced once the other one is complete.

        Raises:
            TailraceError: One did not arrive as it was kept: its checksum is another one.
        """
        written = []
        async for file in self.list():
            if fnmatch(file.path, pattern):
                target = inside(Path(directory), file.path)
                written.append(
                    await download(self._api.transport, self._of(file.path), target, sha256=file.sha256 or None)
                )
        return tuple(written)

    async def preview(self, path: str) -> Mapping[str, Any]:
        """What can be shown of one file: the beginning of a text, the rows of a table, a picture's size."""
        preview: Mapping[str, Any] = await self._api.get(
            f"{self._path.removesuffix('/outputs')}/previews/{path_of(path)}"
        )
        return preview

    async def zip(self, path: str | os.PathLike[str]) -> Path:
        """Write all of them as one zip file."""
        return await download(self._api.transport, f"{self._path}.zip", Path(path))

    def _of(self, path: str) -> str:
        return f"{self._path}/{path_of(path)}"


def path_of(path: str) -> str:
    """The path of a file, as addresses have it."""
    return "/".join(segment(part) for part in path.split("/"))
