"""Why an execution ended: every cause that a client can bring about, from real containers."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from support.eventually import eventually
from support.history import check_history
from support.programs import ANNOUNCE
from support.registry import silent_registry
from support.running import Running
from support.witness import Witness

SMALL = {"limits": {"memory": "16MiB"}}


@dataclass(frozen=True)
class Case:
    """A program, and the end that it must come to. `says` is a part of the record's message."""

    command: str | tuple[str, ...]
    status: str
    cause: str
    exit_code: int | None
    says: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    oom_killed: bool = False
    started: bool = True
    attempts: int = 1

    @property
    def argv(self) -> tuple[str, ...]:
        return ("sh", "-c", self.command) if isinstance(self.command, str) else self.command


def failed(command: str | tuple[str, ...], cause: str, code: int | None, says: str, **more: Any) -> Case:
    return Case(command, "failed", cause, code, says, **more)


CASES = {
    "exits 0": Case("true", "succeeded", "ok", 0, "exit code 0"),
    "exits 3": failed("exit 3", "exit_nonzero", 3, "Exit code 3"),
    "exits 255": failed("exit 255", "exit_nonzero", 255, "Exit code 255"),
    "terminates itself": failed("kill -TERM $$", "signaled", 143, "SIGTERM"),
    "kills itself without an OOM": failed("kill -KILL $$", "signaled", 137, "SIGKILL"),
    "segfaults": failed("kill -SEGV $$", "signaled", 139, "SIGSEGV"),
    "uses too much memory": failed(
        ("tail", "/dev/zero"), "oom_killed", 137, "limits.memory", fields=SMALL, oom_killed=True
    ),
    "outlives the OOM of a child": Case(
        "tail /dev/zero; exit 0", "succeeded", "ok", 0, "exit code 0", fields=SMALL, oom_killed=True
    ),
    "fails after the OOM of a child": failed(
        "tail /dev/zero; exit 4", "exit_nonzero", 4, "Exit code 4", fields=SMALL, oom_killed=True
    ),
    "is not in the image": failed(("no-such-program",), "command_not_found", 127, "no-such-program"),
    "is not in the image, by path": failed(("/bin/no-such",), "command_not_found", 127, "/bin/no-such"),
    "cannot be executed": failed(("/tailrace/inputs.json",), "command_not_executable", 126, "/tailrace/inputs.json"),
    "is a directory": failed(("/tailrace",), "command_not_executable", 126, "/tailrace"),
    "is a shell that finds no command": failed("no-such-program", "exit_nonzero", 127, "Exit code 127"),
    "is a shell that may not execute": failed("/tailrace/inputs.json", "exit_nonzero", 126, "Exit code 126"),
    "exits 85 without having announced itself": failed("exit 85", "exit_nonzero", 85, "Exit code 85"),
    "exits 86 without having announced itself": failed("exit 86", "exit_nonzero", 86, "Exit code 86"),
    "exits 85 unasked": failed(f"{ANNOUNCE} exit 85", "exit_nonzero", 85, "Exit code 85"),
    "cancels itself": Case(f"{ANNOUNCE} exit 86", "canceled", "self_canceled", 86, "itself"),
    "runs too long": Case(
        "sleep 600", "timed_out", "run_timeout", 143, "timeout of 1 s", fields={"limits": {"timeout": 1, "grace": 20}}
    ),
    "wants a user that the image does not have": failed(
        "true", "spec_rejected", None, "nosuchuser", fields={"user": "nosuchuser"}, started=False
    ),
    "wants to work in a file": failed(
        "true",
        "spec_rejected",
        None,
        "/tailrace/inputs.json",
        fields={"workdir": "/tailrace/inputs.json"},
        started=False,
    ),
    "wants an image that is not here": failed(
        "true",
        "image_not_found",
        None,
        "never",
        fields={"image": "no-such-image:1", "image_policy": "never"},
        started=False,
    ),
    "wants an image from a registry that is away": Case(
        "true",
        "crashed",
        "image_pull_failed",
        None,
        "could not be pulled",
        fields={"image": "127.0.0.1:1/no-such-image:1"},
        started=False,
        attempts=3,
    ),
    "wants a fresh image from a registry that is away": Case(
        "true",
        "crashed",
        "image_pull_failed",
        None,
        "could not be pulled",
        fields={"image": "127.0.0.1:1/no-such-image:1", "image_policy": "always"},
        started=False,
        attempts=3,
    ),
}


@pytest.fixture(scope="module")
async def submitted(tailrace: Running) -> dict[str, str]:
    """All of them at once, so that each test only waits for the end of its own."""
    ids = await asyncio.gather(*(tailrace.submit(*case.argv, **case.fields) for case in CASES.values()))
    return dict(zip(CASES, ids, strict=True))


@pytest.mark.parametrize("name", CASES)
async def test_the_cause_of_a_program_that(
    name: str, submitted: dict[str, str], tailrace: Running, witness: Witness
) -> None:
    case, execution = CASES[name], submitted[name]
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"]) == (case.status, case.cause), record["message"]
    assert record["exit_code"] == case.exit_code
    assert record["oom_killed"] is case.oom_killed
    assert case.says in record["message"]
    assert (record["started_at"] is not None) is case.started
    assert record["attempt"] == case.attempts
    await witness.nothing_left(execution)


async def test_a_clean_end_says_what_it_was(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", "echo hello", name="tidy", labels={"a": "b"})
    record = await check_history(tailrace, execution)
    assert [event["to"] for event in await tailrace.events(execution)] == [
        "queued",
        "preparing",
        "running",
        "succeeded",
    ]
    assert record["stop"] is None
    assert record["image_id"].startswith("sha256:")
    assert record["log"] | {"lines": 0} == {
        "lines": 0,
        "bytes": 6,
        "truncated": False,
        "complete": True,
        "expired_at": None,
    }
    assert record["log"]["lines"] > 1  # ours are counted too
    assert (record["name"], record["labels"], record["owner"]) == ("tidy", {"a": "b"}, "admin")


async def test_while_it_runs_the_record_says_when_its_time_is_over(tailrace: Running) -> None:
    execution = await tailrace.submit("sleep", "600", limits={"timeout": 500})
    record = await tailrace.reaches(execution, "running")
    assert record["phase"] == "running"
    assert record["deadline"] > record["started_at"]
    assert record["finished_at"] is None
    assert record["cause"] is None
    await tailrace.cancel(execution, force=True)
    await check_history(tailrace, execution)


async def test_the_cause_of_a_pull_that_takes_too_long(tailrace: Running) -> None:
    async with silent_registry() as registry:
        execution = await tailrace.submit(image=f"{registry}/slow:1", limits={"pull_timeout": 1})
        record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"]) == ("timed_out", "pull_timeout")
    assert "pull_timeout" in record["message"]
    assert record["started_at"] is None


async def test_a_pull_can_be_canceled(tailrace: Running, witness: Witness) -> None:
    async with silent_registry() as registry:
        execution = await tailrace.submit(image=f"{registry}/slow:1", limits={"grace": 600})

        async def pulling() -> bool:
            return (await tailrace.execution(execution))["phase"] == "pulling"

        await eventually(pulling)
        assert (await tailrace.cancel(execution)).status_code == 202
        record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"]) == ("canceled", "canceled_by_user")
    assert record["started_at"] is None
    await witness.nothing_left(execution)


async def test_a_container_that_somebody_else_killed_was_interrupted(tailrace: Running, witness: Witness) -> None:
    execution = await tailrace.submit("sleep", "600")
    await tailrace.reaches(execution, "running")
    await witness.runtime.signal((await witness.the_container(execution)).id, "SIGKILL")
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("crashed", "interrupted", 137)


async def test_a_container_that_somebody_else_removed_was_interrupted(tailrace: Running, witness: Witness) -> None:
    execution = await tailrace.submit("sh", "-c", "echo x > /tailrace/outputs/x; exec sleep 600")
    await tailrace.reaches(execution, "running")
    await witness.runtime.remove((await witness.the_container(execution)).id, force=True)
    record = await tailrace.ended(execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("crashed", "interrupted", 137)
    assert record["log"]["complete"] is False
    assert "worker" not in record["message"]  # none of ours is to blame
