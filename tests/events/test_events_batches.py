"""Whoever follows all executions learns when all of a batch has ended, live or when they come back."""

import asyncio
from contextlib import suppress

from follower import Follower, Replica

from app.batches.settling import follow
from app.events.wanted import Wanted
from support.batches import submit_batch
from support.eventually import eventually
from support.records import Records


async def test_the_end_of_a_batch_is_told_live_and_to_who_resumes(replicas: list[Replica], records: Records) -> None:
    wanted = Wanted(pools=frozenset({records.worker.pool}))
    live, later = Follower(wanted), Follower(wanted)
    await later.follow(replicas[1], frames=0)
    following = asyncio.create_task(live.follow(replicas[1]))
    try:
        await eventually(lambda: live.connected)
        batch, children = await submit_batch(records, size=2)
        for claim in await records.take(most=2):
            await records.start(claim.lease)
            assert live.batches == []
            await follow(replicas[0].process, [await records.end(claim.lease)])
        await eventually(lambda: live.batches)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
    [frame] = live.batches
    said = {"id": str(batch), "status": "succeeded", "total": 2, "by_status": {"succeeded": 2}, "owner": "ann"}
    assert frame | said | {"type": "batch", "pools": [records.worker.pool]} == frame
    # Behind the ends of all of its children.
    assert [live.statuses(child)[-1] for child in children] == ["succeeded"] * 2
    assert frame["cursor"] == live.cursor
    await later.follow(replicas[0], frames=len(live.seen) + 1)
    assert later.batches == [frame]
