"""The governing side of an attempt: with a real container where something has to be stopped."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.executions import repository
from app.executions.model import Event, Stage
from app.executions.repository import StaleLease
from app.executions.states import Cause, Status
from app.logs.protocol import Kind, unpack_message
from support.eventually import eventually
from support.records import Records
from support.shelf import Shelf
from worker import claims, ledger
from worker.claims import Claim, Orphan
from worker.container import INSTANCE_LABEL, container_spec
from worker.context import WorkerContext
from worker.engine.docker import DockerRuntime
from worker.engine.port import ContainerState
from worker.ladder import Rung
from worker.log_sink import LogSink
from worker.log_writer import LogWriter
from worker.over import Over
from worker.oversight import Oversight
from worker.story import Story
from worker.workspace import Workspace

# It ignores SIGTERM, but says that it came.
STUBBORN = (
    "sh",
    "-c",
    "trap 'touch /tailrace/outputs/term' TERM; touch /tailrace/outputs/ready; while :; do sleep 0.05; done",
)


@dataclass
class Attended:
    """One attempt under oversight, and what was said in its log."""

    records: Records
    claim: Claim
    oversight: Oversight
    workspace: Workspace
    log: LogSink
    shelf: Shelf = field(default_factory=Shelf)

    @property
    def said(self) -> list[str]:
        while self.shelf.commit(self.log):
            pass
        return [line.text for line in self.shelf.lines()]

    @property
    def stop_file(self) -> Path:
        return Path(self.workspace.mounts()[0].source) / "stop"

    def says(self, *events: dict[str, Any]) -> None:
        """The program writes to its events file."""
        with self.workspace.events.open("ab") as file:
            file.write(b"".join(orjson.dumps(event) + b"\n" for event in events))

    async def attempt(self) -> Any:
        return (await self.records.attempts(self.claim.lease.execution))[-1]


Attend = Callable[..., Awaitable[Attended]]


@pytest.fixture
async def context(records: Records) -> WorkerContext:
    writer = LogWriter(records.process.database, records.process.hints)
    return WorkerContext(records.process, DockerRuntime(records.process.settings.docker_host), records.worker, writer)


@pytest.fixture
async def attend(records: Records, context: WorkerContext) -> AsyncIterator[Attend]:
    """Claims one and makes its workspace."""
    attended: list[Attended] = []

    async def begin(*command: str, **limits: Any) -> Attended:
        claim = await records.claim(*command, **limits)
        workspace = Workspace(records.process.settings.data, claim.lease.execution, 1)
        workspace.create(inputs={})
        log = Shelf().sink()
        oversight = Oversight(context, claim.lease, claim.record, workspace, Story(context, claim.record, log))
        attended.append(Attended(records, claim, oversight, workspace, log))
        return attended[-1]

    yield begin
    for each in attended:
        each.oversight.close()
        each.workspace.remove()


async def test_a_step_that_nobody_stops_gives_its_result(attend: Attend) -> None:
    attended = await attend()
    assert await attended.oversight.unless_stopped(asyncio.sleep(0, 7)) == 7


async def test_a_step_that_fails_fails_with_its_own_error(attend: Attend) -> None:
    async def fail() -> None:
        raise LookupError

    attended = await attend()
    with pytest.raises(LookupError):
        await attended.oversight.unless_stopped(fail())


async def test_a_step_is_given_up_when_a_stop_is_asked(attend: Attend) -> None:
    attended = await attend()
    given_up = asyncio.Event()

    async def pull() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    pulling = asyncio.create_task(attended.oversight.unless_stopped(pull()))
    await asyncio.sleep(0)
    await attended.records.stop(attended.claim.lease.execution)
    attended.oversight.notify()
    with pytest.raises(Over) as over:
        await pulling
    assert over.value.outcome.cause is Cause.CANCELED_BY_USER
    assert "ann" in over.value.outcome.message
    assert given_up.is_set()


async def test_a_stop_that_came_before_the_step_is_seen_too(attend: Attend) -> None:
    attended = await attend()
    await attended.records.stop(attended.claim.lease.execution)
    with pytest.raises(Over):
        await attended.oversight.unless_stopped(asyncio.Event().wait())


async def test_whoever_lost_the_lease_stops_preparing(attend: Attend) -> None:
    attended = await attend()
    heir = await attended.records.colleague()
    lease = attended.claim.lease
    orphan = Orphan(lease.execution, lease.epoch, attended.records.worker.id, 99.0, gone=True)
    await heir.commit(lambda connection: claims.adopt(connection, orphan, heir.worker))
    with pytest.raises(StaleLease):
        await attended.oversight.unless_stopped(asyncio.Event().wait())
    with pytest.raises(StaleLease):
        await attended.oversight.obey("no container")


async def test_what_the_program_says_comes_on_the_record_and_to_the_watchers(attend: Attend) -> None:
    attended = await attend()
    execution = attended.claim.lease.execution
    process = attended.records.process
    async with process.listener.subscribe(process.channels.execution(execution)) as messages:
        listening = asyncio.create_task(attended.oversight.listen())
        attended.says({"checkpoints": True}, {"progress": 40, "phase": "fit"}, {"warning": "low"})
        message = await messages.get(20.0)
        assert message is not None
        kind, _, _, frame = unpack_message(message)
        assert kind is Kind.PROGRESS
        assert orjson.loads(frame) | {"at": None} == {"type": "progress", "percent": 40, "phase": "fit", "at": None}
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    attended.says({"result": {"k": 3}}, {"progress": 100})
    await attended.oversight.hear_out()
    record = await attended.records.record(execution)
    assert (record.announced, record.result, record.warnings) == (True, {"k": 3}, ["low"])
    assert (record.progress_percent, record.progress_phase) == (100, "fit")
    assert record.progress_at is not None
    assert attended.oversight.announced


async def test_the_last_words_of_a_program_are_heard_however_much_it_said_before(attend: Attend) -> None:
    attended = await attend()
    attended.says(*({"progress": number % 100} for number in range(100_000)), {"result": "the last word"})
    await attended.oversight.hear_out()
    assert (await attended.records.record(attended.claim.lease.execution)).result == "the last word"


async def test_whoever_takes_over_hears_nothing_twice(attend: Attend, context: WorkerContext) -> None:
    attended = await attend()
    attended.says({"warning": "one"}, {"warning": "two"})
    await attended.oversight.hear_out()
    attended.says({"warning": "three"})
    record, attempt = await attended.records.commit(
        lambda connection: claims.read_attempt(connection, attended.claim.lease)
    )
    heir = Oversight(context, attended.claim.lease, record, attended.workspace, Story(context, record, attended.log))
    heir.resume(attempt, frozen=False)
    await heir.hear_out()
    heir.close()
    warnings = (await attended.records.record(attended.claim.lease.execution)).warnings
    assert warnings == ["one", "two", "three"]
    assert attended.said == [f"Warning: {warning}" for warning in warnings]


async def test_an_events_file_that_says_nothing_true_harms_nobody(attend: Attend) -> None:
    attended = await attend()
    too_deep = b'{"result": ' + b"[" * 600 + b"]" * 600 + b"}\n"
    attended.workspace.events.write_bytes(too_deep + b"\xff\xfe\n[]\n{\n" + b"x" * 2**20)
    await attended.oversight.hear_out()
    record = await attended.records.record(attended.claim.lease.execution)
    assert record.result is None
    assert len(record.warnings) == 4


# With a container


@pytest.fixture
async def engine(records: Records, images: None, context: WorkerContext) -> AsyncIterator[DockerRuntime]:
    assert isinstance(context.runtime, DockerRuntime)
    async with context.runtime as runtime:
        yield runtime
        for container in await runtime.list_containers({INSTANCE_LABEL: str(records.process.instance)}):
            await runtime.remove(container.id, force=True)


async def start(attended: Attended, engine: DockerRuntime) -> str:
    """Its container, which is ready to be stopped."""
    image = await engine.find_image("busybox:local")
    assert image is not None
    instance = attended.records.process.instance
    spec = container_spec(attended.claim.record, image, attended.workspace, attended.claim.lease, instance)
    container = await engine.create(spec)
    await attended.records.start(attended.claim.lease)
    await engine.start(container)
    await eventually((attended.workspace.outputs / "ready").exists)
    return container


async def obey_until_exit(attended: Attended, engine: DockerRuntime, container: str) -> None:
    obeying = asyncio.create_task(attended.oversight.obey(container))

    async def exited() -> bool:
        if obeying.done():
            obeying.result()
        return (await engine.inspect(container)).state is ContainerState.EXITED

    try:
        await eventually(exited, within=60)
    finally:
        obeying.cancel()
        with suppress(asyncio.CancelledError):
            await obeying


async def stop_event(attended: Attended) -> Event:
    events = await attended.records.events(attended.claim.lease.execution)
    return next(event for event in events if event.to_status is Status.STOPPING)


async def test_a_stop_is_noticed_then_signaled_then_killed(attend: Attend, engine: DockerRuntime) -> None:
    attended = await attend(*STUBBORN, grace=4, notice=1)
    container = await start(attended, engine)
    await attended.records.stop(attended.claim.lease.execution, grace=4)
    await obey_until_exit(attended, engine, container)
    requested = (await stop_event(attended)).at
    attempt = await attended.attempt()
    # Never early: the program has the time that it was promised.
    assert (attempt.signaled_at - requested).total_seconds() >= 1
    assert (attempt.killed_at - requested).total_seconds() >= 4
    assert requested <= attempt.stop_written_at <= attempt.signaled_at <= attempt.killed_at
    assert orjson.loads(attended.stop_file.read_bytes())["reason"] == "cancel"
    assert (attended.workspace.outputs / "term").exists()
    assert (await engine.inspect(container)).exit_code == 137
    assert attended.oversight.signaled
    said = attended.said[-4:]
    assert re.fullmatch(r"The program is told, and has [1-4] s until it is killed\.", said.pop(1))
    assert said == ["Stop: ann asked for it.", "SIGTERM is sent.", "SIGKILL is sent."]


async def test_a_forced_stop_kills_at_once(attend: Attend, engine: DockerRuntime) -> None:
    attended = await attend(*STUBBORN, grace=600, notice=600)
    container = await start(attended, engine)
    execution = attended.claim.lease.execution
    await attended.records.stop(execution, grace=600)
    obeying = asyncio.create_task(obey_until_exit(attended, engine, container))
    await eventually(attended.stop_file.exists)
    await attended.records.commit(lambda connection: repository.force_stop(connection, execution))
    attended.oversight.notify()
    await obeying
    attempt = await attended.attempt()
    assert attempt.signaled_at is None
    assert attempt.killed_at is not None
    assert not (attended.workspace.outputs / "term").exists()


async def test_its_time_being_over_begins_a_stop_by_us(attend: Attend, engine: DockerRuntime) -> None:
    attended = await attend(*STUBBORN, timeout=1, grace=1)
    container = await start(attended, engine)
    await obey_until_exit(attended, engine, container)
    event = await stop_event(attended)
    record = await attended.records.record(attended.claim.lease.execution)
    assert event.actor == "system"
    assert record.stop is not None
    assert record.stop.reason == "timeout"
    assert orjson.loads(attended.stop_file.read_bytes())["reason"] == "timeout"
    assert record.started_at is not None
    assert (event.at - record.started_at).total_seconds() >= 1


@pytest.mark.parametrize(("sent", "main_ended"), [(True, False), (False, False), (False, True)])
async def test_whoever_takes_over_a_stop_goes_on_at_the_next_rung(
    *, sent: bool, main_ended: bool, attend: Attend, engine: DockerRuntime, context: WorkerContext
) -> None:
    """The program was told and signaled by the worker that died: now it is only killed, when it is time. If that worker
    died before it had sent the signal, it comes now; unless the main command has ended, and it would hit the teardown.
    """
    owed = not sent and not main_ended
    # Long enough for what is to be done in it.
    grace = 5 if owed else 2
    attended = await attend(*STUBBORN, grace=grace)
    container = await start(attended, engine)
    execution = attended.claim.lease.execution
    await attended.records.stop(execution, grace=grace)
    for rung in (Rung.NOTICE, Rung.SIGNAL):
        await attended.records.commit(
            lambda connection, rung=rung: ledger.climb(connection, attended.claim.lease, rung)
        )
    if sent:
        await attended.records.commit(lambda connection: ledger.note_signal_sent(connection, attended.claim.lease))
    before = await attended.attempt()
    record, attempt = await attended.records.commit(
        lambda connection: claims.read_attempt(connection, attended.claim.lease)
    )
    if main_ended:
        record = replace(record, spec=record.spec.model_copy(update={"teardown": Stage(command=("true",), timeout=60)}))
        attended.workspace.stages.write_text("main\nmain 0 free\nteardown\n")
    story = Story(context, record, attended.log)
    heir = Oversight(context, attended.claim.lease, record, attended.workspace, story)
    heir.resume(attempt, frozen=False)
    inherited = Attended(attended.records, attended.claim, heir, attended.workspace, attended.log)
    await obey_until_exit(inherited, engine, container)
    heir.close()
    after = await attended.attempt()
    assert (attended.workspace.outputs / "term").exists() is owed
    assert (after.signaled_at, attempt.rung) == (before.signaled_at, Rung.SIGNAL)
    assert (after.signal_sent_at is None) is main_ended
    assert attended.said == [*(["SIGTERM is sent."] if owed else []), "SIGKILL is sent."]
    assert (after.killed_at - (await stop_event(attended)).at).total_seconds() >= grace


async def test_a_program_that_saves_checkpoints_has_most_of_the_grace_to_do_so(
    attend: Attend, engine: DockerRuntime
) -> None:
    attended = await attend(*STUBBORN, grace=8)
    container = await start(attended, engine)
    attended.says({"checkpoints": True})
    await attended.records.stop(attended.claim.lease.execution, grace=8)
    await obey_until_exit(attended, engine, container)
    attempt = await attended.attempt()
    stop = (await attended.records.record(attended.claim.lease.execution)).stop
    assert stop is not None
    # The event of it is a moment younger than the request.
    assert (attempt.signaled_at - stop.requested_at).total_seconds() >= 6
