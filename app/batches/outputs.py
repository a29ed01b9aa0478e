"""The outputs of all children as one zip, made while it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

from app.artifacts import repository as artifacts
from app.artifacts.service import each_file
from app.artifacts.zip import Folder, safe_name, zip_folders
from app.batches import repository
from app.batches.model import BatchRecord
from app.bootstrap import Process
from app.db.engine import reading

LOOKED_UP_AT_ONCE = 100
NAME_CHARS = 100


def zip_outputs(process: Process, batch: BatchRecord) -> AsyncIterable[bytes]:
    """The zip, in pieces. Breaks off if a file is missing from the store."""
    return zip_folders(process.artifacts, _folders(process, batch))


async def _folders(process: Process, batch: BatchRecord) -> AsyncIterator[Folder]:
    """What each child has left, first to last. No connection is held while one is sent."""
    after = -1
    while True:
        async with reading(process.database) as connection:
            children = await repository.list_children_with_outputs(
                connection, batch.id, after=after, most=LOOKED_UP_AT_ONCE
            )
        for child in children:
            async with reading(process.database) as connection:
                group = await artifacts.latest_outputs(connection, child.id)
            if group is not None:
                path = folder_name(child.batch_index, child.batch_key or child.name)
                yield Folder(
                    group=group, files=each_file(process, group), modified_at=child.changed_at, path=f"{path}/"
                )
        if len(children) < LOOKED_UP_AT_ONCE:
            return
        after = children[-1].batch_index


def folder_name(index: int, name: str | None) -> str:
    """`3`, `3-train`; safe to unpack anywhere."""
    return safe_name(f"{index}-{name[:NAME_CHARS].replace('/', '_')}") if name else str(index)
