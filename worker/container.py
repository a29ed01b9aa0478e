"""From a record to the container that runs it: names, labels, environment. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from uuid import UUID

from app.executions.model import Lease, Spec
from app.executions.record import Record
from worker.engine.port import ContainerSpec, Image, SpecRejected
from worker.stages import command_of
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
    """Everything the engine has to know. Raises `SpecRejected`."""
    spec, limits = record.spec, record.limits
    entrypoint, command = spec.entrypoint, spec.command
    if spec.has_stages:
        shell, *words = command_of(spec, _program(spec, image))
        entrypoint, command = (shell,), tuple(words)
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
        mounts=workspace.mounts(stages=spec.has_stages, secrets=bool(spec.secret_files)),
        cpus=limits.cpus,
        memory=int(limits.memory),
        pids=limits.pids,
        shm=int(limits.shm),
        file_size=int(limits.file_size),
        log_size=int(limits.log_bytes * ENGINE_LOG_FACTOR),
        command=command,
        entrypoint=entrypoint,
        workdir=spec.workdir,
        user=spec.user,
        network=spec.network,
        hostname=f"tailrace-{lease.execution.hex[-12:]}",
    )


def _program(spec: Spec, image: Image) -> tuple[str, ...]:
    """The main command, as an engine puts it together. Raises `SpecRejected` when there is none."""
    if spec.entrypoint is not None:
        return (*spec.entrypoint, *(spec.command or ()))
    program = (*image.entrypoint, *(image.command if spec.command is None else spec.command))
    if not program:
        raise SpecRejected("no command was given, and the image has none")
    return program


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
        **_logical_time(record),
    }


def _logical_time(record: Record) -> dict[str, str]:
    at = record.spec.logical_time
    return {} if at is None else {"TAILRACE_LOGICAL_TIME": at.isoformat().replace("+00:00", "Z")}


def _place_in_batch(record: Record) -> dict[str, str]:
    if record.batch_id is None:
        return {}
    return {
        "TAILRACE_BATCH_ID": str(record.batch_id),
        "TAILRACE_BATCH_INDEX": str(record.batch_index),
        "TAILRACE_BATCH_COUNT": str(record.batch_size),
    }
