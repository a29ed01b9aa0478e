from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from sqlalchemy import text
from typing_extensions import override

from app.bootstrap import Process
from app.db.engine import transaction
from app.executions.states import TERMINAL, Status
from support.batches import submit_batch
from support.migrations import NewDatabase
from support.records import Records, opened
from support.running import Running
from support.verifying import run_verify
from worker import ledger
from worker.container import INSTANCE_LABEL
from worker.engine.docker import DockerRuntime
from worker.engine.port import ContainerSpec, Inspection
from worker.verify import Findings, Verifier
from worker.workspace import Workspace

RULES = {
    "end", "history", "attempts", "retries", "log", "lease", "attended", "pace", "files", "usage", "deletion",
}  # fmt: skip
OF_BATCHES = {"batches", "gates", "settled"}
EVERYTHING = {*RULES, *OF_BATCHES, "counts", "removals", "containers", "running", "workspaces"}


@pytest.fixture(scope="module")
async def broken(
    images: None, new_database: NewDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Process]:
    """An installation whose database lets everything pass."""
    async with opened(await new_database(), redis_url, tmp_path_factory.mktemp("data")) as process:
        async with transaction(process.database) as connection:
            await connection.execute(text("ALTER TABLE executions DISABLE TRIGGER USER"))
            checks = await connection.execute(
                text("SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = 'executions'::regclass")
            )
            for name in checks.scalars().all():
                await connection.execute(text(f'ALTER TABLE executions DROP CONSTRAINT "{name}"'))
        yield process


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[DockerRuntime]:
    async with DockerRuntime() as runtime:
        yield runtime


@dataclass(frozen=True)
class Scene:
    """An installation, and what an operator finds out about it."""

    records: Records
    verifier: Verifier

    async def change(self, *statements: str, **values: Any) -> None:
        async with transaction(self.records.process.database) as connection:
            for statement in statements:
                used = {name: value for name, value in values.items() if f":{name}" in statement}
                await connection.execute(text(statement), used)

    async def wrong(self, each: object) -> set[str]:
        """The invariants that this one violates."""
        return {name for name, finding in (await self.verify()).items() if str(each) in finding.wrong}

    async def verify(self, *, within: float | None = None) -> Findings:
        return await self.verifier.verify(within=within)


@pytest.fixture
async def scene(broken: Process, engine: DockerRuntime) -> Scene:
    verifier = Verifier(broken.database, engine, broken.settings, broken.instance, second_look_after=0.05)
    return Scene(await Records.of(broken), verifier)


async def test_whatever_api_and_worker_do_is_right(
    images: None, new_database: NewDatabase, redis_url: str, tmp_path: Path, engine: DockerRuntime
) -> None:
    async with opened(await new_database(), redis_url, tmp_path) as process:
        scene = Scene(await Records.of(process), Verifier(process.database, engine, process.settings, process.instance))
        for status in set(Status) - {Status.QUEUED}:
            await scene.records.in_status(status)
        await scene.records.submit()
        _, children = await submit_batch(scene.records, (), ("a",), (), max_parallel=2)
        findings = await scene.verify(within=60)
        assert set(findings) == EVERYTHING
        assert {name: finding.wrong for name, finding in findings.items() if finding.wrong} == {}
        assert {findings[name].looked_at for name in RULES} == {len(Status) + len(children)}
        assert {findings[name].looked_at for name in OF_BATCHES} == {1}
        assert findings["counts"].looked_at == len(TERMINAL)


SUCCEEDED_UNSTARTED = """
    INSERT INTO execution_events (execution_id, number, from_status, to_status, cause, actor, attempt)
    VALUES (:id, 3, 'preparing', 'succeeded', 'ok', 'me', 1)
"""
LIES: list[tuple[set[str], Status, list[str]]] = [
    ({"end"}, Status.SUCCEEDED, ["UPDATE executions SET finished_at = NULL WHERE id = :id"]),
    ({"end"}, Status.RUNNING, ["UPDATE executions SET finished_at = now() WHERE id = :id"]),
    ({"end", "history"}, Status.SUCCEEDED, ["UPDATE executions SET cause = 'oom_killed' WHERE id = :id"]),
    ({"end", "history"}, Status.FAILED, ["UPDATE executions SET cause = NULL WHERE id = :id"]),
    ({"history"}, Status.RUNNING, ["DELETE FROM execution_events WHERE execution_id = :id"]),
    ({"history"}, Status.RUNNING, ["DELETE FROM execution_events WHERE execution_id = :id AND number = 2"]),
    ({"history"}, Status.RUNNING, ["DELETE FROM execution_events WHERE execution_id = :id AND number = 1"]),
    (
        {"history"},
        Status.PREPARING,
        ["UPDATE execution_events SET to_status = 'running' WHERE execution_id = :id AND number = 2"],
    ),
    (
        {"history"},
        Status.PREPARING,
        [
            "UPDATE executions SET status = 'succeeded', cause = 'ok', finished_at = now() WHERE id = :id",
            "UPDATE attempts SET finished_at = now() WHERE execution_id = :id",
            SUCCEEDED_UNSTARTED,
        ],
    ),
    (
        {"history"},
        Status.SUCCEEDED,
        ["UPDATE execution_events SET at = now() - interval '1 hour' WHERE execution_id = :id AND number = 3"],
    ),
    (
        {"history", "retries"},
        Status.SUCCEEDED,
        ["UPDATE executions SET status = 'queued', cause = NULL, finished_at = NULL, worker_id = NULL WHERE id = :id"],
    ),
    ({"attempts"}, Status.RUNNING, ["UPDATE attempts SET finished_at = now() WHERE execution_id = :id"]),
    ({"attempts"}, Status.SUCCEEDED, ["UPDATE attempts SET finished_at = NULL WHERE execution_id = :id"]),
    ({"attempts"}, Status.RUNNING, ["UPDATE attempts SET number = 2 WHERE execution_id = :id"]),
    ({"attempts"}, Status.CANCELED, ["DELETE FROM attempts WHERE execution_id = :id"]),
    ({"log"}, Status.QUEUED, ["UPDATE log_heads SET next_seq = 3 WHERE execution_id = :id"]),
    ({"log"}, Status.SUCCEEDED, ["UPDATE attempts SET last_seq = 5 WHERE execution_id = :id"]),
    ({"log"}, Status.RUNNING, ["DELETE FROM log_heads WHERE execution_id = :id"]),
    ({"lease"}, Status.RUNNING, ["UPDATE log_heads SET epoch = epoch + 1 WHERE execution_id = :id"]),
    ({"lease"}, Status.RUNNING, ["UPDATE executions SET worker_id = NULL WHERE id = :id"]),
    ({"lease"}, Status.QUEUED, ["UPDATE executions SET worker_id = :worker WHERE id = :id"]),
    (
        {"pace"},
        Status.PREPARING,
        ["UPDATE execution_events SET at = now() - interval '1 hour' WHERE execution_id = :id"],
    ),
    ({"pace"}, Status.RUNNING, ["UPDATE executions SET deadline = now() - interval '1 hour' WHERE id = :id"]),
    ({"pace"}, Status.STOPPING, ["UPDATE executions SET stop_deadline = now() - interval '1 hour' WHERE id = :id"]),
]


@pytest.mark.parametrize(("violated", "status", "statements"), LIES)
async def test_a_record_that_lies_is_found(
    scene: Scene, violated: set[str], status: Status, statements: list[str]
) -> None:
    lease = await scene.records.in_status(status)
    await scene.change(*statements, id=lease.execution, worker=scene.records.worker.id)
    assert await scene.wrong(lease.execution) == violated


HEAD, AFTER_A_HOLE = {"first": 1, "last": 3}, {"first": 5, "last": 6}
TAIL = {"first": 9, "last": 12, "rolling": True}
LOGS: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
    ([HEAD, {"first": 4, "last": 4}], {"next_seq": 5, "is_right": True}),
    ([HEAD, AFTER_A_HOLE], {"next_seq": 7, "is_right": False}),
    ([AFTER_A_HOLE], {"next_seq": 7, "is_right": False}),
    ([HEAD, {"first": 3, "last": 6}], {"next_seq": 7, "is_right": False}),
    ([HEAD], {"next_seq": 3, "is_right": False}),
    ([HEAD], {"next_seq": 9, "is_right": False}),
    # The cap may drop what is between the head and the tail, or has been the tail.
    ([HEAD, TAIL, {**TAIL, "first": 20, "last": 21}], {"next_seq": 22, "truncated": True, "is_right": True}),
    ([HEAD, AFTER_A_HOLE, TAIL], {"next_seq": 13, "truncated": True, "is_right": False}),
    ([HEAD, TAIL, {**TAIL, "first": 11, "last": 21}], {"next_seq": 22, "truncated": True, "is_right": False}),
    ([HEAD, TAIL], {"next_seq": 12, "truncated": True, "is_right": False}),
]


STORED = (
    "INSERT INTO {} SELECT :id, first, last, rolling, 33, '' FROM jsonb_to_recordset(CAST(:chunks AS jsonb))"
    " AS chunk (first bigint, last bigint, rolling boolean, merged boolean) WHERE {} merged"
)


@pytest.mark.parametrize("merged", [0, 1, 2])
@pytest.mark.parametrize(("chunks", "head"), LOGS)
async def test_a_log_with_holes_or_duplicates_is_found(
    scene: Scene, chunks: list[dict[str, Any]], head: dict[str, Any], merged: int
) -> None:
    execution = (await scene.records.in_status(Status.RUNNING)).execution
    rows = [{"rolling": False, "merged": number < merged, **chunk} for number, chunk in enumerate(chunks)]
    await scene.change(
        STORED.format("log_chunks (execution_id, first_seq, last_seq, rolling, charge, frame)", "NOT"),
        STORED.format("log_segments (execution_id, first_seq, last_seq, rolling, charge, frames)", ""),
        "UPDATE log_heads SET next_seq = :next_seq, truncated = :truncated WHERE execution_id = :id",
        id=execution,
        chunks=orjson.dumps(rows).decode(),
        next_seq=head["next_seq"],
        truncated=head.get("truncated", False),
    )
    assert await scene.wrong(execution) == (set() if head["is_right"] else {"log"})


async def test_a_log_that_has_expired_is_not_called_lost(scene: Scene) -> None:
    execution = (await scene.records.in_status(Status.SUCCEEDED)).execution
    head = "UPDATE log_heads SET next_seq = 5, expires = (now() AT TIME ZONE 'UTC')::date {} WHERE execution_id = :id"
    await scene.change(head.format(""), id=execution)
    assert await scene.wrong(execution) == {"log"}
    await scene.change(head.format("- 1"), id=execution)
    assert await scene.wrong(execution) == set()


ATTEMPT_BEFORE = """
    INSERT INTO attempts
        (execution_id, number, worker_id, engine_id, cause, exit_code, may_have_run, message, finished_at)
    SELECT execution_id, 1, worker_id, engine_id, :cause, :exit_code, :ran, :message, now()
    FROM attempts WHERE execution_id = :id
"""


EXIT_3 = {"cause": "exit_nonzero", "exit_code": 3, "ran": True, "message": "Exit code 3."}
EXIT_4 = EXIT_3 | {"exit_code": 4}
IN_VAIN = {"cause": "image_pull_failed", "exit_code": None, "ran": False, "message": "The registry is away."}
CANCELED = IN_VAIN | {"cause": "canceled_by_user"}
GIVEN_BACK = IN_VAIN | {"cause": None}


@pytest.mark.parametrize(
    ("before", "policy", "violated"),
    [
        (EXIT_3, {"max_attempts": 2, "retry_on": [3]}, set()),
        (EXIT_4, {"max_attempts": 2, "retry_on": [3]}, {"retries"}),
        (EXIT_3, {"max_attempts": 1, "retry_on": [3]}, {"retries"}),
        (EXIT_3, {}, {"retries"}),
        (IN_VAIN, {}, set()),
        (CANCELED, {}, {"retries"}),
        (GIVEN_BACK, {}, set()),
        (GIVEN_BACK | {"ran": True}, {}, {"retries"}),
        (GIVEN_BACK | {"message": None}, {}, {"retries"}),
    ],
)
async def test_another_attempt_without_a_reason_is_found(
    scene: Scene, before: dict[str, Any], policy: dict[str, Any], violated: set[str]
) -> None:
    execution = (await scene.records.in_status(Status.RUNNING)).execution
    await scene.change(
        "UPDATE attempts SET number = 2 WHERE execution_id = :id",
        ATTEMPT_BEFORE,
        "UPDATE executions SET attempt = 2, epoch = 3, retries = CAST(:policy AS jsonb) WHERE id = :id",
        "UPDATE log_heads SET epoch = 3 WHERE execution_id = :id",
        id=execution,
        policy=orjson.dumps(policy).decode(),
        **before,
    )
    assert await scene.wrong(execution) == violated


async def test_what_nobody_attends_to_is_found_once_somebody_else_had_the_time(scene: Scene) -> None:
    execution = (await scene.records.in_status(Status.RUNNING)).execution
    await scene.change(
        "UPDATE workers SET heartbeat_at = now() - interval '1 hour' WHERE id = :id", id=scene.records.worker.id
    )
    assert await scene.wrong(execution) == set()
    colleague = await scene.records.colleague()
    assert await scene.wrong(execution) == set()
    await scene.change(
        "UPDATE workers SET started_at = now() - interval '1 hour' WHERE id = :id", id=colleague.worker.id
    )
    assert await scene.wrong(execution) == {"attended"}


@pytest.mark.parametrize(
    "excuse",
    [
        "UPDATE workers SET engine_ok = false WHERE id = :worker",
        "UPDATE workers SET heartbeat_at = now() - interval '1 hour' WHERE id = :worker",
        "UPDATE executions SET phase = 'collecting' WHERE id = :id",
    ],
)
async def test_what_cannot_go_on_now_is_not_called_late(scene: Scene, excuse: str) -> None:
    execution = (await scene.records.in_status(Status.STOPPING)).execution
    await scene.change("UPDATE executions SET stop_deadline = now() - interval '1 hour' WHERE id = :id", id=execution)
    assert await scene.wrong(execution) == {"pace"}
    await scene.change(excuse, id=execution, worker=scene.records.worker.id)
    assert await scene.wrong(execution) == set()


async def test_what_copies_its_inputs_takes_as_long_as_they_are_large(scene: Scene) -> None:
    execution = (await scene.records.in_status(Status.PREPARING)).execution
    long_ago = "UPDATE execution_events SET at = now() - interval '1 hour' WHERE execution_id = :id"
    for phase, wrong in (("creating", {"pace"}), ("fetching", set())):
        await scene.change(long_ago, "UPDATE executions SET phase = :phase WHERE id = :id", id=execution, phase=phase)
        assert await scene.wrong(execution) == wrong


async def test_old_executions_are_looked_at_when_asked_for_or_active(scene: Scene) -> None:
    ended = (await scene.records.in_status(Status.SUCCEEDED)).execution
    active = (await scene.records.in_status(Status.RUNNING)).execution
    old = {ended: UUID(int=ended.int % 2**80), active: UUID(int=active.int % 2**80)}
    for execution, id_of_long_ago in old.items():
        # Their rows lie in tables that would all have to follow: they begin anew, without a history.
        await scene.change(
            "INSERT INTO executions (id, owner, pool, spec, limits, status, cause, finished_at)"
            " SELECT :old, owner, pool, spec, limits, status, cause, finished_at FROM executions WHERE id = :id",
            id=execution,
            old=id_of_long_ago,
        )
    lately, ever = await scene.verify(within=3600), await scene.verify()
    assert [str(old[each]) in lately["history"].wrong for each in (ended, active)] == [False, True]
    assert [str(old[each]) in ever["history"].wrong for each in (ended, active)] == [True, True]


FILE = """
    INSERT INTO artifacts (execution_id, kind, attempt, path, bytes, sha256, media_type, executable)
    VALUES (:id, 'output', 1, 'a', 5, '', '', false)
"""
MEASURED = """
    INSERT INTO attempt_usage (execution_id, attempt, at, stride, memory, memory_peak, cpu_seconds)
    VALUES (:id, 1, now(), 2, 5, {peak}, 1)
"""
SAMPLES = """
    INSERT INTO usage_samples (execution_id, attempt, tick, at)
    SELECT :id, 1, tick, now() FROM generate_series(0, {last}, {every}) AS tick
"""
DELETED = """
    UPDATE executions SET finished_at = now() - interval '1 hour', delete_requested_at = now() - interval '1 hour'
    WHERE id = :id
"""


@pytest.mark.parametrize(
    ("violated", "statements"),
    [
        (set(), [FILE, "UPDATE executions SET outputs_files = 1, outputs_bytes = 5 WHERE id = :id"]),
        ({"files"}, [FILE, "UPDATE executions SET outputs_files = 1, outputs_bytes = 6 WHERE id = :id"]),
        ({"files"}, ["UPDATE executions SET checkpoint_files = 1, checkpoint_bytes = 5 WHERE id = :id"]),
        (set(), ["UPDATE executions SET outputs_files = 1, outputs_expired_at = now() WHERE id = :id"]),
        ({"files"}, [FILE, "UPDATE executions SET outputs_files = 1, outputs_expired_at = now() WHERE id = :id"]),
        (set(), [MEASURED.format(peak=5), SAMPLES.format(last=1400, every=2)]),
        ({"usage"}, [MEASURED.format(peak=4)]),
        ({"usage"}, [MEASURED.format(peak=5), SAMPLES.format(last=1440, every=2)]),
        ({"usage"}, [MEASURED.format(peak=5), SAMPLES.format(last=3, every=3)]),
        ({"deletion"}, [DELETED]),
        (set(), [DELETED, "UPDATE executions SET delete_requested_at = now() WHERE id = :id"]),
    ],
)
async def test_what_is_kept_of_an_execution_is_as_its_record_says(
    scene: Scene, violated: set[str], statements: list[str]
) -> None:
    execution = (await scene.records.in_status(Status.SUCCEEDED)).execution
    await scene.change(*statements, id=execution)
    assert await scene.wrong(execution) == violated


async def test_what_is_needed_is_not_called_undeleted(scene: Scene) -> None:
    needed = (await scene.records.in_status(Status.SUCCEEDED)).execution
    await scene.change(DELETED, id=needed)
    needing = (await scene.records.in_status(Status.RUNNING)).execution
    await scene.change("UPDATE executions SET resumed_from = :needed WHERE id = :id", id=needing, needed=needed)
    assert await scene.wrong(needed) == set()


ENDED = "UPDATE executions SET status = '{}', cause = '{}', finished_at = now(), gated = false WHERE id = :first"
SUCCEEDED, FAILED = ENDED.format("succeeded", "ok"), ENDED.format("failed", "exit_nonzero")
ALL_ENDED = SUCCEEDED.replace("id = :first", "batch_id = :batch")
PLACE = "UPDATE executions SET gated = {} WHERE id = :{}"
QUIET = (
    "UPDATE executions SET updated_at = now() - interval '1 hour' WHERE batch_id = :batch",
    "UPDATE batches SET created_at = now() - interval '1 hour' WHERE id = :batch",
)
STOPPED = """
    UPDATE batches SET stop_reason = 'cancel', stop_by = 'ann', stop_message = '',
        stop_requested_at = now() - interval '1 hour'
    WHERE id = :batch
"""
SEALED = "UPDATE batches SET finished_at = now(), ended = jsonb_build_object('succeeded', {}) WHERE id = :batch"


@pytest.mark.parametrize(
    ("violated", "statements"),
    [
        (set(), [*QUIET]),
        ({"batches"}, ["UPDATE batches SET size = 2 WHERE id = :batch"]),
        (set(), [ALL_ENDED]),
        ({"batches"}, [ALL_ENDED, *QUIET]),
        (set(), [ALL_ENDED, SEALED.format(3), *QUIET]),
        ({"batches"}, [ALL_ENDED, SEALED.format(2)]),
        ({"batches"}, [ALL_ENDED, SEALED.format(4)]),
        ({"batches"}, [SUCCEEDED, SEALED.format(1)]),
        # The first has a place, the second needs it, the third waits for a place.
        ({"gates"}, ["UPDATE executions SET needs_left = 0 WHERE id = :second"]),
        ({"gates"}, [PLACE.format(False, "third")]),
        ({"gates"}, [PLACE.format(True, "first"), "UPDATE executions SET status = 'paused' WHERE id = :first"]),
        ({"gates"}, ["UPDATE batches SET max_parallel = NULL WHERE id = :batch"]),
        (set(), [SUCCEEDED]),
        ({"settled"}, [SUCCEEDED, *QUIET]),
        ({"settled"}, [FAILED, PLACE.format(False, "third"), *QUIET]),
        ({"settled"}, [STOPPED, *QUIET]),
    ],
)
async def test_a_batch_that_lies_is_found(scene: Scene, violated: set[str], statements: list[str]) -> None:
    batch, (first, second, third) = await submit_batch(scene.records, (), ("a",), (), max_parallel=1)
    await scene.change(*statements, batch=batch, first=first, second=second, third=third)
    findings = await scene.verify()
    assert {name for name in OF_BATCHES if str(batch) in findings[name].wrong} == violated


async def test_a_sum_that_is_not_is_found(scene: Scene) -> None:
    execution = (await scene.records.in_status(Status.SUCCEEDED)).execution
    record = await scene.records.record(execution)
    name = f"{record.owner} {record.pool} succeeded"
    before = (await scene.verify())["counts"].wrong.get(name)
    await scene.change(
        "INSERT INTO ended_counts (owner, pool, status, archived, n) VALUES (:owner, :pool, 'succeeded', false, 5)",
        owner=record.owner,
        pool=record.pool,
    )
    assert (await scene.verify())["counts"].wrong.get(name) not in {None, before}


async def test_files_that_do_not_go_are_found(scene: Scene) -> None:
    soon, late = str(uuid4()), str(uuid4())
    for prefix, hours in ((soon, 0), (late, 1)):
        await scene.change(
            "INSERT INTO artifact_removals (prefix, execution_id, due_at)"
            " VALUES (:prefix, gen_random_uuid(), now() - make_interval(hours => :hours))",
            prefix=prefix,
            hours=hours,
        )
    assert set((await scene.verify())["removals"].wrong) == {late}


async def make_container(scene: Scene, name: str) -> None:
    """One that is never started."""
    spec = ContainerSpec(
        name=name,
        image="busybox:local",
        labels={INSTANCE_LABEL: str(scene.verifier.instance)},
        env={},
        mounts=(),
        cpus=1.0,
        memory=32 << 20,
        pids=64,
        shm=1 << 20,
        file_size=1 << 20,
        log_size=1 << 20,
        command=("true",),
    )
    await scene.verifier.runtime.create(spec)


@pytest.fixture
async def tidy(scene: Scene) -> AsyncIterator[None]:
    yield
    for container in await scene.verifier.runtime.list_containers({INSTANCE_LABEL: str(scene.verifier.instance)}):
        await scene.verifier.runtime.remove(container.id, force=True)


async def named(records: Records, status: Status) -> tuple[UUID, str]:
    """An execution of which the record says that it has a container, and that container's name."""
    claim = await records.claim()
    name = f"tailrace-{uuid4()}"
    await records.commit(
        lambda connection: ledger.intend_create(
            connection, claim.lease, container_name=name, image_id="i", image_digest=None
        )
    )
    await records.start(claim.lease)
    if status is Status.SUCCEEDED:
        await records.end(claim.lease)
    return claim.lease.execution, name


async def test_a_container_that_nobody_wants_is_found(scene: Scene, tidy: None) -> None:
    over, name_of_over = await named(scene.records, Status.SUCCEEDED)
    _, name_of_live = await named(scene.records, Status.RUNNING)
    names = [name_of_over, name_of_live, f"tailrace-{uuid4()}"]
    for name in names:
        await make_container(scene, name)
    # What has just ended is about to be removed.
    assert set((await scene.verify())["containers"].wrong) == {names[2]}
    await scene.change("UPDATE attempts SET finished_at = now() - interval '1 hour' WHERE execution_id = :id", id=over)
    findings = await scene.verify()
    assert set(findings["containers"].wrong) == {names[0], names[2]}
    assert findings["containers"].looked_at == 3


async def test_a_program_that_runs_without_a_container_is_found(scene: Scene, tidy: None) -> None:
    engine = await scene.verifier.runtime.identify()
    here = await Records.of(scene.records.process, engine=engine.id)
    present, name = await named(here, Status.RUNNING)
    absent, _ = await named(here, Status.RUNNING)
    elsewhere, _ = await named(scene.records, Status.RUNNING)
    await make_container(scene, name)
    assert await scene.wrong(present) == set()
    assert await scene.wrong(absent) == {"running"}
    assert await scene.wrong(elsewhere) == set()


class Busy(DockerRuntime):
    """An engine on which everything is removed just after it was looked at."""

    @override
    async def list_containers(self, labels: Mapping[str, str]) -> list[Inspection]:
        found = await super().list_containers(labels)
        for container in found:
            await self.remove(container.id, force=True)
        return found


async def test_what_is_right_at_the_second_look_is_not_told(scene: Scene, tidy: None) -> None:
    await make_container(scene, f"tailrace-{uuid4()}")
    async with Busy() as busy:
        assert (await replace(scene.verifier, runtime=busy).verify(within=None))["containers"].wrong == {}


async def test_an_engine_that_is_away_is_left_out(scene: Scene) -> None:
    async with DockerRuntime("unix:///nowhere/engine.sock") as away:
        findings = await replace(scene.verifier, runtime=away).verify(within=60)
    assert {name for name, finding in findings.items() if finding.skipped} == {"containers", "running"}


async def test_a_workspace_of_an_attempt_that_is_over_is_found(scene: Scene) -> None:
    over = (await scene.records.in_status(Status.SUCCEEDED)).execution
    live = (await scene.records.in_status(Status.RUNNING)).execution
    for execution in (over, live):
        workspace = Workspace(scene.verifier.settings.data, execution, 1)
        workspace.create(inputs={})
    assert (await scene.verify())["workspaces"].wrong == {}
    await scene.change("UPDATE attempts SET finished_at = now() - interval '1 hour' WHERE execution_id = :id", id=over)
    assert set((await scene.verify())["workspaces"].wrong) == {f"{over}/1"}


async def test_the_command_finds_nothing_wrong_while_everything_is_in_motion(tailrace: Running) -> None:
    executions = [await tailrace.submit("sh", "-c", "for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done")]
    executions += [await tailrace.submit("true") for _ in range(10)]
    code, said = await run_verify(tailrace.environment, "--json")
    assert code == 0, said
    findings = orjson.loads(said)
    assert findings["ok"]
    assert {each["name"] for each in findings["invariants"]} == EVERYTHING
    assert all(each["skipped"] is None for each in findings["invariants"])
    for execution in executions:
        assert (await tailrace.ended(execution))["status"] == "succeeded"
    code, said = await run_verify(tailrace.environment, "--all")
    assert code == 0, said
    assert len(said.splitlines()) == len(EVERYTHING)


async def test_the_command_says_what_is_wrong_and_fails(scene: Scene) -> None:
    lease = await scene.records.in_status(Status.SUCCEEDED)
    await scene.change("UPDATE executions SET finished_at = NULL WHERE id = :id", id=lease.execution)
    settings = scene.verifier.settings
    environment = {"TAILRACE_DATABASE_URL": settings.database_url, "TAILRACE_DATA": str(settings.data)}
    code, said = await run_verify(environment)
    assert code == 1
    assert f"    {lease.execution}: it is succeeded, finished at None" in said.splitlines()


async def test_the_command_says_when_it_cannot_look() -> None:
    code, said = await run_verify({"TAILRACE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere"})
    assert code == 2
    assert said.startswith("The record cannot be looked at: ")
