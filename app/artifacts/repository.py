"""SQL of the manifest: which files an attempt left behind. Their bytes lie in the artifact store."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping, func, insert, select

from app.artifacts import tables
from app.artifacts.model import Artifact, ArtifactSet, Kind
from app.db.engine import Connection

# A statement has its time; that of a million rows would be over.
ROWS_AT_ONCE = 10_000


async def add_artifacts(connection: Connection, group: ArtifactSet, files: Sequence[Artifact]) -> None:
    """Note files whose bytes are stored. Raises `IntegrityError` if one of them is noted already."""
    for begin in range(0, len(files), ROWS_AT_ONCE):
        rows = [
            {
                "execution_id": group.execution,
                "kind": group.kind,
                "attempt": group.attempt,
                "path": file.path,
                "bytes": file.bytes,
                "sha256": file.sha256,
                "media_type": file.media_type,
                "executable": file.executable,
            }
            for file in files[begin : begin + ROWS_AT_ONCE]
        ]
        await connection.execute(insert(tables.Artifact), rows)


async def list_artifacts(
    connection: Connection, group: ArtifactSet, *, after: str | None = None, most: int | None = None
) -> list[Artifact]:
    """The files of a set, by path: those behind `after`, at most so many."""
    statement = (
        select(tables.Artifact.__table__)
        .where(
            tables.Artifact.execution_id == group.execution,
            tables.Artifact.kind == group.kind,
            tables.Artifact.attempt == group.attempt,
        )
        .order_by(tables.Artifact.path)
        .limit(most)
    )
    if after is not None:
        statement = statement.where(tables.Artifact.path > after)
    return [_artifact_of(row) for row in (await connection.execute(statement)).mappings()]


async def count_artifacts(connection: Connection, group: ArtifactSet) -> int:
    """How many files a set has."""
    statement = (
        select(func.count())
        .select_from(tables.Artifact)
        .where(
            tables.Artifact.execution_id == group.execution,
            tables.Artifact.kind == group.kind,
            tables.Artifact.attempt == group.attempt,
        )
    )
    return (await connection.execute(statement)).scalar_one()


async def find_artifact(connection: Connection, group: ArtifactSet, path: str) -> Artifact | None:
    """One file of a set."""
    rows = await connection.execute(
        select(tables.Artifact.__table__).where(
            tables.Artifact.execution_id == group.execution,
            tables.Artifact.kind == group.kind,
            tables.Artifact.attempt == group.attempt,
            tables.Artifact.path == path,
        ),
    )
    row = rows.mappings().one_or_none()
    return _artifact_of(row) if row else None


async def latest_outputs(connection: Connection, execution: UUID) -> ArtifactSet | None:
    """The outputs of the latest attempt that left some."""
    return await latest(connection, execution, Kind.OUTPUT)


async def latest_output_files(connection: Connection, execution: UUID) -> tuple[ArtifactSet | None, list[Artifact]]:
    """The same with its files; None and nothing if it left none."""
    group = await latest_outputs(connection, execution)
    return group, await list_artifacts(connection, group) if group else []


async def latest_checkpoint(connection: Connection, execution: UUID) -> tuple[ArtifactSet, list[Artifact]] | None:
    """The checkpoint of the latest attempt that left one, and its files: where a resumed execution starts."""
    group = await latest(connection, execution, Kind.CHECKPOINT)
    return (group, await list_artifacts(connection, group)) if group else None


async def latest(connection: Connection, execution: UUID, kind: Kind) -> ArtifactSet | None:
    """The files of this kind of the latest attempt that left some."""
    attempt = (
        await connection.execute(
            select(tables.Artifact.attempt)
            .where(tables.Artifact.execution_id == execution, tables.Artifact.kind == kind)
            .order_by(tables.Artifact.attempt.desc())
            .limit(1),
        )
    ).scalar_one_or_none()
    return ArtifactSet(execution, attempt, kind) if attempt is not None else None


def _artifact_of(row: RowMapping) -> Artifact:
    return Artifact(
        path=row["path"],
        bytes=row["bytes"],
        sha256=row["sha256"],
        media_type=row["media_type"],
        executable=row["executable"],
    )
