"""A worker that died while it made sure that something does not run: the next one finds out what came of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from app.executions.states import Cause, Status
from support.records import Records
from worker import claims, ledger
from worker.container import container_name, container_spec
from worker.context import WorkerContext
from worker.engine.docker import DockerRuntime
from worker.log_writer import LogWriter
from worker.runner import Runner
from worker.workspace import Workspace


@pytest.mark.parametrize("ran", [False, True])
async def test_what_was_removed_before_it_ran_is_queued_anew_and_nothing_else(
    *, ran: bool, images: None, records: Records
) -> None:
    process = records.process
    claim = await records.claim("sleep", "600")
    workspace = Workspace(process.settings.data, claim.lease.execution, 1)
    workspace.create(inputs={})
    logs = LogWriter(process.database, process.hints)
    writing = asyncio.create_task(logs.run())
    async with DockerRuntime(process.settings.docker_host) as engine:
        image = await engine.find_image("busybox:local")
        assert image is not None
        container = await engine.create(container_spec(claim.record, image, workspace, claim.lease, process.instance))
        made = {"container_name": container_name(claim.lease, 1), "image_id": image.id, "image_digest": None}
        await records.commit(lambda connection: ledger.intend_create(connection, claim.lease, **made))
        await records.commit(lambda connection: ledger.intend_start(connection, claim.lease, container_id=container))
        if ran:
            await engine.start(container)
        await engine.remove(container, force=True)
        context = WorkerContext(process, engine, records.worker, logs)
        record, attempt = await records.commit(lambda connection: claims.read_attempt(connection, claim.lease))
        sink = await logs.open(claim.lease, log_bytes=10_000)
        await Runner(context, claim.lease, record, sink).adopt(attempt)
        logs.close(sink)
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing
    after = await records.record(claim.lease.execution)
    if ran:
        assert (after.status, after.cause) == (Status.CRASHED, Cause.INTERRUPTED)
    else:
        assert (after.status, after.message) == (Status.QUEUED, None)
        await records.move(after.id, Status.CANCELED, cause=Cause.CANCELED_BY_USER)
