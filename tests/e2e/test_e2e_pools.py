"""Pools with real workers: who runs what, in whose turn, and no more than allowed."""

from support.history import check_history
from support.own import StartOwn
from support.running import Running
from support.tokens import another_user

POOL = "gpu-1"


async def started_at(installation: Running, execution: str) -> str:
    record = await check_history(installation, execution)
    assert record["status"] == "succeeded"
    started: str = record["started_at"]
    return started


async def test_a_worker_runs_what_is_submitted_to_its_pool_and_nothing_else(own: StartOwn) -> None:
    installation = await own(slots=2)
    body = {"image": "busybox:local", "pool": POOL}
    assert (await installation.request("POST", "/v1/executions", json=body)).status_code == 422
    await installation.api.pools.create(name=POOL)
    execution = await installation.submit("true", pool=POOL)
    # The worker of the other pool has long had time for this one when it is done with that one.
    await check_history(installation, await installation.submit("true"))
    assert (await installation.execution(execution))["waiting_on"] == "pool"
    await installation.start("second", "worker", TAILRACE_POOL=POOL)
    await check_history(installation, execution)
    pools = {worker["id"]: worker["pool"] async for worker in installation.api.workers.list()}
    (attempt,) = await installation.attempts(execution)
    assert pools[attempt["worker_id"]] == POOL
    assert sorted(pools.values()) == ["default", POOL]


async def test_somebody_with_much_to_do_does_not_hold_up_somebody_with_little(own: StartOwn) -> None:
    installation = await own(slots=2)
    bob = await another_user(installation, "bob")
    many = [await installation.submit("sleep", "1") for _ in range(20)]
    await installation.reaches(many[1], "running", "succeeded")
    one = await bob.submit("true")
    mine = await started_at(bob, one)
    later = [execution for execution in many if await started_at(installation, execution) > mine]
    # What ran when it came, and what was claimed in the same moment; not half of the others.
    assert len(later) >= 10


async def test_no_more_run_than_the_pool_allows_and_more_as_soon_as_it_does(own: StartOwn) -> None:
    installation = await own(slots=4)
    await installation.api.pools.update("default", max_running=1)
    executions = [await installation.submit("sleep", "600", limits={"grace": 0}) for _ in range(3)]
    await installation.reaches(executions[0], "running")
    assert {(await installation.execution(each))["waiting_on"] for each in executions[1:]} == {"quota"}
    assert (await installation.api.pools.get("default"))["running"] == 1
    await installation.api.pools.update("default", max_running=2)
    await installation.reaches(executions[1], "running")
    assert (await installation.execution(executions[2]))["waiting_on"] == "quota"
    await installation.api.pools.update("default", max_running=None)
    await installation.reaches(executions[2], "running")
    for execution in executions:
        await installation.cancel(execution)
        await check_history(installation, execution)
