"""Does to executions what a worker would do, by the same one function that writes the status."""

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update

from app.artifacts.model import Artifact, ArtifactSet, Kind
from app.artifacts.repository import add_artifacts
from app.bootstrap import Process
from app.db.engine import transaction
from app.executions import repository
from app.executions.model import Event
from app.executions.states import STATUS_OF, Cause, PauseMode, Status, StopReason
from app.executions.tables import Attempt, Execution
from app.logs.protocol import status_message
from app.workers.tables import Worker
from support.pieces import in_one


@dataclass(frozen=True)
class Hand:
    """One pretended worker."""

    process: Process
    worker: UUID

    @classmethod
    async def of(cls, process: Process) -> "Hand":
        worker = uuid4()
        row = {"id": worker, "pool": "default", "host": "here", "pid": 1, "version": "0", "slots": 4}
        async with transaction(process.database) as connection:
            await connection.execute(insert(Worker).values(**row, engine_id="e", engine_version="20.10"))
        return cls(process, worker)

    async def claim(self, execution: str) -> None:
        """queued → preparing, with a new attempt."""
        id_ = UUID(execution)
        changes = {"worker_id": self.worker, "epoch": Execution.epoch + 1, "attempt": Execution.attempt + 1}
        async with transaction(self.process.database) as connection:
            event = await repository.move(connection, id_, Status.PREPARING, actor="worker", changes=changes)
            await connection.execute(
                insert(Attempt).values(
                    execution_id=id_, number=event.attempt, worker_id=self.worker, engine_id="e", container_name="c"
                ),
            )
        await self.tell(id_, event)

    async def start(self, execution: str) -> None:
        """queued → preparing → running."""
        await self.claim(execution)
        await self.move(execution, Status.RUNNING, changes={"started_at": func.now()})

    async def run(self, execution: str) -> None:
        """preparing → running, of a program that saves checkpoints."""
        changes = {"started_at": func.now(), "deadline": repository.seconds_from_now(3600), "announced": True}
        await self.move(execution, Status.RUNNING, changes=changes)

    async def time_out(self, execution: str) -> None:
        """running → stopping, because its time is over."""
        stop = {
            "stop_reason": StopReason.TIMEOUT,
            "stop_by": "timeout",
            "stop_requested_at": func.now(),
            "stop_deadline": repository.seconds_from_now(10),
        }
        await self.move(execution, Status.STOPPING, changes=stop)

    async def freeze(self, execution: str) -> None:
        """running → paused, its container frozen."""
        pause = {"pause_mode": PauseMode.FREEZE, "pause_by": "ann", "pause_requested_at": func.now(), "deadline": None}
        await self.move(execution, Status.PAUSED, changes=pause)

    async def save(self, execution: str) -> None:
        """running → paused, by its checkpoint."""
        pause = {"pause_mode": PauseMode.CHECKPOINT, "pause_by": "ann", "pause_requested_at": func.now()}
        left = {"worker_id": None, "deadline": None, "epoch": Execution.epoch + 1}
        await self.move(execution, Status.PAUSED, changes={**pause, **left})

    async def end(self, execution: str, cause: Cause = Cause.OK, *, exit_code: int | None = 0) -> None:
        """Any → terminal."""
        changes = {"exit_code": exit_code, "log_complete": True}
        await self.move(execution, STATUS_OF[cause], cause=cause, message="It ended", changes=changes)

    async def move(self, execution: str, target: Status, *, changes: Mapping[str, Any], **more: Any) -> None:
        id_ = UUID(execution)
        async with transaction(self.process.database) as connection:
            event = await repository.move(connection, id_, target, actor="worker", changes=changes, **more)
        await self.tell(id_, event)

    async def tell(self, execution: UUID, event: Event) -> None:
        await self.process.hints.publish([(execution, status_message(event))])

    async def change(self, execution: str, **columns: Any) -> None:
        """Anything but the status."""
        async with transaction(self.process.database) as connection:
            await connection.execute(update(Execution).where(Execution.id == UUID(execution)).values(**columns))

    async def keep_checkpoint(self, execution: str) -> None:
        async with transaction(self.process.database) as connection:
            await connection.execute(
                update(Attempt).where(Attempt.execution_id == UUID(execution)).values(checkpoint_files=1)
            )

    async def keep_outputs(self, execution: str, contents: Mapping[str, bytes], *, attempt: int = 1) -> None:
        """Store outputs with their manifest."""
        group = ArtifactSet(UUID(execution), attempt, Kind.OUTPUT)
        files = [
            Artifact(
                path=path,
                bytes=len(content),
                sha256=sha256(content).hexdigest(),
                media_type=mimetypes.guess_type(path)[0] or "application/octet-stream",
                executable=path.endswith(".sh"),
            )
            for path, content in contents.items()
        ]
        for path, content in contents.items():
            await self.process.artifacts.put(group, path, in_one(content))
        async with transaction(self.process.database) as connection:
            await add_artifacts(connection, group, files)
        total = sum(file.bytes for file in files)
        await self.change(execution, outputs_files=len(files), outputs_bytes=total)

    async def row(self, execution: str) -> Any:
        """The row as it is in the database."""
        async with transaction(self.process.database) as connection:
            statement = select(Execution.__table__).where(Execution.id == UUID(execution))
            return (await connection.execute(statement)).one()
