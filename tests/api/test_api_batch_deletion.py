"""A batch goes with the last of its children: when it is deleted, and when they are."""

from typing import Any
from uuid import UUID

import httpx
from hand import Hand
from served import Api

from app.auth.tokens import Scope
from app.batches import removing
from app.db.engine import transaction
from app.executions import deleting
from app.executions.states import Cause


async def submit_batch(client: httpx.AsyncClient, **fields: Any) -> tuple[Any, list[str]]:
    """The batch, and its children, first to last."""
    response = await client.post("/v1/batches", json={"defaults": {"image": "busybox:local"}, **fields})
    assert response.status_code == 201, response.text
    batch = response.json()
    listed = (await client.get(f"/v1/executions?batch={batch['id']}&sort=created&limit=200")).json()["items"]
    return batch, [child["id"] for child in sorted(listed, key=lambda child: child["lineage"]["batch"]["index"])]


async def run(hand: Hand, *children: str) -> None:
    for child in children:
        await hand.start(child)
        await hand.end(child)


async def statuses(client: httpx.AsyncClient, *paths: str) -> list[int]:
    return [(await client.get(path)).status_code for path in paths]


async def test_what_has_ended_is_gone_at_once(client: httpx.AsyncClient, hand: Hand) -> None:
    batch, children = await submit_batch(client, count=3)
    await run(hand, *children)
    own = batch["links"]["self"]
    assert (await client.delete(own)).status_code == 204
    assert await statuses(client, own, *(f"/v1/executions/{child}" for child in children)) == [404] * 4
    assert (await client.get("/v1/batches")).json()["items"] == []
    assert (await client.delete(own)).status_code == 404


async def test_what_is_active_is_stopped_first(client: httpx.AsyncClient, hand: Hand) -> None:
    batch, (queued, ended, active) = await submit_batch(client, count=3)
    own = batch["links"]["self"]
    await run(hand, ended)
    await hand.start(active)
    for _ in range(2):
        response = await client.delete(own)
        assert response.status_code == 202, response.text
        record = response.json()
        assert (record["status"], record["stop"]["message"]) == ("stopping", f"Deleted by {batch['owner']}.")
        assert (record["delete_requested_by"], record["progress"]["ended"]) == (batch["owner"], 2)
    left = (await client.get(f"/v1/executions/{active}")).json()
    assert (left["status"], left["delete_requested_by"]) == ("stopping", batch["owner"])
    assert await statuses(client, f"/v1/executions/{queued}", f"/v1/executions/{ended}") == [404, 404]
    await hand.end(active, Cause.CANCELED_BY_USER)
    again = await client.post(f"{own}/rerun")
    assert (again.status_code, again.json()["detail"]) == (409, "It is about to be deleted.")
    # As the worker does that ran it.
    async with transaction(hand.process.database) as connection:
        assert await deleting.remove_asked(connection, only=UUID(active)) == [UUID(active)]
    assert await statuses(client, own) == [404]


async def test_what_is_not_done_in_the_request_is_done_by_the_sweep(client: httpx.AsyncClient, hand: Hand) -> None:
    batch, children = await submit_batch(client, count=3)
    await run(hand, *children)
    async with transaction(hand.process.database) as connection:
        await removing.repository.ask_to_delete(connection, UUID(batch["id"]), by="ann")
    async with transaction(hand.process.database) as connection:
        assert set(map(UUID, children)) <= set(await deleting.remove_asked(connection, most=1000))
    assert await statuses(client, batch["links"]["self"]) == [404]


async def test_nobody_goes_on_from_what_is_to_go(client: httpx.AsyncClient, hand: Hand) -> None:
    batch, (child,) = await submit_batch(client, count=1)
    await hand.start(child)
    await hand.keep_checkpoint(child)
    await hand.end(child)
    async with transaction(hand.process.database) as connection:
        await removing.repository.ask_to_delete(connection, UUID(batch["id"]), by="ann")
    response = await client.post("/v1/executions", json={"image": "busybox:local", "resume_from": child})
    assert [error["code"] for error in response.json()["errors"]] == ["being_deleted"]


async def test_what_others_need_is_kept(client: httpx.AsyncClient, hand: Hand) -> None:
    items = [{"key": "a"}, {"key": "b", "needs": ["a"]}]
    batch, (first, second) = await submit_batch(client, items=items)
    await run(hand, first, second)
    again = (await client.post(f"/v1/executions/{second}/rerun")).json()["id"]
    response = await client.delete(batch["links"]["self"])
    assert (response.status_code, again in response.json()["detail"]) == (409, True)
    assert (await client.get(batch["links"]["self"])).json()["delete_requested_at"] is None
    await client.post(f"/v1/executions/{again}/cancel")
    assert (await client.delete(batch["links"]["self"])).status_code == 204


async def test_it_goes_with_the_last_child(client: httpx.AsyncClient, hand: Hand) -> None:
    batch, children = await submit_batch(client, count=3)
    own = batch["links"]["self"]
    await run(hand, *children)
    assert (await client.delete(f"/v1/executions/{children[0]}")).status_code == 204
    assert (await client.get(own)).json()["progress"]["ended"] == 3
    answer = await client.post("/v1/executions:delete", json={"batch": batch["id"]})
    assert [item["result"] for item in answer.json()["items"]] == ["done", "done"]
    assert await statuses(client, own) == [404]


async def test_who_may(client: httpx.AsyncClient, stranger: httpx.AsyncClient, api: Api) -> None:
    batch, _ = await submit_batch(client, count=1)
    own = batch["links"]["self"]
    reader = await api.client(batch["owner"], Scope.READ)
    assert [(await each.delete(own)).status_code for each in (stranger, reader)] == [404, 403]
    assert (await client.get(own)).json()["progress"]["by_status"]["queued"] == 1
