from dataclasses import replace
from pathlib import Path

import pytest

from app.executions.model import Lease, Limits, Spec
from support.values import a_record, an_id
from worker.container import container_name, container_spec
from worker.engine.port import ContainerSpec, Image
from worker.workspace import Workspace

LEASE = Lease(an_id(1), 3)


def spec_of(spec: Spec, image_env: dict[str, str] | None = None, **limits: object) -> ContainerSpec:
    record = a_record(id=an_id(1), attempt=2, epoch=3, spec=spec, limits=Limits(**limits))  # type: ignore[arg-type]
    image = Image(id="sha256:1", digest=None, env=image_env or {})
    return container_spec(record, image, Workspace(Path("/data"), an_id(1), 2), LEASE, an_id(9))


def test_a_container_carries_who_it_belongs_to() -> None:
    made = spec_of(Spec(image="python:local"))
    assert made.labels == {
        "tailrace.instance": str(an_id(9)),
        "tailrace.execution": str(an_id(1)),
        "tailrace.attempt": "2",
        "tailrace.epoch": "3",
    }
    # Not its tag, which may mean another image a moment later.
    assert made.image == "sha256:1"


def test_every_claim_has_a_name_of_its_own() -> None:
    names = {
        container_name(Lease(an_id(execution), epoch), attempt)
        for execution in (1, 2)
        for epoch in (1, 2)
        for attempt in (1, 2)
    }
    assert len(names) == 8
    assert all(len(name) < 128 for name in names)


def test_the_program_sees_its_inputs_its_environment_and_ours() -> None:
    spec = Spec(image="i", env={"A": "1", "INPUT_B": "own"}, inputs={"b": "given", "c": [1]})
    env = spec_of(spec, timeout=60).env
    assert (env["A"], env["INPUT_B"], env["INPUT_C"]) == ("1", "own", "[1]")
    assert (env["TAILRACE_DIR"], env["TAILRACE_EXECUTION_ID"], env["TAILRACE_ATTEMPT"]) == (
        "/tailrace",
        str(an_id(1)),
        "2",
    )
    assert env["TAILRACE_DEADLINE"].isdigit()


def test_secrets_are_variables_of_the_program_and_nothing_else() -> None:
    record = a_record(id=an_id(1), spec=Spec(image="i", env={"A": "1"}, secrets=("B", "PYTHONPATH")))
    image = Image(id="sha256:1", digest=None, env={})
    workspace = Workspace(Path("/data"), an_id(1), 2)
    values = {"B": "of value", "PYTHONPATH": "/of/value"}
    made = container_spec(record, image, workspace, LEASE, an_id(9), values)
    assert (made.env["A"], made.env["B"], made.env["PYTHONPATH"]) == ("1", "of value", "/of/value:/tailrace/python")
    assert "of value" not in repr(replace(made, env={}))


@pytest.mark.parametrize(
    ("own", "images", "expected"),
    [
        (None, None, "/tailrace/python"),
        ("/own", None, "/own:/tailrace/python"),
        (None, "/image", "/image:/tailrace/python"),
        ("/own", "/image", "/own:/tailrace/python"),
        ("", "/image", "/tailrace/python"),
    ],
)
def test_the_kit_is_found_behind_everything_else(own: str | None, images: str | None, expected: str) -> None:
    spec = Spec(image="i", env={} if own is None else {"PYTHONPATH": own})
    assert spec_of(spec, {} if images is None else {"PYTHONPATH": images}).env["PYTHONPATH"] == expected


def test_the_limits_are_always_set() -> None:
    made = spec_of(Spec(image="i"), cpus=0.5, memory="64MiB", pids=7, shm="1MiB", file_size="2MiB", log_bytes="1MiB")
    assert (made.cpus, made.memory, made.pids, made.shm, made.file_size) == (0.5, 2**26, 7, 2**20, 2**21)
    # The engine's own log must not rotate below our cap.
    assert made.log_size == 1.25 * 2**20


def test_the_command_and_its_surroundings_are_passed_on_as_they_are() -> None:
    spec = Spec(image="i", command=("a", "b"), entrypoint=("e",), workdir="/w", user="1:2")
    made = spec_of(spec)
    assert (made.command, made.entrypoint, made.workdir, made.user, made.network) == (
        ("a", "b"),
        ("e",),
        "/w",
        "1:2",
        "none",
    )
