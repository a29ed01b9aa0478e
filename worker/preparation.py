"""From a claim to a created container: workspace, checkpoint, image, container. Nothing of the program runs here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from app.artifacts import repository as artifacts
from app.artifacts.model import Artifact, ArtifactSet
from app.crash_points import CrashPoint, crash_here
from app.db.engine import Connection
from app.executions.model import Lease
from app.executions.record import Record
from app.executions.states import Cause
from worker import ledger
from worker.collect import restore
from worker.container import container_spec
from worker.context import WorkerContext
from worker.engine.port import ContainerSpec, EngineError, Image, NameTaken, SpecRejected
from worker.image import find, pull
from worker.over import Over
from worker.workspace import Workspace

log = structlog.get_logger(__name__)


class Preparation:
    """Prepares one attempt. May be given up between any two steps."""

    def __init__(
        self,
        context: WorkerContext,
        lease: Lease,
        record: Record,
        workspace: Workspace,
        say: Callable[[str], None],
    ) -> None:
        self._context = context
        self._runtime = context.runtime
        self._lease = lease
        self._record = record
        self._workspace = workspace
        self._say = say

    async def make_workspace(self) -> None:
        """The mount, with the inputs and the kit."""
        await asyncio.to_thread(self._workspace.create, inputs=self._record.spec.inputs)
        crash_here(CrashPoint.WORKSPACE_MADE)

    async def restore_checkpoint(self) -> None:
        """A copy of the checkpoint to go on from, if there is one."""
        if self._record.attempt == 1 and self._record.resumed_from is None:
            return
        found = await self._context.read(self._find_checkpoint)
        if found is not None:
            group, files = found
            await restore(self._context.process.artifacts, group, files, self._workspace.checkpoint)
            self._say(f"The checkpoint of {group.execution} is in place: {len(files)} files.")

    async def _find_checkpoint(self, connection: Connection) -> tuple[ArtifactSet, list[Artifact]] | None:
        """Of an earlier attempt; failing that, of the execution that this one goes on from."""
        own = await artifacts.latest_checkpoint(connection, self._record.id)
        if own is not None or self._record.resumed_from is None:
            return own
        return await artifacts.latest_checkpoint(connection, self._record.resumed_from)

    async def obtain_image(self) -> Image:
        """The image, pulled if need be. Raises `Over`."""
        spec, limits = self._record.spec, self._record.limits
        ask = self._context.ask_engine
        try:
            image = await ask(lambda: find(self._runtime, spec.image, spec.image_policy))
            if image is None:
                self._say(f"Pulling {spec.image}.")
                await self._context.commit(lambda connection: ledger.set_phase(connection, self._lease, "pulling"))
                with self._context.metrics.pulling():
                    image = await ask(lambda: pull(self._runtime, spec.image, within=limits.pull_timeout))
        except EngineError as error:
            raise Over(Cause.ENGINE_ERROR, f"The engine could not tell about the image: {error}") from error
        return image

    async def create(self, image: Image) -> str:
        """The container, which is committed before it may exist. Raises `Over`."""
        instance = self._context.process.instance
        spec = container_spec(self._record, image, self._workspace, self._lease, instance)
        await self._context.commit(
            lambda connection: ledger.intend_create(
                connection, self._lease, container_name=spec.name, image_id=image.id, image_digest=image.digest
            )
        )
        crash_here(CrashPoint.CREATE_INTENDED)
        try:
            container = await self._context.ask_engine(lambda: self._create(spec))
        except SpecRejected as error:
            raise Over(Cause.SPEC_REJECTED, f"The engine refused the container: {error}") from error
        except EngineError as error:
            raise Over(Cause.ENGINE_ERROR, f"The container could not be created: {error}") from error
        crash_here(CrashPoint.CREATED)
        return container

    async def _create(self, spec: ContainerSpec) -> str:
        try:
            return await self._runtime.create(spec)
        except NameTaken:
            # By our own request whose answer was lost: nobody has started it.
            await self._runtime.remove(spec.name)
            return await self._runtime.create(spec)

    async def discard(self, container: str) -> None:
        """Remove it, never forced: a process that still ran in there would be a mistake to look at."""
        try:
            await self._runtime.remove(container)
        except EngineError as error:
            log.warning("container.not_removed", container=container, error=str(error))
