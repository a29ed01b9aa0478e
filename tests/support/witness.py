"""The container engine as a witness beside the record: which containers there are, and in which state."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from app.db.engine import open_engine, reading
from app.executions.tables import Instance
from support.eventually import eventually
from support.running import Running
from worker.container import EXECUTION_LABEL, INSTANCE_LABEL
from worker.engine.docker import DockerRuntime
from worker.engine.port import ContainerState, Inspection

ALIVE = {ContainerState.RUNNING, ContainerState.PAUSED}


@dataclass(frozen=True)
class Witness:
    """Asks the engine by label, as somebody with nothing but `docker ps` would."""

    runtime: DockerRuntime

    async def containers(self, execution: str) -> list[Inspection]:
        """The containers of an execution, in any state."""
        return await self.runtime.list_containers({EXECUTION_LABEL: execution})

    async def alive(self, execution: str) -> list[Inspection]:
        """Those in which a process runs."""
        return [found for found in await self.containers(execution) if found.state in ALIVE]

    async def the_container(self, execution: str) -> Inspection:
        """Its only container, once that runs."""
        (found,) = await eventually(lambda: self.alive(execution))
        return found

    async def nothing_left(self, execution: str) -> None:
        """Wait until the engine has no container of it any more."""

        async def none() -> bool:
            return not await self.containers(execution)

        await eventually(none)

    async def all_of(self, instance: UUID) -> list[Inspection]:
        """Every container of an installation."""
        return await self.runtime.list_containers({INSTANCE_LABEL: str(instance)})


async def instance_of(installation: Running) -> UUID:
    """The id that an installation's containers are labelled with."""
    async with (
        open_engine(installation.database_url, pool_size=1, application="tailrace-test") as engine,
        reading(engine) as connection,
    ):
        instance: UUID = (await connection.execute(select(Instance.id))).scalar_one()
    return instance
