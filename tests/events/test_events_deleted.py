"""Whoever follows all executions learns which were deleted, live or when they come back."""

import asyncio
from contextlib import suppress
from dataclasses import replace

from follower import Follower, Replica

from app.auth.service import Caller
from app.auth.tokens import Scope
from app.events.wanted import Wanted
from app.executions import deleting
from app.executions.states import Status
from support.eventually import eventually
from support.records import Records

ANN = Caller("ann", frozenset({Scope.CANCEL}))


async def test_a_deletion_is_told_live_and_to_who_resumes(replicas: list[Replica], records: Records) -> None:
    wanted = Wanted(pools=frozenset({records.worker.pool}))
    live, later = Follower(wanted), Follower(wanted)
    await later.follow(replicas[1], frames=0)
    others = [
        Follower(each)
        for each in (
            replace(wanted, owner="bob"),
            replace(wanted, statuses=frozenset({Status.FAILED})),
            replace(wanted, statuses=frozenset({Status.CANCELED})),
        )
    ]
    following = [asyncio.create_task(each.follow(replicas[0])) for each in (live, *others)]
    try:
        await eventually(lambda: all(each.connected for each in (live, *others)))
        execution = (await records.in_status(Status.SUCCEEDED)).execution
        queued = await records.submit()
        for each in (execution, queued):
            deletion = await deleting.delete_execution(records.process, ANN, each)
            await deleting.tell(records.process, deletion)
        await eventually(lambda: len(live.deleted) == 2)
        await eventually(lambda: others[2].deleted)
    finally:
        for task in following:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    gone = {"type": "deleted", "owner": "ann", "pool": records.worker.pool, "labels": {}}
    assert [frame | {"cursor": 0} for frame in live.deleted] == [
        gone | {"cursor": 0, "id": str(execution), "status": "succeeded"},
        gone | {"cursor": 0, "id": str(queued), "status": "canceled"},
    ]
    assert [len(each.deleted) for each in others] == [0, 0, 1]
    # Nothing else is left of them.
    await later.follow(replicas[1], frames=2)
    assert later.seen == []
    assert later.deleted == live.deleted
