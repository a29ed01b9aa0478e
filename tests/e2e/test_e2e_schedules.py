"""Schedules with real workers and containers: they fire by themselves, once each, whoever dies on the way."""

from typing import Any

from support.eventually import eventually
from support.own import StartOwn
from support.running import Json, Running

TELL = ["sh", "-c", "echo $TAILRACE_LOGICAL_TIME $INPUT_AT"]


async def add(tailrace: Running, **fields: Any) -> Json:
    target = {"execution": {"image": "busybox:local", "command": TELL}}
    body = {"name": "every second", "rule": {"every": 1}, "targets": [target], "time_input": "AT", **fields}
    response = await tailrace.request("POST", "/v1/schedules", json=body)
    assert response.status_code == 201, response.text
    schedule: Json = response.json()
    return schedule


async def made(tailrace: Running, schedule: Json) -> list[Json]:
    """What it has submitted, the first first."""
    page = await tailrace.get("/v1/executions", params={"schedule": schedule["id"], "sort": "created", "limit": 200})
    items: list[Json] = page["items"]
    return items


async def test_it_fires_by_itself_and_the_program_knows_for_what_time(tailrace: Running) -> None:
    schedule = await add(tailrace)
    first, *_ = await eventually(lambda: made(tailrace, schedule), within=60)
    await tailrace.request("PATCH", f"/v1/schedules/{schedule['id']}", json={"enabled": False})
    ended = await tailrace.ended(first["id"])
    assert (ended["status"], ended["lineage"]["schedule"]) == ("succeeded", schedule["id"])
    assert await tailrace.log_text(first["id"]) == f"{first['logical_time']} {first['logical_time']}\n"
    await tailrace.request("DELETE", f"/v1/schedules/{schedule['id']}")


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
    await tailrace.request("PATCH", f"/v1/schedules/{schedule['id']}", json={"enabled": False})
    times = [execution["logical_time"] for execution in await made(tailrace, schedule)]
    assert len(set(times)) == len(times)
    runs = (await tailrace.get(f"/v1/schedules/{schedule['id']}/runs", params={"status": "fired"}))["items"]
    assert [run["at"] for run in runs] == times[::-1]
