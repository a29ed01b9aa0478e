"""From a record to the container that runs it: names, labels, environment. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from uuid import UUID

from app.executions.model import Lease
from app.executions.record import Record
from worker.engine.port import ContainerSpec, Image
from worker.workspace import KIT_TARGET, TARGET, Workspace, input_environment

INSTANCE_LABEL = "tailrace.instance"
EXECUTION_LABEL = "tailrace.execution"
ATTEMPT_LABEL = "tailrace.attempt"
EPOCH_LABEL = "tailrace.epoch"
# The engine's own log must not rotate below our cap: it is where an adopter goes on.
ENGINE_LOG_FACTOR = 1.25


def container_name(lease: Lease, attempt: int) -> str:
    """New per attempt and claim, so that a container that somebody else left behind is never mistaken for ours."""
    return f"tailrace-{lease.execution}-{attempt}-{lease.epoch}"


def attempt_of(labels: Mapping[str, str]) -> tuple[UUID, int] | None:
    """Execution and number of the attempt that a container was made for, by its labels."""
    try:
        return UUID(labels[EXECUTION_LABEL]), int(labels[ATTEMPT_LABEL])
    except (KeyError, ValueError):
        return None


def container_spec(
    record: Record,
    image: Image,
    workspace: Workspace,
    lease: Lease,
    instance: UUID,
    secrets: Mapping[str, str] | None = None,
) -> ContainerSpec:
    """Everything the engine has to know."""
    spec, limits = record.spec, record.limits
    return ContainerSpec(
        name=container_name(lease, record.attempt),
        image=image.id,
        labels={
            INSTANCE_LABEL: str(instance),
            EXECUTION_LABEL: str(lease.execution),
            ATTEMPT_LABEL: str(record.attempt),
            EPOCH_LABEL: str(lease.epoch),
        },
        env=_environment(record, image, secrets or {}),
        mounts=workspace.mounts(),
        cpus=limits.cpus,
        memory=int(limits.memory),
        pids=limits.pids,
        shm=int(limits.shm),
        file_size=int(limits.file_size),
        log_size=int(limits.log_bytes * ENGINE_LOG_FACTOR),
        command=spec.command,
        entrypoint=spec.entrypoint,
        workdir=spec.workdir,
        user=spec.user,
        network=spec.network,
        hostname=f"tailrace-{lease.execution.hex[-12:]}",
    )


def _environment(record: Record, image: Image, secrets: Mapping[str, str]) -> dict[str, str]:
    given = {**record.spec.env, **secrets}
    # `import tailrace_job` works in any Python image; the image's and the user's own path come first.
    path = given.get("PYTHONPATH", image.env.get("PYTHONPATH", ""))
    return {
        **input_environment(record.spec.inputs),
        **given,
        "PYTHONPATH": f"{path}:{KIT_TARGET}" if path else KIT_TARGET,
        "TAILRACE_DIR": TARGET,
        "TAILRACE_EXECUTION_ID": str(record.id),
        "TAILRACE_ATTEMPT": str(record.attempt),
        # A few milliseconds early: the exact one is in the file `deadline` once the program runs.
        "TAILRACE_DEADLINE": str(int(time.time() + record.limits.timeout - record.ran_seconds)),
        **_place_in_batch(record),
    }


def _place_in_batch(record: Record) -> dict[str, str]:
    if record.batch_id is None:
        return {}
    return {
        "TAILRACE_BATCH_ID": str(record.batch_id),
        "TAILRACE_BATCH_INDEX": str(record.batch_index),
        "TAILRACE_BATCH_COUNT": str(record.batch_size),
    }
