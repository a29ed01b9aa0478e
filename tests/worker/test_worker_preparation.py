"""What an attempt is given before it runs: never less than it was promised without a word."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func

from app.artifacts.model import Artifact, ArtifactSet, Kind
from app.executions.states import Cause
from support.batches import submit_batch
from support.eventually import eventually
from support.pieces import in_one
from support.records import NOTHING_KEPT, Records
from support.shelf import Shelf
from worker import claims
from worker.claims import Claim
from worker.container import container_name
from worker.context import WorkerContext
from worker.engine.docker import DockerRuntime
from worker.engine.port import ContainerState
from worker.log_writer import LogWriter
from worker.over import Over
from worker.preparation import Preparation
from worker.story import Story
from worker.workspace import Workspace


def preparing(records: Records, claim: Claim, workspace: Workspace, engine: DockerRuntime | None = None) -> Preparation:
    process = records.process
    runtime = engine or DockerRuntime(process.settings.docker_host)
    context = WorkerContext(process, runtime, records.worker, LogWriter(process.database, process.hints))
    story = Story(context, claim.record, Shelf().sink())
    return Preparation(context, claim.lease, claim.record, workspace, story, lambda: claim.record.limits)


async def test_the_record_says_that_something_is_copied(records: Records) -> None:
    _, (needed, needing) = await submit_batch(records, [], ["a"])
    (first,) = await records.take()
    await records.start(first.lease)
    await records.process.artifacts.put(ArtifactSet(needed, 1, Kind.OUTPUT), "f", in_one(b"12345"))
    left = [Artifact(path="f", bytes=5, sha256="0", media_type="text/plain", executable=False)]
    await records.end(first.lease, kept=replace(NOTHING_KEPT, outputs=left))
    (claim,) = await records.take()
    workspace = Workspace(records.process.settings.data, needing, 1)
    workspace.create(inputs={})
    try:
        await preparing(records, claim, workspace).fetch_inputs()
        assert (workspace.root / "mount" / "inputs" / "a" / "f").read_bytes() == b"12345"
        assert (await records.record(needing)).phase == "fetching"
    finally:
        workspace.remove()
        await records.end(claim.lease, Cause.SPEC_REJECTED, kept=None, ran=False)


async def test_what_it_needs_is_not_silently_empty_once_that_has_expired(records: Records) -> None:
    _, (needed, needing) = await submit_batch(records, [], ["a"])
    (first,) = await records.take()
    await records.finish(first)
    (claim,) = await records.take()
    assert claim.lease.execution == needing
    workspace = Workspace(records.process.settings.data, needing, 1)
    workspace.create(inputs={})
    try:
        # It has left nothing, and that it gets.
        await preparing(records, claim, workspace).fetch_inputs()
        assert list((workspace.root / "mount" / "inputs" / "a").iterdir()) == []
        await records.change(needed, outputs_expired_at=func.now())
        with pytest.raises(Over, match="has expired") as over:
            await preparing(records, claim, workspace).fetch_inputs()
        assert (over.value.outcome.cause, over.value.ran) == (Cause.SPEC_REJECTED, False)
    finally:
        workspace.remove()
        await records.end(claim.lease, Cause.SPEC_REJECTED, kept=None, ran=False)


async def test_a_container_that_is_being_made_when_a_stop_comes_can_be_removed(images: None, records: Records) -> None:
    async with DockerRuntime(records.process.settings.docker_host) as engine:
        image = await engine.find_image("busybox:local")
        assert image is not None
        for _ in range(3):
            claim = await records.claim("sleep", "600")
            workspace = Workspace(records.process.settings.data, claim.lease.execution, 1)
            workspace.create(inputs={})
            preparation = preparing(records, claim, workspace, engine)
            making = asyncio.create_task(preparation.create(image))
            await eventually(lambda claim=claim: is_meant(records, claim))  # type: ignore[misc]
            making.cancel()
            await asyncio.wait({making})
            container = container_name(claim.lease, 1)
            # Not some time later, when nobody would come to remove it.
            assert (await engine.inspect(container)).state is ContainerState.CREATED
            await preparation.discard(container)
            workspace.remove()
            await records.end(claim.lease, Cause.SPEC_REJECTED, kept=None, ran=False)


async def is_meant(records: Records, claim: Claim) -> bool:
    """Whether the name of its container is committed."""
    _, attempt = await records.commit(lambda connection: claims.read_attempt(connection, claim.lease))
    return attempt.container_name is not None
