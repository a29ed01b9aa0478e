"""PATCH: what can be changed of an execution, until when, and what moves with it."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from hand import Hand
from served import Api, Submit, running

from app.auth.tokens import Scope
from app.bootstrap import Process
from app.executions.repository import seconds_from_now
from app.executions.states import Cause, StopReason
from app.settings import Settings

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


async def patch(client: httpx.AsyncClient, execution: str, **fields: Any) -> httpx.Response:
    return await client.patch(f"/v1/executions/{execution}", json=fields)


async def messages(client: httpx.AsyncClient, execution: str) -> list[str | None]:
    events = (await client.get(f"/v1/executions/{execution}/events")).json()["items"]
    return [event["message"] for event in events if event["from"] == event["to"]]


def wrong(response: httpx.Response) -> dict[str, str]:
    return {error["field"]: error["code"] for error in response.json()["errors"]}


# What is changed


async def test_what_people_call_it_is_merged(client: httpx.AsyncClient, submit: Submit) -> None:
    execution = await submit(name="first", note="a note", labels={"team": "a", "tier": "b"}, priority=3)
    changed = await patch(client, execution, name="second", labels={"tier": None, "site": "c"})
    assert changed.status_code == 200
    body = changed.json()
    assert (body["name"], body["note"], body["labels"]) == ("second", "a note", {"team": "a", "site": "c"})
    kept = (await client.get(f"/v1/executions/{execution}")).json()
    assert all(kept[name] == body[name] for name in ("name", "note", "labels", "priority", "limits", "updated_at"))
    cleared = (await patch(client, execution, name=None, note=None, labels=None, priority=None)).json()
    assert (cleared["name"], cleared["note"], cleared["labels"], cleared["priority"]) == (None, None, {}, 0)


async def test_whoever_was_overtaken_changes_nothing(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    """What its program does is no change of it in this sense."""
    execution = await submit(name="first", labels={"team": "a"})
    path, seen = f"/v1/executions/{execution}", (await client.get(f"/v1/executions/{execution}")).json()["revision"]
    await hand.start(execution)
    first = await client.patch(path, json={"limits": {"timeout": 90}}, headers={"If-Match": f'"{seen}"'})
    assert first.status_code == 200, first.text
    assert first.json()["revision"] != seen
    second = await client.patch(path, json={"name": "second"}, headers={"If-Match": f'"{seen}"'})
    assert (second.status_code, second.json()["type"]) == (412, "urn:tailrace:problem:precondition_failed")
    assert first.json()["revision"] in second.json()["detail"]
    assert (await client.get(path)).json()["name"] == "first"
    for now in (f'"{first.json()["revision"]}"', "*"):
        assert (await client.patch(path, json={"name": "second"}, headers={"If-Match": now})).status_code == 200


async def test_a_merge_patch_may_say_that_it_is_one(client: httpx.AsyncClient, submit: Submit) -> None:
    execution = await submit()
    path = f"/v1/executions/{execution}"
    assert (await client.patch(path, content=b'{"name": "x"}', headers=MERGE_PATCH)).json()["name"] == "x"
    refused = await client.post("/v1/executions", content=b'{"image": "busybox:local"}', headers=MERGE_PATCH)
    assert refused.status_code == 415


async def test_limits_are_merged_and_null_brings_their_defaults_back(client: httpx.AsyncClient, submit: Submit) -> None:
    execution = await submit(limits={"timeout": 60, "idle_timeout": 5, "memory": "64MiB"})
    limits = (await patch(client, execution, limits={"timeout": 120, "idle_timeout": None})).json()["limits"]
    assert (limits["timeout"], limits["idle_timeout"], limits["memory"]) == (120, None, 64 * 2**20)
    assert (await patch(client, execution, limits=None)).json()["limits"]["timeout"] == 3600


async def test_the_history_tells_who_changed_what(client: httpx.AsyncClient, submit: Submit) -> None:
    execution = await submit(limits={"timeout": 60})
    answer = await patch(client, execution, name="n", priority=2, limits={"timeout": 90, "idle_timeout": 5})
    events = (await client.get(f"/v1/executions/{execution}/events")).json()["items"]
    owner = answer.json()["owner"]
    assert events[-1] | {"at": None} == {
        "number": 2,
        "from": "queued",
        "to": "queued",
        "cause": None,
        "message": f"{owner} changed name, priority from 0 to 2, limits.timeout from 60 to 90, "
        "limits.idle_timeout from none to 5.",
        "actor": owner,
        "attempt": 0,
        "at": None,
    }


async def test_what_changes_nothing_is_not_told(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    execution = await submit(name="n", limits={"timeout": 60, "memory": "64MiB"})
    await hand.start(execution)
    before = await hand.row(execution)
    # What has a value already may be named whenever it could not be changed any more.
    same = await patch(client, execution, name="n", priority=0, limits={"timeout": 60, "memory": 64 * 2**20})
    assert same.status_code == 200
    assert (await patch(client, execution)).status_code == 200
    assert await hand.row(execution) == before


# What is refused


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"colour": "red"}, {"colour": "extra_forbidden"}),
        ({"colour": None}, {"colour": "extra_forbidden"}),
        ({"image": "other"}, {"image": "extra_forbidden"}),
        ({"limits": {"speed": 1}}, {"limits.speed": "extra_forbidden"}),
        ({"limits": {"speed": None}}, {"limits.speed": "extra_forbidden"}),
        ({"limits": 5}, {"limits": "model_type"}),
        ({"limits": {"timeout": 0}, "name": "x" * 201}, {"limits.timeout": "greater_than_equal", "name": "too_long"}),
        ({"limits": {"notice": 10}}, {"limits.notice": "not_below_grace"}),
        ({"limits": {"grace": 3}}, {"limits.notice": "not_below_grace"}),
        ({"labels": {"": "x"}}, {"labels.": "string_too_short"}),
        ({"priority": 101}, {"priority": "less_than_equal"}),
    ],
)
async def test_every_wrong_field_is_named_and_nothing_changes(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, body: dict[str, Any], fields: dict[str, str]
) -> None:
    execution = await submit(limits={"notice": 5})
    before = await hand.row(execution)
    refused = await patch(client, execution, note="a note", **body)
    assert refused.status_code == 422, refused.text
    assert set(wrong(refused)) == set(fields)
    assert await hand.row(execution) == before


async def test_a_body_that_is_no_object_is_refused(client: httpx.AsyncClient, submit: Submit) -> None:
    path = f"/v1/executions/{await submit()}"
    assert [(await client.patch(path, json=body)).status_code for body in ([], "x", None, 5)] == [422] * 4
    assert (await client.patch(path)).status_code == 422


async def test_only_its_owner_with_the_scope_may_change_it(
    api: Api, client: httpx.AsyncClient, stranger: httpx.AsyncClient, submit: Submit
) -> None:
    execution = await submit()
    owner = (await client.get(f"/v1/executions/{execution}")).json()["owner"]
    assert (await patch(stranger, execution, name="mine")).status_code == 404
    reader = await api.client(owner, Scope.READ, Scope.SUBMIT)
    assert (await patch(reader, execution, name="mine")).status_code == 403


# Until when


async def at(status: str, execution: str, hand: Hand) -> None:
    """Bring a new one there."""
    match status:
        case "preparing":
            await hand.claim(execution)
        case "running":
            await hand.start(execution)
        case "stopping":
            await hand.start(execution)
            await hand.time_out(execution)
        case "failed":
            await hand.start(execution)
            await hand.end(execution, Cause.EXIT_NONZERO, exit_code=1)
        case _:
            assert status == "queued"


@pytest.mark.parametrize(
    ("status", "late"),
    [
        ("queued", set()),
        ("preparing", {"priority", "limits.memory"}),
        ("running", {"priority", "limits.memory"}),
        ("stopping", {"priority", "limits.memory", "limits.timeout"}),
    ],
)
async def test_what_it_is_too_late_for_is_named(
    status: str, late: set[str], client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    await at(status, execution, hand)
    before = await hand.row(execution)
    limits = {"memory": "64MiB", "timeout": 60, "grace": 20, "notice": 15}
    answer = await patch(client, execution, name="n", priority=5, limits=limits)
    if not late:
        assert answer.status_code == 200
        return
    assert answer.status_code == 409, answer.text
    assert set(wrong(answer)) == late
    assert status in answer.json()["detail"]
    assert await hand.row(execution) == before
    timely = {name: value for name, value in limits.items() if f"limits.{name}" not in late}
    assert (await patch(client, execution, name="n", limits=timely)).status_code == 200


async def test_of_what_has_ended_only_its_names_are_changed(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit(limits={"timeout": 60})
    await at("failed", execution, hand)
    for refused in (
        await patch(client, execution, limits={"timeout": 120}),
        await patch(client, execution, name="n", limits={"timeout": 60}),
        await patch(client, execution, priority=4),
    ):
        assert refused.status_code == 409
        assert "failed" in refused.json()["detail"]
    changed = (await patch(client, execution, name="n", note="why it failed", labels={"seen": "yes"})).json()
    assert (changed["name"], changed["note"], changed["labels"]) == ("n", "why it failed", {"seen": "yes"})
    assert (changed["status"], changed["cause"], changed["limits"]["timeout"]) == ("failed", "exit_nonzero", 60)
    events = (await client.get(f"/v1/executions/{execution}/events")).json()["items"]
    assert (events[-1]["to"], events[-1]["cause"]) == ("failed", "exit_nonzero")


# What moves with it


async def test_the_deadline_of_one_that_runs_moves_by_the_difference(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit(limits={"timeout": 60})
    await hand.start(execution)
    await hand.change(execution, deadline=seconds_from_now(60))
    before = await hand.row(execution)
    answer = await patch(client, execution, limits={"timeout": 90})
    after = await hand.row(execution)
    assert after.deadline - before.deadline == timedelta(seconds=30)
    assert answer.json()["deadline"] == after.deadline.isoformat().replace("+00:00", "Z")
    assert after.control_version == before.control_version + 1
    await patch(client, execution, limits={"timeout": 10})
    assert before.deadline - (await hand.row(execution)).deadline == timedelta(seconds=50)


async def test_one_without_a_deadline_gets_none(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    execution = await submit()
    await hand.claim(execution)
    await patch(client, execution, limits={"timeout": 90})
    assert (await hand.row(execution)).deadline is None


async def test_the_grace_of_one_that_stops_moves_its_kill(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit(limits={"grace": 10})
    await hand.start(execution)
    await client.post(f"/v1/executions/{execution}/cancel")
    before = await hand.row(execution)
    answer = await patch(client, execution, limits={"grace": 100})
    after = await hand.row(execution)
    assert after.stop_deadline - before.stop_deadline == timedelta(seconds=90)
    assert answer.json()["stop"]["deadline"] == after.stop_deadline.isoformat().replace("+00:00", "Z")
    await client.post(f"/v1/executions/{execution}/cancel", json={"force": True})
    forced = await hand.row(execution)
    await patch(client, execution, limits={"grace": 200})
    assert (await hand.row(execution)).stop_deadline == forced.stop_deadline


async def test_its_worker_and_its_watchers_are_told(
    client: httpx.AsyncClient, submit: Submit, hand: Hand, process: Process
) -> None:
    execution = await submit()
    await hand.start(execution)
    watched, control = process.channels.execution(UUID(execution)), process.channels.control(hand.worker)
    async with process.listener.subscribe(watched) as frames, process.listener.subscribe(control) as intents:
        await patch(client, execution, limits={"timeout": 90})
        frame = await frames.get(30)
        assert frame is not None
        assert b'"running"' in frame
        assert await intents.get(30) is not None


@pytest.mark.parametrize("repetitions", [20, pytest.param(100, marks=pytest.mark.slow)])
async def test_a_change_and_the_end_never_both_have_the_last_word(
    repetitions: int, client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    for _ in range(repetitions):
        execution = await submit(limits={"timeout": 60})
        await hand.start(execution)
        answer, _ = await asyncio.gather(
            patch(client, execution, limits={"timeout": 90}), hand.end(execution, Cause.EXIT_NONZERO, exit_code=1)
        )
        record = (await client.get(f"/v1/executions/{execution}")).json()
        events = (await client.get(f"/v1/executions/{execution}/events")).json()["items"]
        noted = [event["to"] for event in events if event["from"] == event["to"]]
        assert record["status"] == "failed"
        if answer.status_code == 200:
            assert (record["limits"]["timeout"], noted) == (90, ["running"])
        else:
            assert (answer.status_code, record["limits"]["timeout"], noted) == (409, 60, [])


@pytest.mark.parametrize("repetitions", [10, pytest.param(100, marks=pytest.mark.slow)])
async def test_changes_at_once_are_all_made(repetitions: int, client: httpx.AsyncClient, submit: Submit) -> None:
    for _ in range(repetitions):
        execution = await submit()
        names = [f"k{number}" for number in range(6)]
        await asyncio.gather(*(patch(client, execution, labels={name: "v"}) for name in names))
        assert (await client.get(f"/v1/executions/{execution}")).json()["labels"] == dict.fromkeys(names, "v")
        assert len(await messages(client, execution)) == len(names)


# Requests to stop are told too


async def test_a_forced_stop_is_in_the_history(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    execution = await submit()
    await hand.start(execution)
    cancel = f"/v1/executions/{execution}/cancel"
    owner = (await client.post(cancel)).json()["owner"]
    await client.post(cancel, json={"force": True})
    await client.post(cancel, json={"force": True})
    assert await messages(client, execution) == [f"{owner} asked to kill it at once."]


async def test_a_cancellation_after_a_timeout_is_in_the_history(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    await at("stopping", execution, hand)
    owner = (await client.post(f"/v1/executions/{execution}/cancel")).json()["owner"]
    assert await messages(client, execution) == [f"{owner} asked for a stop as well: no attempt follows."]
    assert (await hand.row(execution)).stop_reason == StopReason.TIMEOUT


# Caps


async def test_caps_hold_for_what_is_asked_and_for_what_is_not(settings: Settings) -> None:
    caps = {"max_timeout": 600, "max_idle_timeout": 60, "max_queue_timeout": 50, "max_grace": 8, "max_pull_timeout": 9}
    async with running(settings.model_copy(update=caps)) as api:
        client = await api.client()
        body = {"image": "busybox:local"}
        limits = (await client.post("/v1/executions", json=body)).json()["limits"]
        assert {f"max_{name}": limits[name] for name in limits if f"max_{name}" in caps} == caps
        asked = {"timeout": 601, "idle_timeout": 60, "queue_timeout": 51, "grace": 9, "pull_timeout": 3}
        refused = await client.post("/v1/executions", json={**body, "limits": asked})
        assert refused.status_code == 422
        assert wrong(refused) == dict.fromkeys(["limits.timeout", "limits.queue_timeout", "limits.grace"], "over_cap")
        assert "at most 600" in refused.json()["detail"]
        no_room = await client.post("/v1/executions", json={**body, "limits": {"notice": 9}})
        assert wrong(no_room) == {"limits.notice": "not_below_grace"}
        await _check_patches(client, (await client.post("/v1/executions", json=body)).json()["id"])


async def _check_patches(client: httpx.AsyncClient, execution: str) -> None:
    refused = await patch(client, execution, limits={"timeout": 3600, "memory": "64MiB"})
    assert (refused.status_code, wrong(refused)) == (422, {"limits.timeout": "over_cap"})
    assert (await patch(client, execution, limits={"timeout": 5})).json()["limits"]["timeout"] == 5
    assert (await patch(client, execution, limits={"timeout": None})).json()["limits"]["timeout"] == 600


async def test_a_cap_that_was_lowered_holds_only_for_what_is_named(settings: Settings) -> None:
    async with running(settings) as api:
        owner = await api.client("somebody")
        execution = (await owner.post("/v1/executions", json={"image": "busybox:local"})).json()["id"]
    async with running(settings.model_copy(update={"max_timeout": 600})) as api:
        client = await api.client("somebody")
        limits = (await patch(client, execution, limits={"grace": 5})).json()["limits"]
        assert (limits["timeout"], limits["grace"]) == (3600, 5)
