"""Methods: documents with versions, and what a submission by one of them becomes."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tailrace.testing.execution import written
from tailrace.testing.owned import Owned
from tailrace.testing.problems import Problem, Wrong, invalid, not_faked
from tailrace.testing.submission import FIELDS

if TYPE_CHECKING:
    from tailrace.testing.world import World

# What a submission may not say otherwise: it is what the method is.
OWN = (
    "image", "command", "entrypoint", "workdir", "user", "stop_signal", "network", "image_policy",
    "setup", "teardown", "outputs", "exit_codes",
)  # fmt: skip
_PRESET = ("pool", "max_attempts", "retry_on", "on_timeout", "on_interrupted", "webhooks")
_ABOUT = frozenset({"method", "profile", "inputs", "limits", "env", "secrets", "named_secrets", "files", "labels"})
_OF_DOCUMENT = frozenset(
    {*OWN, *_PRESET, "name", "version", "title", "description", "keywords", "category", "authors", "labels", "inputs",
     "profiles", "steps", "env", "named_secrets", "limits"}
)  # fmt: skip
_PLACE = re.compile(r"\{\{(?:(\{\{)|([A-Za-z_][A-Za-z0-9_]*)\}\})")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?")
_NAME_RULE = (
    "must be a name such as `train` or `csv-report`: at most 63 lower-case letters, digits, `.`, `_` and `-`, "
    "beginning with a letter or digit"
)
_VERSION_RULE = "must be a semantic version such as `1.2.0` or `2.0.0-rc.1`, without build metadata"
_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "must be a string"),
    "number": ((int, float), "must be a number"),
    "integer": ((int,), "must be a whole number"),
    "boolean": ((bool,), "must be true or false"),
    "array": ((list,), "must be a list"),
}


_BOUNDS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minimum": ("must be at least", operator.ge),
    "maximum": ("must be at most", operator.le),
    "exclusiveMinimum": ("must be more than", operator.gt),
    "exclusiveMaximum": ("must be less than", operator.lt),
}


class Version:
    """One version of a method."""

    def __init__(self, document: Mapping[str, Any], owner: str, now: datetime) -> None:
        self.document = document
        self.owner = owner
        self.created_at = self.updated_at = now
        self.published_at: datetime | None = None
        self.retired_at: datetime | None = None

    @property
    def number(self) -> str:
        """Such as 1.2.0."""
        return str(self.document["version"])

    @property
    def order(self) -> tuple[Any, ...]:
        """Where it stands among the others."""
        found = _VERSION.fullmatch(self.number)
        assert found is not None  # noqa: S101  it was checked
        return (*map(int, found.groups()[:3]), found[4] is None, found[4] or "")

    @property
    def summary(self) -> dict[str, Any]:
        """As it stands among others."""
        status = "draft" if self.published_at is None else "retired" if self.retired_at else "published"
        return {
            "version": self.number,
            "status": status,
            "published_at": written(self.published_at),
            "retired_at": written(self.retired_at),
        }

    def record(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            **self.summary,
            "method": self.document["name"],
            "document": self.document,
            "created_by": self.owner,
            "created_at": written(self.created_at),
            "updated_at": written(self.updated_at),
        }


class Method(Owned):
    """A method and its versions."""

    def __init__(self, name: str, owner: str, now: datetime) -> None:
        self.name = name
        self.owner = owner
        self.versions: dict[str, Version] = {}
        self.disabled: dict[str, Any] | None = None
        self.created_at = self.updated_at = now

    @property
    def in_order(self) -> list[Version]:
        """The highest first."""
        return sorted(self.versions.values(), key=lambda version: version.order, reverse=True)

    @property
    def latest(self) -> Version | None:
        """The highest that is published, no pre-release and not retired."""
        good = (each for each in self.in_order if each.published_at and not each.retired_at and each.order[3])
        return next(good, None)

    def find(self, version: str) -> Version:
        """One of its versions, or `latest`. Raises `Problem`."""
        found = self.latest if version == "latest" else self.versions.get(version)
        if found is None:
            raise Problem(404, f"`{self.name}` has no version {version}.")
        return found

    def record(self, *, alone: bool = False) -> dict[str, Any]:
        """As the API shows it; alone with its versions."""
        shown = self.latest or self.in_order[0]
        document = shown.document
        return {
            "name": self.name,
            "owner": self.owner,
            "title": document.get("title"),
            "description": document.get("description"),
            "keywords": document.get("keywords", []),
            "category": document.get("category"),
            "version": shown.number,
            "latest": shown.number if self.latest else None,
            "visibility": "private",
            "shared_with": [],
            "runnable": self.disabled is None,
            "disabled": self.disabled,
            "max_running": None,
            "pause_after_failures": None,
            "failures": 0,
            "retired_at": None,
            "created_at": written(self.created_at),
            "updated_at": written(self.updated_at),
            **({"versions": [each.summary for each in self.in_order]} if alone else {}),
        }


def read_document(document: Any) -> Mapping[str, Any]:
    """The same, if it is one. Raises `Problem` naming every field that is wrong."""
    if not isinstance(document, Mapping):
        raise invalid([Wrong("body", "dict_type", "must be an object")])
    if "steps" in document:
        raise not_faked("methods with `steps`")
    wrong = [Wrong(name, "missing", "is required") for name in ("name", "version", "image") if not document.get(name)]
    if document.get("name") and not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", str(document["name"])):
        wrong.append(Wrong("name", "bad_method_name", _NAME_RULE))
    if document.get("version") and not _VERSION.fullmatch(str(document["version"])):
        wrong.append(Wrong("version", "bad_version", _VERSION_RULE))
    known = document.get("inputs", {}).get("properties", {})
    for index, argument in enumerate(document.get("command") or []):
        wrong += [
            Wrong(f"command[{index}]", "unknown_input", f"names an input that there is not: `{name}`")
            for _, name in _PLACE.findall(argument)
            if name and name not in known
        ]
    if any(each.get("format") in {"file", "secret"} for each in known.values()):
        raise not_faked("methods with inputs that are files or secrets")
    wrong += [Wrong(name, "extra_forbidden", "is not a known field") for name in document if name not in _OF_DOCUMENT]
    if wrong:
        raise invalid(wrong)
    return document


def resolve(world: World, said: Mapping[str, Any], owner: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of a plain submission, and which method they are of. Raises `Problem`."""
    document = _look_up(world, str(said["method"]), owner)
    wrong = [
        Wrong(name, "methods_own", "is the method's own: leave it out, or submit without `method`")
        for name in sorted(said.keys() & set(OWN))
    ]
    profiles = document.get("profiles", {})
    key = said.get("profile")
    if key is not None and key not in profiles:
        names = ", ".join(f"`{name}`" for name in profiles)
        told = f"it has {names}" if names else "it has none"
        wrong.append(Wrong("profile", "unknown_profile", f"is no profile of it; {told}"))
    profile = profiles.get(key, {})
    properties = document.get("inputs", {}).get("properties", {})
    defaults = {name: each["default"] for name, each in properties.items() if "default" in each}
    inputs = {**defaults, **profile.get("inputs", {}), **said.get("inputs", {})}
    wrong += _judge(document.get("inputs", {}), inputs)
    if wrong:
        raise invalid(wrong)
    spec = {
        **{name: document[name] for name in (*OWN, *_PRESET) if name in document},
        **({"pool": profile["pool"]} if "pool" in profile else {}),
        **{name: value for name, value in said.items() if name not in _ABOUT},
        "inputs": inputs,
        "files": said.get("files", {}),
        "secrets": said.get("secrets", {}),
        "limits": {**document.get("limits", {}), **profile.get("limits", {}), **said.get("limits", {})},
        **{name: {**document.get(name, {}), **said.get(name, {})} for name in ("env", "named_secrets", "labels")},
    }
    if "command" in document:
        spec["command"] = [text for each in document["command"] if (text := _filled(each, inputs)) is not None]
    return spec, {"name": document["name"], "version": document["version"], "profile": key}


def said_by(execution_spec: Mapping[str, Any], method: Mapping[str, Any]) -> dict[str, Any]:
    """Back from what is on record: what a submission by the method would say."""
    said = {name: value for name, value in execution_spec.items() if name not in OWN and name in FIELDS}
    return {**said, "method": f"{method['name']}@{method['version']}", "profile": method["profile"]}


def _look_up(world: World, wanted: str, owner: str) -> Mapping[str, Any]:
    """The document of a method that can be submitted. Raises `Problem`."""
    name, _, version = wanted.partition("@")
    method = world.methods.get(name)
    if method is None or not method.is_seen_by(owner):
        message = f"names a method that does not exist, or that you cannot see: `{wanted}`"
        raise invalid([Wrong("method", "unknown_method", message)])
    found = method.latest if version in {"", "latest"} else method.versions.get(version)
    if found is None:
        message = f"names a version that there is not, or not published: `{wanted}`"
        raise invalid([Wrong("method", "unknown_version", message)])
    if found.published_at is None:
        message = f"names a draft, which cannot be submitted: `{wanted}`; publish it first"
        raise invalid([Wrong("method", "draft", message)])
    if found.retired_at is not None:
        raise invalid([Wrong("method", "retired", f"names what has been retired: `{wanted}`")])
    if method.disabled is not None:
        why = f"was disabled by {method.disabled['by']}: {method.disabled['reason']}"
        hint = f"Whoever owns it can turn it on again: POST /v1/methods/{name}/enable."
        wrong = Wrong("method", "method_disabled", why.rstrip("."))
        raise Problem(409, f"The method `{name}` {why}", hint=hint, errors=[wrong])
    return found.document


def _judge(schema: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[Wrong]:
    properties = schema.get("properties", {})
    names = ", ".join(f"`{name}`" for name in properties)
    for name, value in inputs.items():
        field = f"inputs.{name}"
        if name not in properties:
            told = f"it has {names}" if names else "it has none"
            yield Wrong(field, "unknown_input", f"is no input of this method; {told}")
            continue
        kinds, message = _KINDS[properties[name]["type"]]
        is_truth = isinstance(value, bool)
        if not isinstance(value, kinds) or (is_truth and bool not in kinds):
            yield Wrong(field, "type", message)
        elif "enum" in properties[name] and value not in properties[name]["enum"]:
            shown = ", ".join(f"`{json.dumps(each)}`" for each in properties[name]["enum"])
            yield Wrong(field, "enum", f"must be one of {shown}")
        else:
            yield from _bounds(properties[name], value, field)
    for name in schema.get("required", []):
        if name not in inputs:
            yield Wrong(f"inputs.{name}", "missing", "is required")


def _bounds(schema: Mapping[str, Any], value: Any, field: str) -> Iterator[Wrong]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    for keyword, (words, holds) in _BOUNDS.items():
        if keyword in schema and not holds(value, schema[keyword]):
            yield Wrong(field, keyword, f"{words} {schema[keyword]}")


def _filled(argument: str, inputs: Mapping[str, Any]) -> str | None:
    """An argument with the values; None if one of them has none."""
    if any(name and name not in inputs for _, name in _PLACE.findall(argument)):
        return None
    return _PLACE.sub(lambda found: "{{" if found[1] else _as_text(inputs[found[2]]), argument)


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(map(_as_text, value))
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
