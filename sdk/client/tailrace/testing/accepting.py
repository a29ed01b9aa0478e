"""Submitting, and submitting again: what a body becomes, once for each key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from tailrace.testing.execution import Execution
from tailrace.testing.method import resolve, said_by
from tailrace.testing.problems import Problem, Wrong, invalid, not_faked
from tailrace.testing.submission import FIELDS, merged, submission

if TYPE_CHECKING:
    from tailrace.testing.routing import Call
    from tailrace.testing.world import World

T = TypeVar("T")
_KEY = re.compile(r'"?([!-~]{1,255}?)"?')
HEADER = "Idempotency-Key"


def draft(world: World, body: Any, owner: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """All fields of a submission, and the method that it is of. Raises `Problem`."""
    spec = submission(body)
    method = None
    if spec["method"] is not None:
        fields, method = resolve(world, body, owner)
        spec = submission({name: value for name, value in fields.items() if name not in {"method", "profile"}})
    _look_up(world, spec, owner)
    return spec, method


def _look_up(world: World, spec: Mapping[str, Any], owner: str) -> None:
    """What it refers to has to be there. Raises `Problem`."""
    if spec["named_secrets"]:
        raise not_faked("secrets with a name")
    wrong = []
    if spec["pool"] != "default":
        wrong.append(Wrong("pool", "unknown_pool", "does not exist; there is `default`"))
    for path, source in spec["files"].items():
        file = world.files.get(source.get("id", ""))
        if "id" in source and (file is None or not file.is_seen_by(owner)):
            message = "names a file that does not exist, or that you cannot see"
            wrong.append(Wrong(f"files.{path}.id", "unknown_file", message))
    if spec["resume_from"] is not None and (why := _not_resumable(world, spec["resume_from"], owner)):
        wrong.append(Wrong("resume_from", *why))
    if wrong:
        raise invalid(wrong)


def _not_resumable(world: World, execution: str, owner: str) -> tuple[str, str] | None:
    found = world.executions.get(execution)
    if found is None or not found.is_seen_by(owner):
        return "not_found", "is not an execution that you can see"
    if not found.ended:
        return "still_active", f"is still {found.status}"
    if not found.checkpoint:
        return "no_checkpoint", "has kept no checkpoint"
    return None


def create(
    world: World, spec: dict[str, Any], method: Mapping[str, Any] | None, owner: str, **lineage: Any
) -> Execution:
    """An execution that nothing knows of yet."""
    return Execution(world, world.new_id(), spec, owner=owner, method=method, **lineage)


def draft_again(
    world: World, original: Execution, patch: Any, owner: str
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What it becomes when it is run again. Raises `Problem`."""
    original.ask("rerun")
    if not isinstance(patch, Mapping):
        raise invalid([Wrong("body", "dict_type", "must be an object")])
    changes = dict(patch)
    from_checkpoint = changes.pop("from_checkpoint", False)
    if from_checkpoint is True:
        changes.setdefault("resume_from", original.id)
    elif from_checkpoint is not False:
        raise invalid([Wrong("from_checkpoint", "bool_type", "must be true or false")])
    missing = sorted(original.spec["secrets"].keys() - (patch.get("secrets") or {}).keys())
    if missing:
        message = "must be given again, or null: secrets are not kept after the end"
        raise invalid([Wrong(f"secrets.{name}", "missing", message) for name in missing])
    kept = {
        name: original.spec[name]
        for name in FIELDS
        if name not in {"secrets", "hold", "not_before", "webhooks", "method", "profile"}
    }
    kept["resume_from"] = original.resumed_from
    if original.method is not None and patch.get("method", ...) is not None:
        document = world.methods[original.method["name"]].versions[original.method["version"]].document
        kept = said_by(kept, original.method)
        kept["env"] = {name: value for name, value in kept["env"].items() if name not in document.get("env", {})}
    return draft(world, {name: value for name, value in merged(kept, changes).items() if value is not None}, owner)


def once(call: Call, body: Any, known: Mapping[str, T], make: Callable[[], T]) -> tuple[T, bool]:
    """What the request with this key became, and whether that was before. Raises `Problem`."""
    key = key_of(call)
    if key is None:
        return make(), False
    fingerprint = json.dumps([call.request.path, body], sort_keys=True, default=str)
    kept = call.world.keys.get((call.owner, key))
    if kept is not None and kept[1] in known:
        if kept[0] != fingerprint:
            message = f"was sent with another body before, which became the execution {kept[1]}"
            hint = "With this key only the same body can be sent again. What is new needs a new key."
            raise Problem(422, f"`{HEADER}` {message}.", hint=hint, errors=[Wrong(HEADER, "key_reused", message)])
        return known[kept[1]], True
    made = make()
    call.world.keys[call.owner, key] = fingerprint, made.id  # type: ignore[attr-defined]  # all have one
    return made, False


def key_of(call: Call) -> str | None:
    """The key, if there is one. Raises `Problem`."""
    said = call.request.headers.get(HEADER.lower())
    if said is None:
        return None
    found = _KEY.fullmatch(said)
    if not found:
        message = "must be 1 to 255 visible ASCII characters, such as a UUID, bare or in double quotes"
        raise invalid([Wrong(HEADER, "not_a_key", message)])
    return found[1]
