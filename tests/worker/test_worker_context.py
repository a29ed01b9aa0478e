"""What all attempts of a worker share."""

from dataclasses import replace
from typing import Any

from app.executions.states import Status
from support.records import Records
from worker.context import WorkerContext
from worker.engine.docker import DockerRuntime
from worker.log_writer import LogWriter


async def test_what_its_end_means_for_others_is_nothing_an_attempt_fails_at(records: Records) -> None:
    runtime = DockerRuntime(records.process.settings.docker_host)
    writer = LogWriter(records.process.database, records.process.hints)
    context = WorkerContext(records.process, runtime, records.worker, writer)
    claim = await records.run()
    event = await records.end(claim.lease)
    assert event.to_status is Status.SUCCEEDED
    nonsense: Any = "no batch"
    await context.announce(claim.lease.execution, replace(event, batch=nonsense))
