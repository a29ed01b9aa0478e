"""From a claim to a created container: workspace, checkpoint, image, container. Nothing of the program runs here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from uuid import UUID

import structlog

from app.artifacts import repository as artifacts
from app.artifacts.model import Artifact, ArtifactSet
from app.auth.service import find_owner
from app.auth.tokens import Scope
from app.batches import repository as batches
from app.crash_points import CrashPoint, crash_here
from app.db.engine import Connection
from app.executions import repository as executions
from app.executions.model import Lease, Limits
from app.executions.record import Record
from app.executions.states import Cause
from app.policy.model import NO_POLICY
from worker import ledger, sentences
from worker.collect import restore
from worker.concurrency import beside, to_the_end
from worker.confided import NOTHING_CONFIDED, Confided
from worker.container import container_spec
from worker.context import WorkerContext
from worker.engine.port import ContainerSpec, EngineError, Image, NameTaken, SpecRejected
from worker.image import find, pull
from worker.inputs import InputFiles
from worker.over import Over
from worker.phases import FETCHING
from worker.secret_files import NoMemory
from worker.story import Story
from worker.workspace import Workspace

log = structlog.get_logger(__name__)

TELL_OF_PULL_AFTER = 3.0
TELL_OF_PULL_EVERY = 10.0
# How long who is to stop, in seconds, stays for a container that is being made.
CREATED_WITHIN = 20.0
# Of those whose outputs it needs, so many are told by name.
NAMED_AT_MOST = 5


class Preparation:
    """Prepares one attempt, within its `limits` as they are at any moment. May be given up between any two steps."""

    def __init__(
        self,
        context: WorkerContext,
        lease: Lease,
        record: Record,
        workspace: Workspace,
        story: Story,
        limits: Callable[[], Limits],
        confided: Confided = NOTHING_CONFIDED,
    ) -> None:
        self._context = context
        self._runtime = context.runtime
        self._lease = lease
        self._record = record
        self._workspace = workspace
        self._story = story
        self._limits = limits
        self._confided = confided
        self._container, self._allowed = NO_POLICY.container, NO_POLICY.of(record.owner, ())
        self._files = InputFiles(context, record.spec.files, workspace, story)

    async def judge(self) -> None:
        """Whether the policy allows it here and now, whatever it said when it was accepted. Raises `Over`."""
        policy, owner = self._context.process.policy.current, self._record.owner
        scopes: Collection[Scope] = ()
        if policy.for_:
            scopes = (await self._context.read(partial(find_owner, owner=owner))).scopes
        self._container, self._allowed = policy.container, policy.of(owner, scopes)
        wrong = [*self._allowed.refuse(self._record.spec), *self._allowed.exceed(self._limits())]
        if wrong:
            cause = Cause.IMAGE_DENIED if wrong[0].field == "image" else Cause.SPEC_REJECTED
            reasons = "; ".join(f"`{each.field}` {each.message}" for each in wrong)
            raise Over(cause, f"It was accepted, but is not allowed any more: {reasons}.")

    async def make_workspace(self) -> None:
        """The mount, with the inputs and the kit."""
        await asyncio.to_thread(self._workspace.create, inputs=self._record.spec.inputs)
        if self._record.spec.secret_files:
            try:
                await asyncio.to_thread(self._workspace.make_secrets, self._confided.files)
            except (NoMemory, OSError) as trouble:
                raise Over(Cause.ENGINE_ERROR, f"Its secrets cannot be put into memory: {trouble}.") from None
        if self._record.spec.has_stages:
            await asyncio.to_thread(self._workspace.make_stages)
        crash_here(CrashPoint.WORKSPACE_MADE)

    async def restore_checkpoint(self) -> None:
        """A copy of the checkpoint to go on from, if there is one."""
        if self._record.attempt == 1 and self._record.resumed_from is None:
            return
        found = await self._context.read(self._find_checkpoint)
        if found is not None:
            group, files = found
            await self._note_fetching()
            await restore(self._context.process.artifacts, group, files, self._workspace.checkpoint)
            self._story.say(f"The checkpoint of {group.execution} is in place: {sentences.count(len(files), 'file')}.")

    async def fetch_inputs(self) -> None:
        """Copies of what those have left that it needs, each below its name; then the files that it asks for. Raises
        `Over` if something is gone.
        """
        if self._record.batch_id is not None or self._record.rerun_of is not None:
            await self._fetch_needed()
        if self._files.from_elsewhere:
            await self._note_fetching()
        await self._files.place()

    async def _note_fetching(self) -> None:
        """Say so on the record: it may take as long as it likes, as far as files are large and many."""
        await self._context.commit(lambda connection: ledger.set_phase(connection, self._lease, FETCHING))

    async def _fetch_needed(self) -> None:
        needs = await self._context.read(lambda connection: batches.list_needs_of(connection, self._record.id))
        files = 0
        for name, needed in needs.items():
            try:
                files += await self._fetch(name, needed)
            except FileNotFoundError:
                why = f"What `{name}` has left, which it needs, was deleted or has expired."
                raise Over(Cause.SPEC_REJECTED, why) from None
        if needs:
            whose = ", ".join(needs) if len(needs) <= NAMED_AT_MOST else f"{len(needs)} others"
            self._story.say(f"The outputs of {whose} are in place: {sentences.count(files, 'file')}.")

    async def _fetch(self, name: str, execution: UUID | None) -> int:
        """How many files that were. Raises `FileNotFoundError`."""
        found = await self._context.read(lambda connection: self._find_outputs(connection, execution))
        if found is None:
            raise FileNotFoundError(name)
        group, files = found
        directory = await asyncio.to_thread(self._workspace.make_input, name)
        if group is not None:
            await self._note_fetching()
            await restore(self._context.process.artifacts, group, files, directory)
        return len(files)

    async def _find_outputs(
        self, connection: Connection, execution: UUID | None
    ) -> tuple[ArtifactSet | None, list[Artifact]] | None:
        """What it has left, which may be nothing. None when that is gone."""
        needed = await executions.find(connection, execution) if execution is not None else None
        if needed is None or needed.outputs_expired_at is not None:
            return None
        return await artifacts.latest_output_files(connection, needed.id)

    async def _find_checkpoint(self, connection: Connection) -> tuple[ArtifactSet, list[Artifact]] | None:
        """Of an earlier attempt; failing that, of the execution that this one goes on from."""
        own = await artifacts.latest_checkpoint(connection, self._record.id)
        if own is not None or self._record.resumed_from is None:
            return own
        return await artifacts.latest_checkpoint(connection, self._record.resumed_from)

    async def obtain_image(self) -> Image:
        """The image, pulled if need be. Raises `Over`."""
        spec = self._record.spec
        try:
            image = await self._context.ask_engine(lambda: find(self._runtime, spec.image, spec.image_policy))
            if image is None:
                await self._context.commit(lambda connection: ledger.set_phase(connection, self._lease, "pulling"))
                with self._context.metrics.pulling():
                    image = await beside(self._pull(spec.image), self._tell_of_pull(spec.image))
        except EngineError as error:
            raise Over(Cause.ENGINE_ERROR, f"The engine could not tell about the image: {error}") from error
        self._story.image_id = image.id
        return image

    async def _pull(self, reference: str) -> Image:
        began = time.monotonic()
        image, loaded = await self._context.ask_engine(
            lambda: pull(self._runtime, reference, within=lambda: self._limits().pull_timeout)
        )
        self._story.say(sentences.of_pulled(reference, loaded, seconds=time.monotonic() - began))
        return image

    async def _tell_of_pull(self, reference: str) -> None:
        """That it is pulled, and now and then how far that is, until cancelled."""
        self._story.say(f"Pulling {reference}.")
        told, pause = "", TELL_OF_PULL_AFTER
        while True:
            await asyncio.sleep(pause)
            pause = TELL_OF_PULL_EVERY
            progress = self._runtime.pull_progress(reference)
            text = sentences.of_pull(reference, progress) if progress and progress.layers else told
            if text != told:
                self._story.say(text)
                told = text

    async def create(self, image: Image) -> str:
        """The container, which is committed before it may exist. Raises `Over`."""
        instance = self._context.process.instance
        try:
            spec = container_spec(self._record, image, self._workspace, self._lease, instance, self._confided.values)
            spec = replace(
                spec,
                runtime=self._allowed.runtime_for(self._record.spec),
                read_only=self._container.read_only,
                user=self._container.user or spec.user,
            )
        except SpecRejected as error:
            raise Over(Cause.SPEC_REJECTED, f"There is nothing to run: {error}.") from error
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
        # The engine goes on with what it has begun when nobody waits any more, and only what is there can be removed.
        try:
            return await to_the_end(self._runtime.create(spec), within=CREATED_WITHIN)
        except NameTaken:
            # By our own request whose answer was lost: nobody has started it.
            await self._runtime.remove(spec.name)
            return await to_the_end(self._runtime.create(spec), within=CREATED_WITHIN)

    async def discard(self, container: str) -> None:
        """Remove it, never forced: a process that still ran in there would be a mistake to look at."""
        try:
            await self._runtime.remove(container)
        except EngineError as error:
            log.warning("container.not_removed", container=container, error=str(error))
