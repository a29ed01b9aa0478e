"""The input files of an attempt: copied, written or fetched into its mount before the program is started.

Who takes over an attempt that was not started begins anew, so a file is never half there when the program looks.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from functools import partial
from typing import BinaryIO

import structlog

from app.executions.states import Cause
from app.files import repository
from app.files.hosts import Hosts
from app.files.model import FileRecord, FileSource, Sources, ids_of
from app.outbound.client import NoAnswer, TooLarge
from app.outbound.policy import Refused
from worker import sentences
from worker.context import WorkerContext
from worker.over import Over
from worker.storing import insist
from worker.story import Story
from worker.workspace import Workspace

log = structlog.get_logger(__name__)

# Seconds for one file.
FETCH_WITHIN = 600.0
FETCH_TRIES = 3
FETCH_AGAIN_AFTER = 2.0
# Those answers that may be another one in a moment.
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})


class _MayPass(Exception):
    """It could not be fetched just now. The message is a clause: "its host answered 503"."""


class InputFiles:
    """Puts the files that an execution asks for into its workspace."""

    def __init__(self, context: WorkerContext, sources: Sources, workspace: Workspace, story: Story) -> None:
        self._context = context
        self._sources = sources
        self._workspace = workspace
        self._story = story
        self._hosts = Hosts.parse(context.process.settings.input_urls)
        self._limit = int(context.process.settings.file_limit)
        # What all URLs together may still give.
        self._left = self._most = int(context.process.settings.input_urls_limit)

    @property
    def from_elsewhere(self) -> bool:
        """Whether any of them has to be copied or fetched."""
        return any(source.id is not None or source.url is not None for source in self._sources.values())

    async def place(self) -> None:
        """All of them. Raises `Over` if one is not to be had."""
        if not self._sources:
            return
        ids = set(ids_of(self._sources).values())
        uploaded = await self._context.read(lambda connection: repository.find_all(connection, ids)) if ids else {}
        placed = 0
        for path, source in self._sources.items():
            if source.id is not None:
                placed += await self._copy(path, uploaded.get(source.id))
            elif source.url is not None:
                placed += await self._fetch(path, source)
            else:
                placed += await self._write(path, _one(source.content or b""))
        self._story.say(
            f"{sentences.count(len(self._sources), 'input file')} of {sentences.size(placed)} in `inputs/`."
        )

    async def _copy(self, path: str, file: FileRecord | None) -> int:
        if file is None:
            raise Over(Cause.SPEC_REJECTED, f"The file that was to be its input `{path}` was deleted.")
        store = self._context.process.artifacts
        try:
            return await insist(
                lambda: self._write(path, store.read_object(file.key), sha256=file.sha256), within=store.patience
            )
        except FileNotFoundError:
            why = f"The bytes of the file that was to be its input `{path}` are gone from the store."
            raise Over(Cause.SPEC_REJECTED, why) from None

    async def _fetch(self, path: str, source: FileSource) -> int:
        """A few times, if need be. Raises `Over`."""
        for left in reversed(range(FETCH_TRIES)):
            try:
                return await self._fetch_once(path, source)
            except _MayPass as failed:
                log.info("input.not_fetched", path=path, why=str(failed), tries_left=left)
                if not left:
                    raise Over(Cause.SPEC_REJECTED, f"Its input `{path}` could not be fetched: {failed}.") from None
            await asyncio.sleep(FETCH_AGAIN_AFTER)
        raise AssertionError

    async def _fetch_once(self, path: str, source: FileSource) -> int:
        refuse = partial(_refuse, path)
        fetching = self._context.process.outbound.fetch(
            str(source.url), within=FETCH_WITHIN, most=min(self._limit, self._left), judge=self._judge
        )
        try:
            async with fetching as fetched:
                if fetched.status in _MAY_PASS:
                    raise _MayPass(f"its host answered {fetched.status}")
                if fetched.status != 200:
                    raise Over(Cause.SPEC_REJECTED, f"Its input `{path}` could not be fetched: HTTP {fetched.status}.")
                written = await self._write(path, fetched.chunks(), sha256=source.sha256)
        except Refused as refused:
            raise refuse(str(refused)) from None
        except TooLarge:
            if self._limit <= self._left:
                raise refuse(f"gives more than {sentences.size(self._limit)}") from None
            raise Over(Cause.SPEC_REJECTED, _too_much(path, self._most)) from None
        except NoAnswer as silent:
            why = str(silent)
            raise _MayPass(f"{why[0].lower()}{why[1:]}") from None
        self._left -= written
        return written

    def _judge(self, url: str) -> None:
        """Raises `Refused`."""
        if not self._hosts.allow(url):
            raise Refused("leads to a host from which this worker fetches nothing")

    async def _write(self, path: str, pieces: AsyncIterator[bytes], *, sha256: str | None = None) -> int:
        """How many bytes that were. Raises `Over` if the place is taken, or it is not what it was to be."""
        try:
            target = await asyncio.to_thread(self._workspace.open_input, path)
        except (FileExistsError, NotADirectoryError):
            raise Over(Cause.SPEC_REJECTED, f"Its input `{path}` would be where an output that it needs is.") from None
        with target:
            written, digest = await _pour(pieces, target)
        if sha256 is not None and sha256 != digest:
            raise Over(Cause.SPEC_REJECTED, f"Its input `{path}` has another SHA-256 than it was to have: {digest}.")
        return written


def _refuse(path: str, clause: str) -> Over:
    return Over(Cause.SPEC_REJECTED, f"The URL of its input `{path}` {clause}.")


def _too_much(path: str, most: int) -> str:
    return (
        f"With its input `{path}` its URLs give more than {sentences.size(most)} together, the most that one execution "
        "has fetched here: upload what is large (`POST /v1/files`), or ask for a higher `TAILRACE_INPUT_URLS_LIMIT`."
    )


async def _pour(pieces: AsyncIterator[bytes], target: BinaryIO) -> tuple[int, str]:
    """Bytes and their SHA-256."""
    written, digest = 0, hashlib.sha256()
    async for piece in pieces:
        await asyncio.to_thread(target.write, piece)
        digest.update(piece)
        written += len(piece)
    return written, digest.hexdigest()


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content
