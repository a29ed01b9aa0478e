"""`/v1/batches`."""

from __future__ import annotations

import time
from typing import Any

from tailrace.testing.accepting import create, draft, draft_again, key_of, once
from tailrace.testing.batch import Batch, read_batch, relocated
from tailrace.testing.executions import deleted
from tailrace.testing.listener import Answer
from tailrace.testing.listing import page_limit
from tailrace.testing.outputs import zipped
from tailrace.testing.problems import Problem, Wrong, invalid
from tailrace.testing.routing import Call, Routes

routes = Routes()
_BASE = "/v1/batches"


def _one(call: Call, batch: str) -> Batch:
    return call.world.visible(call.world.batches, batch, call.owner, "batch")


@routes.on("POST", _BASE)
def submit(call: Call) -> Answer:
    """Many at once, all or none."""
    is_dry, body = call.is_dry(), call.body()
    if is_dry:
        key_of(call)
        batch, children = _made(call, body)
        call.world.executions |= {each.id: each for each in children}
        rehearsed = batch.record()
        call.world.remove(children)
        return Answer.of({"accepted": True, "batch": rehearsed})
    return _accepted(call, body, lambda: _made(call, body))


def _accepted(call: Call, body: Any, make: Any) -> Answer:
    def keep() -> Batch:
        batch, children = make()
        call.world.batches[batch.id] = batch
        for child in children:
            call.world.add(child)
        return batch  # type: ignore[no-any-return]

    batch, replayed = once(call, body, call.world.batches, keep)
    headers = {"Idempotency_Replayed": "true"} if replayed else {}
    return Answer.of(batch.record(), 201, Location=f"{_BASE}/{batch.id}", **headers)


def _made(call: Call, body: Any) -> tuple[Batch, list[Any]]:
    asked, submissions = read_batch(body)
    batch = Batch(call.world, call.world.new_id(), asked, call.owner)
    wrong: dict[Wrong, None] = {}
    children: list[Any] = []
    items = asked["items"] or []
    for index, (where, fields) in enumerate(submissions):
        own = items[index] if where.startswith("items") else {}
        key = fields.pop("key", None)
        if fields.pop("needs", None):
            raise _no_needs()
        try:
            spec, method = draft(call.world, fields, call.owner)
        except Problem as problem:
            if problem.status != 422:
                raise
            wrong |= dict.fromkeys(relocated(problem, where, own))
            continue
        place = {"id": batch.id, "index": index, "size": len(submissions), "key": key}
        children.append(create(call.world, spec, method, call.owner, batch=batch, place=place))
    if wrong:
        raise invalid(list(wrong))
    batch.children, batch.size = [each.id for each in children], len(children)
    return batch, children


def _no_needs() -> Problem:
    return Problem(501, "The fake server of tailrace.testing has no `needs`.", hint="Test with a real one: `make up`.")


@routes.on("GET", _BASE)
def list_(call: Call) -> Answer:
    """The newest first."""
    call.knows("limit", "cursor")
    wrong: list[Wrong] = []
    limit = page_limit(call.request.query, wrong)
    if wrong:
        raise invalid(wrong)
    seen = [each for each in call.world.batches.values() if each.is_seen_by(call.owner) and each.alive]
    before = call.request.said("cursor")
    ordered = sorted((each for each in seen if not before or each.id < before), key=lambda each: each.id, reverse=True)
    shown = ordered[:limit]
    next_ = shown[-1].id if len(ordered) > limit else None
    return Answer.of({"items": [each.record() for each in shown], "next": next_})


@routes.on("GET", _BASE + "/{id}")
def get(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """One, as it is or once it has ended."""
    batch = _one(call, id)
    ends = time.monotonic() + call.seconds()
    while any(not each.ended for each in batch.alive) and (left := ends - time.monotonic()) > 0:
        if call.world.closed:
            break
        call.world.changed.wait(left)
    _one(call, id)
    return Answer.of(batch.record())


@routes.on("POST", _BASE + "/{id}/cancel")
def cancel(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """All of it."""
    batch, how = _one(call, id), call.body({}) or {}
    record = batch.record()
    if record["finished_at"] is not None:
        if record["status"] == "canceled":
            return Answer.of(record)
        raise Problem(409, f"It has ended: its status is {record['status']}.", hint="What has ended stays so.")
    batch.cancel(call.owner, force=bool(how.get("force")))
    return Answer.of(batch.record(), 202)


@routes.on("POST", _BASE + "/{id}/rerun")
def rerun(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """What did not succeed, or all of it, as another batch."""
    original, how = _one(call, id), call.body({}) or {}
    only = how.get("only", "failed")
    if only not in {"failed", "all"}:
        raise invalid([Wrong("only", "enum", "must be 'failed' or 'all'")])

    def make() -> tuple[Batch, list[Any]]:
        if any(not each.ended for each in original.alive):
            status = original.record()["status"]
            raise Problem(409, f"It has not ended: its status is {status}.", hint="Cancel it, or wait until it has.")
        wanted = [each for each in original.alive if only == "all" or each.status != "succeeded"]
        if not wanted:
            raise Problem(409, "There is nothing to run again.", hint='All of it: {"only": "all"}.')
        batch = Batch(call.world, call.world.new_id(), original.asked, call.owner, rerun_of=id)
        children = [
            create(
                call.world,
                *draft_again(call.world, each, {}, call.owner),
                call.owner,
                rerun_of=each.id,
                batch=batch,
                place={**(each.place or {}), "id": batch.id},
            )
            for each in wanted
        ]
        batch.children, batch.size = [each.id for each in children], len(children)
        return batch, children

    return _accepted(call, {"rerun_of": id, "only": only}, make)


@routes.on("DELETE", _BASE + "/{id}")
def delete(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """With all its children, once they have ended."""
    batch = _one(call, id)
    gone = [deleted(call.world, each, call.owner) for each in batch.alive]
    if not all(gone):
        return Answer.of(batch.record(), 202)
    del call.world.batches[id]
    return Answer(204)


@routes.on("GET", _BASE + "/{id}/outputs.zip")
def zip_of_all(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """What all of them left, with a directory for each."""
    files = [
        (f"{(each.place or {})['index']}-{(each.place or {})['key'] or each.spec['name'] or each.id}/{path}", content)
        for each in _one(call, id).alive
        for path, content in each.outputs.items()
    ]
    return zipped(files, f"{id}-outputs.zip")
