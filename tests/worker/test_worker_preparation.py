"""What an attempt is given before it runs: never less than it was promised without a word."""

from dataclasses import replace

import pytest
from sqlalchemy import func

from app.artifacts.model import Artifact, ArtifactSet, Kind
from app.executions.states import Cause
from support.batches import submit_batch
from support.pieces import in_one
from support.records import NOTHING_KEPT, Records
from support.shelf import Shelf
from worker.claims import Claim
from worker.context import WorkerContext
from worker.engine.docker import DockerRuntime
from worker.log_writer import LogWriter
from worker.over import Over
from worker.preparation import Preparation
from worker.story import Story
from worker.workspace import Workspace


def preparing(records: Records, claim: Claim, workspace: Workspace) -> Preparation:
    process = records.process
    runtime = DockerRuntime(process.settings.docker_host)
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
