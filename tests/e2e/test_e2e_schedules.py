"""Schedules with real workers and containers: they fire by themselves, once each, whoever dies on the way."""

from typing import Any

from support.eventually import eventually
from support.own import StartOwn
from support.running import Running
from tailrace import Record, Schedule

TELL = ["sh", "-c", "echo $TAILRACE_LOGICAL_TIME $INPUT_AT"]


async def add(tailrace: Running, **fields: Any) -> Schedule:
    target = {"execution": {"image": "busybox:local", "command": TELL}}
    body = {"name": "every second", "rule": {"every": 1}, "targets": [target], "time_input": "AT", **fields}
    return await tailrace.api.schedules.create(**body)


async def made(tailrace: Running, schedule: Schedule) -> list[Record]:
    """What it has submitted, the first first."""
    return await tailrace.api.list(schedule=schedule.id, sort="created").all()


async def test_it_fires_by_itself_and_the_program_knows_for_what_time(tailrace: Running) -> None:
    schedule = await add(tailrace)
    first, *_ = await eventually(lambda: made(tailrace, schedule), within=60)
    await tailrace.api.schedules.pause(schedule.id)
    ended = await tailrace.ended(first["id"])
    assert (ended["status"], ended["lineage"]["schedule"]) == ("succeeded", schedule["id"])
    assert await tailrace.log_text(first["id"]) == f"{first['logical_time']} {first['logical_time']}\n"
    await tailrace.api.schedules.delete(schedule.id)


async def test_a_firing_whose_worker_dies_behind_its_commit_is_made_once(own: StartOwn) -> None:
    tailrace = await own()
    await tailrace.stop("worker")
    schedule = await add(tailrace, overlap="queue")
    dying = await tailrace.start("worker", "worker", TAILRACE_CRASH_AT="accepted")
    await dying.wait()
    del tailrace.processes["worker"]
    (first,) = await made(tailrace, schedule)
    await tailrace.start("worker", "worker")
    assert (await tailrace.ended(first["id"]))["status"] == "succeeded"

    async def followed() -> bool:
        return len(await made(tailrace, schedule)) > 1

    await eventually(followed, within=90)
    await tailrace.api.schedules.pause(schedule.id)
    times = [execution["logical_time"] for execution in await made(tailrace, schedule)]
    assert len(set(times)) == len(times)
    runs = await tailrace.api.schedules.firings(schedule.id, status="fired").all()
    assert [run["at"] for run in runs] == times[::-1]
