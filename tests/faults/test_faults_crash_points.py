"""A process dies at every boundary between two systems, one after the other; the next process finds what it needs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import asyncpg
import httpx
import pytest

from app.crash_points import CrashPoint
from support.crashes import PROGRAM, TIDY, WITHIN, all_merged, crashing_worker, dies, no_workspace_left, ran_truly
from support.eventually import eventually
from support.history import check_history
from support.migrations import NewDatabase
from support.programs import ANNOUNCE, UNTIL_STOP, until_it_says
from support.running import Running, running
from support.starts import Starts
from support.witness import Witness, instance_of

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

ONCE = ["queued", "preparing", "running", "failed"]
ANEW = ["queued", "preparing", "queued", "preparing", "running", "failed"]
# Sees the notice and the signal, and obeys neither; the other ends at the signal.
DEAF = """
    look() { [ -f /tailrace/stop ] && [ -z "$seen" ] && seen=1 && echo noticed; }
    trap 'look; echo signaled' TERM; echo ready
    while :; do look; sleep 0.05; done
"""
OBEYING = DEAF.replace("echo signaled", "echo signaled; exit 3")
P = CrashPoint


@dataclass
class Stage:
    """An installation whose worker is about to die; between two acts it has none."""

    installation: Running
    starts: Starts

    async def until_death(self, point: CrashPoint, *, passing: int = 1) -> None:
        """A worker that dies there, and its death."""
        await crashing_worker(self.installation, point, passing=passing)
        await dies(self.installation, "worker")

    async def recover(self) -> None:
        """A worker that lives."""
        await self.installation.start("worker", "worker")

    async def ends_as(self, execution: str, history: list[str]) -> None:
        assert (await ran_truly(self.installation, self.starts, execution)).history == history


@pytest.fixture(scope="module")
async def installation(
    images: None, new_database: NewDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    directory = tmp_path_factory.mktemp("crashing")
    database_url = await new_database()
    async with running(directory, database_url=database_url, redis_url=redis_url, **TIDY) as installation:
        yield installation


@pytest.fixture
async def stage(installation: Running, starts: Starts) -> AsyncIterator[Stage]:
    """Without a worker: a test starts those that it needs."""
    if "worker" in installation.processes:
        await installation.stop("worker")
    yield Stage(installation, starts)
    if "api" not in installation.processes:
        await installation.start("api", "app")
        await installation.until_ready()


async def a_program(stage: Stage, point: CrashPoint) -> None:
    """One execution, and its worker dies at the point."""
    execution = await stage.installation.submit("sh", "-c", PROGRAM)
    await stage.until_death(point)
    await stage.recover()
    await stage.ends_as(execution, ANEW if point in BEFORE_THE_START else ONCE)


async def in_the_middle(stage: Stage, point: CrashPoint) -> None:
    """The log's first commits are lines of our own; this one has some of the program's."""
    execution = await stage.installation.submit("sh", "-c", PROGRAM, env={"PAUSE": "0.1"})
    await stage.until_death(point, passing=4)
    await stage.recover()
    await stage.ends_as(execution, ONCE)


async def merging(stage: Stage, point: CrashPoint) -> None:
    """What has ended is merged some time later, by whoever leads: perhaps something else that has ended before."""
    execution = await stage.installation.submit("sh", "-c", PROGRAM)
    await stage.until_death(point)
    await stage.recover()
    await ran_truly(stage.installation, stage.starts, execution)
    await all_merged(stage.installation, execution)
    await ran_truly(stage.installation, stage.starts, execution)


async def an_adopter(stage: Stage, point: CrashPoint) -> None:
    """A worker is killed, the next one dies when it has taken over, the third sees it through."""
    execution = await stage.installation.submit("sh", "-c", PROGRAM)
    await stage.until_death(P.START_NOTED)
    await stage.until_death(point)
    await stage.recover()
    await stage.ends_as(execution, ONCE)


async def giving_back(stage: Stage, point: CrashPoint) -> None:
    """What was never started goes back into the queue; whoever does that dies over it."""
    execution = await stage.installation.submit("sh", "-c", PROGRAM)
    await stage.until_death(P.CREATED)
    await stage.until_death(point)
    await stage.recover()
    await stage.ends_as(execution, ANEW)


# Per rung: the limits, the program, its exit code, and what it notices. A signal that was committed is sent, and not a
# second time once that is noted. The times are such that a slow machine changes nothing.
RUNGS = {
    P.NOTICE_COMMITTED: ({"grace": 120, "notice": 1}, OBEYING, 3, {"noticed", "signaled"}),
    P.SIGNAL_COMMITTED: ({"grace": 120, "notice": 0}, OBEYING, 3, {"noticed", "signaled"}),
    P.KILL_COMMITTED: ({"grace": 6, "notice": 0}, DEAF, 137, {"noticed", "signaled"}),
}


async def stopping(stage: Stage, point: CrashPoint) -> None:
    """A cancellation whose worker dies with a rung committed and not acted out: the ladder goes on, and up."""
    installation = stage.installation
    limits, program, exit_code, noticed = RUNGS[point]
    await crashing_worker(installation, point)
    execution = await installation.submit("sh", "-c", program, limits=limits)
    await until_it_says(installation, execution, "ready")
    assert (await installation.cancel(execution)).status_code == 202
    await dies(installation, "worker")
    await stage.recover()
    record = await check_history(installation, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("canceled", "canceled_by_user", exit_code)
    said = (await installation.log_text(execution, streams="stdout")).splitlines()
    assert sorted(said) == sorted({"ready", *noticed})
    assert await stage.starts.once_each(execution) == ["1"]


async def timing_out(stage: Stage, point: CrashPoint) -> None:
    """Its time is over, that is committed, and nothing else happens until the next worker comes."""
    execution = await stage.installation.submit("sh", "-c", OBEYING, limits={"timeout": 1, "grace": 120})
    await stage.until_death(point)
    await stage.recover()
    record = await check_history(stage.installation, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("timed_out", "run_timeout", 3)
    assert "signaled" in await stage.installation.log_text(execution)
    assert await stage.starts.once_each(execution) == ["1"]


async def accepting(stage: Stage, point: CrashPoint) -> None:
    """The API commits and dies before it answers or rings: who asks again with the same key gets the same one."""
    installation = stage.installation
    await stage.recover()
    await installation.stop("api")
    await installation.start("api", "app", TAILRACE_CRASH_AT=point)
    await installation.until_ready()
    body = {"image": "busybox:local", "command": ["sh", "-c", PROGRAM]}
    keyed = {"Idempotency-Key": f"key-of-{point}"}
    with pytest.raises(httpx.TransportError):
        await installation.request("POST", "/v1/executions", json=body, headers=keyed)
    await dies(installation, "api")
    await installation.start("api", "app")
    await installation.until_ready()
    (accepted,) = (await installation.get("/v1/executions", params={"limit": 1}))["items"]
    await stage.ends_as(accepted["id"], ONCE)
    again = await installation.request("POST", "/v1/executions", json=body, headers=keyed)
    assert (again.status_code, again.json()["id"]) == (201, accepted["id"])
    assert again.headers["idempotency-replayed"] == "true"


async def importing(stage: Stage, point: CrashPoint) -> None:
    """The API dies over an import: nobody sees anything of it, and once that has lapsed it is taken in anew."""
    installation = stage.installation
    await stage.recover()
    execution = await installation.submit("sh", "-c", PROGRAM)
    await ran_truly(installation, stage.starts, execution)
    log = await installation.log_text(execution)
    bundle = (await installation.request("GET", f"/v1/executions/{execution}/bundle")).content
    assert (await installation.request("DELETE", f"/v1/executions/{execution}")).status_code == 204
    await installation.stop("api")
    await installation.start("api", "app", TAILRACE_CRASH_AT=point)
    await installation.until_ready()
    take_in = partial(installation.request, "POST", "/v1/imports", content=bundle)
    with pytest.raises(httpx.TransportError):
        await take_in()
    await dies(installation, "api")
    await installation.start("api", "app")
    await installation.until_ready()
    assert (await installation.request("GET", f"/v1/executions/{execution}")).status_code == 404
    assert (await take_in()).status_code == 409
    connection = await asyncpg.connect(installation.database_url)
    await connection.execute("UPDATE imports SET until = now()")
    await connection.close()
    assert (await take_in()).status_code == 201
    assert await installation.log_text(execution) == log
    assert await installation.output(execution, "result") == b"whole\n"


SAVING = f"{ANNOUNCE} echo ready; {UNTIL_STOP} echo 1 > /tailrace/checkpoint/n; exit 85"
WAITING = f"{ANNOUNCE} echo ready; {UNTIL_STOP} exit 3"


async def pausing(stage: Stage, point: CrashPoint) -> None:
    """A worker that dies over a pause, or over its end: the next one makes container and record agree."""
    installation = stage.installation
    saves = point is P.PAUSE_COMMITTED
    await crashing_worker(installation, point)
    execution = await installation.submit("sh", "-c", SAVING if saves else WAITING, limits={"grace": 300})
    await until_it_says(installation, execution, "ready")
    ask = partial(installation.request, "POST")
    mode = "checkpoint" if saves else "freeze"

    async def accepted() -> bool:
        # Of what it said to us before the line the record may not know yet.
        answer = await ask(f"/v1/executions/{execution}/pause", json={"mode": mode})
        return answer.status_code == 202

    await eventually(accepted, within=60)
    if point is P.THAWED:
        await installation.reaches(execution, "paused")
        assert (await ask(f"/v1/executions/{execution}/resume")).status_code == 202
    await dies(installation, "worker")
    await stage.recover()
    await installation.reaches(execution, "running" if point is P.THAWED else "paused", within=2 * WITHIN)
    assert (await installation.cancel(execution)).status_code == 202
    record = await installation.ended(execution)
    assert (record["status"], record["exit_code"]) == ("canceled", None if saves else 3)
    assert await stage.starts.once_each(execution) == ["1"]


BEFORE_THE_START = {P.CLAIMED, P.WORKSPACE_MADE, P.CREATE_INTENDED, P.CREATED, P.START_INTENDED}
SCENARIOS: dict[CrashPoint, Callable[[Stage, CrashPoint], Awaitable[None]]] = {
    **dict.fromkeys(BEFORE_THE_START, a_program),
    **dict.fromkeys((P.STARTED, P.START_NOTED, P.EXIT_SEEN, P.COLLECTING, P.COLLECTED), a_program),
    **dict.fromkeys((P.FINISHED, P.CONTAINER_REMOVED), a_program),
    **dict.fromkeys((P.NOTICE_COMMITTED, P.SIGNAL_COMMITTED, P.KILL_COMMITTED), stopping),
    **dict.fromkeys((P.GIVING_BACK, P.GIVEN_BACK), giving_back),
    **dict.fromkeys((P.FROZEN, P.THAWED, P.PAUSE_COMMITTED), pausing),
    P.LOG_COMMITTED: in_the_middle,
    P.PACKED: merging,
    P.TIMED_OUT: timing_out,
    P.TAKEN_OVER: an_adopter,
    P.ACCEPTED: accepting,
    P.IMPORTING: importing,
}


@pytest.mark.parametrize("point", CrashPoint)
async def test_a_process_may_die_at(stage: Stage, point: CrashPoint) -> None:
    """F1, F7, F8: whoever comes next goes on from what was committed."""
    await SCENARIOS[point](stage, point)


async def test_afterwards_nothing_is_left_of_all_this(stage: Stage, witness: Witness) -> None:
    """F7, F8: what a dead process could not clear up is cleared up by others."""
    await stage.recover()
    instance = await instance_of(stage.installation)

    async def no_container() -> bool:
        return not await witness.all_of(instance)

    await eventually(no_container, within=2 * WITHIN)
    await no_workspace_left(stage.installation, within=2 * WITHIN)
