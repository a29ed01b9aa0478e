"""`/v1/methods`."""

from __future__ import annotations

import json
from typing import Any

from tailrace.testing.execution import written
from tailrace.testing.listener import Answer
from tailrace.testing.listing import page_limit
from tailrace.testing.method import Method, Version, read_document
from tailrace.testing.problems import Problem, Wrong, invalid
from tailrace.testing.routing import Call, Routes

routes = Routes()
_BASE = "/v1/methods"


def _one(call: Call, name: str) -> Method:
    found = call.world.methods.get(name)
    if found is None or not found.is_seen_by(call.owner):
        raise Problem(404, f"There is no method `{name}`.", hint="Those that you can see: GET /v1/methods.")
    return found


@routes.on("POST", _BASE)
def add(call: Call) -> Answer:
    """A new one, as a draft."""
    document = read_document(call.body())
    if document["name"] in call.world.methods:
        raise Problem(409, f"There is a method `{document['name']}` already.", hint="Give it another name.")
    return _made(_kept(call, document), 201)


def _kept(call: Call, document: Any) -> Version:
    world, name = call.world, document["name"]
    method = world.methods.setdefault(name, Method(name, call.owner, world.now()))
    version = Version(document, call.owner, world.now())
    method.versions[version.number] = version
    return version


def _made(version: Version, status: int) -> Answer:
    record = version.record()
    return Answer.of(record, status, Location=f"{_BASE}/{record['method']}/versions/{record['version']}")


@routes.on("POST", _BASE + ":import")
def load(call: Call) -> Answer:
    """From a file. The same again changes nothing."""
    call.knows("publish")
    document = read_document(_parsed(call))
    existing = call.world.methods.get(document["name"])
    version = existing.versions.get(document["version"]) if existing else None
    is_new = version is None
    if version is not None and version.published_at is not None and version.document != document:
        detail = f"`{document['name']}@{version.number}` is published, and another one."
        raise Problem(409, detail, hint="What is published does not change: give it another version.")
    if version is None or version.document != document:
        version = _kept(call, document)
    if call.request.said("publish") == "true":
        version.published_at = version.published_at or call.world.now()
    return _made(version, 201 if is_new else 200)


def _parsed(call: Call) -> Any:
    media_type = call.request.headers.get("content-type", "").partition(";")[0]
    if media_type == "application/json":
        return call.body()
    import yaml

    try:
        return json.loads(json.dumps(yaml.safe_load(call.request.body), default=str))
    except (yaml.YAMLError, ValueError) as error:
        raise Problem(400, f"The body is no YAML: {error}.") from None


@routes.on("GET", _BASE)
def list_(call: Call) -> Answer:
    """By name."""
    call.knows("limit", "cursor", "q", "owner")
    wrong: list[Wrong] = []
    limit = page_limit(call.request.query, wrong)
    if wrong:
        raise invalid(wrong)
    words, after = call.request.said("q").lower().split(), call.request.said("cursor")
    records = [
        each.record()
        for name, each in sorted(call.world.methods.items())
        if name > after and each.is_seen_by(call.owner)
    ]
    found = [
        record
        for record in records
        if all(word in f"{record['name']} {record['title']} {record['description']}".lower() for word in words)
        and set(call.request.query.get("owner", [])) <= {record["owner"]}
    ]
    shown = found[:limit]
    return Answer.of({"items": shown, "next": shown[-1]["name"] if len(found) > limit else None})


@routes.on("GET", _BASE + "/{name}")
def get(call: Call, name: str) -> Answer:
    """One with its versions."""
    return Answer.of(_one(call, name).record(alone=True))


@routes.on("GET", _BASE + "/{name}/versions/{version}")
def get_version(call: Call, name: str, version: str) -> Answer:
    """One version with its document."""
    return Answer.of(_one(call, name).find(version).record())


@routes.on("POST", _BASE + "/{name}/versions/{version}/publish")
def publish(call: Call, name: str, version: str) -> Answer:
    """It never changes again."""
    found = _one(call, name).find(version)
    found.published_at = found.published_at or call.world.now()
    return Answer.of(found.record())


@routes.on("POST", _BASE + "/{name}/versions/{version}/retire")
def retire(call: Call, name: str, version: str) -> Answer:
    """Put it aside."""
    found = _one(call, name).find(version)
    if found.published_at is None:
        raise Problem(409, f"`{name}@{version}` is a draft.", hint="A draft can be deleted.")
    found.retired_at = found.retired_at or call.world.now()
    return Answer.of(found.record())


@routes.on("POST", _BASE + "/{name}/versions/{version}/restore")
def restore(call: Call, name: str, version: str) -> Answer:
    """Take it back."""
    found = _one(call, name).find(version)
    found.retired_at = None
    return Answer.of(found.record())


@routes.on("POST", _BASE + "/{name}/disable")
def disable(call: Call, name: str) -> Answer:
    """Accept nothing of it."""
    method, reason = _one(call, name), (call.body() or {}).get("reason")
    if not reason:
        raise invalid([Wrong("reason", "missing", "is required")])
    method.disabled = {"by": call.owner, "at": written(call.world.now()), "reason": reason}
    return Answer.of(method.record(alone=True))


@routes.on("POST", _BASE + "/{name}/enable")
def enable(call: Call, name: str) -> Answer:
    """Accept it again."""
    method = _one(call, name)
    method.disabled = None
    return Answer.of(method.record(alone=True))
