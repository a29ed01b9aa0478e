"""`/v1/files`, and who one is: `/v1/me`."""

from __future__ import annotations

import hashlib
import mimetypes
from typing import Any

from tailrace._status import TERMINAL
from tailrace.testing.execution import written
from tailrace.testing.listener import Answer
from tailrace.testing.listing import page_limit
from tailrace.testing.outputs import sent
from tailrace.testing.owned import ADMIN
from tailrace.testing.problems import Problem, Wrong, invalid
from tailrace.testing.routing import Call, Routes
from tailrace.testing.world import File

routes = Routes()
_BASE = "/v1/files"
SCOPES = ("cancel", "read", "submit")


def _one(call: Call, file: str) -> File:
    return call.world.visible(call.world.files, file, call.owner, "file")


@routes.on("POST", _BASE)
def upload(call: Call) -> Answer:
    """The body is the file."""
    request = call.request
    name = request.said("name", "file")
    said = request.headers.get("content-type")
    labels = dict(pair.partition("=")[::2] for pair in request.query.get("label", []))
    guessed = said or mimetypes.guess_type(name)[0] or "application/octet-stream"
    file = File(call.world.new_id(), call.owner, name, guessed, request.body, labels, call.world.now())
    call.world.files[file.id] = file
    return Answer.of(_record(file), 201, Location=f"{_BASE}/{file.id}")


def _record(file: File) -> dict[str, Any]:
    own = f"{_BASE}/{file.id}"
    return {
        "id": file.id,
        "owner": file.owner,
        "name": file.name,
        "media_type": file.media_type,
        "bytes": len(file.content),
        "sha256": hashlib.sha256(file.content).hexdigest(),
        "labels": file.labels,
        "created_at": written(file.created_at),
        "links": {"self": own, "content": f"{own}/content", "preview": f"{own}/preview"},
    }


@routes.on("GET", _BASE)
def list_(call: Call) -> Answer:
    """The newest first."""
    call.knows("limit", "cursor", "name")
    wrong: list[Wrong] = []
    limit = page_limit(call.request.query, wrong)
    if wrong:
        raise invalid(wrong)
    before, begins = call.request.said("cursor"), call.request.said("name")
    found = [
        each
        for each in sorted(call.world.files.values(), key=lambda each: each.id, reverse=True)
        if each.is_seen_by(call.owner) and each.name.startswith(begins) and (not before or each.id < before)
    ]
    next_ = found[limit - 1].id if len(found) > limit else None
    return Answer.of({"items": [_record(each) for each in found[:limit]], "next": next_})


@routes.on("GET", _BASE + "/{id}")
def get(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """Its record."""
    return Answer.of(_record(_one(call, id)))


@routes.on("GET", _BASE + "/{id}/content")
def content(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """Its bytes."""
    file = _one(call, id)
    return sent(call.request, file.content, file.name)


@routes.on("DELETE", _BASE + "/{id}")
def delete(call: Call, id: str) -> Answer:  # noqa: A002  that is what it is
    """For good, unless something that has not ended needs it."""
    file = _one(call, id)
    for each in call.world.executions.values():
        if not each.ended and any(source.get("id") == file.id for source in each.spec["files"].values()):
            raise Problem(409, f"The execution {each.id}, which is {each.status}, needs it.")
    del call.world.files[file.id]
    return Answer(204)


@routes.on("GET", "/v1/me")
def me(call: Call) -> Answer:
    """Who one is, and what one has."""
    own = [each for each in call.world.executions.values() if each.owner == call.owner]
    busy = [each for each in own if each.status not in TERMINAL | {"queued"}]
    kept = sum(len(each.content) for each in call.world.files.values() if each.owner == call.owner)
    used = {
        "queued": sum(each.status == "queued" for each in own),
        "running": len(busy),
        "cpus": float(sum(each.spec["limits"]["cpus"] for each in busy)),
        "memory": sum(each.spec["limits"]["memory"] for each in busy),
        "log_bytes": sum(each.record()["log"]["bytes"] for each in own),
        "storage": kept + sum(each.record()["outputs"]["bytes"] for each in own),
        "file_bytes": kept,
    }
    return Answer.of(
        {
            "owner": call.owner,
            "scopes": [ADMIN, *SCOPES] if call.owner == ADMIN else list(SCOPES),
            "token_id": None,
            "token_name": "tailrace.testing",
            "expires_at": None,
            "quota": {name: {"used": value, "limit": None} for name, value in used.items()},
            "rate": None,
        }
    )
