"""What a submission by method becomes: the fields of a plain one. Pure.

Presets are laid over each other: the method's, its profile's, the submission's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from app.errors import InvalidRequest, ServiceError
from app.executions.model import Limits, MethodRef
from app.explaining import fields_of
from app.methods.document import OWN, PRESET, STAGES, Document, Profile, Program, Step, given
from app.methods.inputs import InputFormat, InputsSchema, Wrong, wrong
from app.methods.template import fill, fill_all, only_name

# What of a submission is about the method itself.
_ABOUT = frozenset({"method", "profile", "inputs", "limits", "env", "secrets", "named_secrets", "files", "labels"})
# Where input files are, in a container.
FILES = "/tailrace/inputs/"


class Refused(InvalidRequest):
    """The submission does not fit its method. `wrong` has every field of it, as pydantic would tell it."""

    def __init__(self, found: Sequence[Any]) -> None:
        error = InvalidRequest.of(fields_of(found))
        super().__init__(error.detail, fields=error.fields)
        self.wrong = found


def unknown_method(name: str) -> Refused:
    """There is none, as far as somebody can see."""
    message = f"names a method that does not exist, or that you cannot see: `{name}`"
    return Refused([wrong("unknown_method", ("method",), message)])


# Methods as submissions name them, and why one cannot be had.
Catalog = Mapping[str, Document | ServiceError]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The fields of a plain submission, and which method they are of."""

    fields: dict[str, Any]
    method: MethodRef


def resolve(document: Document, said: Mapping[str, Any]) -> Resolved:
    """The method with what a submission said (only that, and each field valid in itself). Raises `Refused`."""
    resolved, found = sketch(document, said)
    if found:
        raise Refused(found)
    return resolved


def sketch(document: Document, said: Mapping[str, Any]) -> tuple[Resolved, list[Wrong]]:
    """The same without what is wrong, and all of that."""
    profile_name = said.get("profile")
    if document.steps is not None:
        message = 'has steps: submit it as a batch, `POST /v1/batches {"method": …}`'
        plain = {name: value for name, value in said.items() if name not in {"method", "profile", *OWN}}
        return _resolved(document, plain, profile_name), [wrong("has_steps", ("method",), message)]
    found = list(_check_own(document, said))
    profile, is_known = Profile(), profile_name is None or profile_name in document.profiles
    if not is_known:
        found.append(_no_profile(document))
    elif profile_name is not None:
        profile = document.profiles[profile_name]
    inputs = {**document.inputs.defaults(), **profile.inputs, **said.get("inputs", {})}
    inputs |= _said_as_secrets(document.inputs, said)
    # What is missing may be in the profile that was meant.
    found += document.inputs.check_all(inputs) if is_known else document.inputs.check(inputs)
    files, paths, unusable = _files(document.inputs, inputs)
    found += unusable
    bad = {str(each["loc"][2]) for each in found if each["loc"][1] == "inputs"}
    inputs = {name: value for name, value in {**inputs, **paths}.items() if name not in bad}
    fields = {
        **_program(document, inputs),
        **_secrets_apart(document.inputs, inputs),
        "files": {**said.get("files", {}), **files},
        **given(document, PRESET),
        **given(profile, ("pool",)),
        **{name: value for name, value in said.items() if name not in _ABOUT and name not in OWN},
        "limits": _laid_over(document.limits, profile.limits, said.get("limits")),
        "env": {**document.env, **said.get("env", {})},
        "named_secrets": {**document.named_secrets, **said.get("named_secrets", {})},
        "labels": {**document.labels, **said.get("labels", {})},
    }
    fields["secrets"] = {**said.get("secrets", {}), **fields["secrets"]}
    return _resolved(document, fields, profile_name), found


def _resolved(document: Document, fields: dict[str, Any], profile: str | None) -> Resolved:
    return Resolved(fields, MethodRef(name=document.name, version=document.version, profile=profile))


def _check_own(document: Document, said: Mapping[str, Any]) -> Iterator[Wrong]:
    for name in sorted(said.keys() & set(OWN)):
        yield wrong("methods_own", (name,), "is the method's own: leave it out, or submit without `method`")
    secret = document.inputs.having(InputFormat.SECRET)
    variables = {f"INPUT_{name.upper()}": name for name in document.inputs.properties}
    for field in ("env", "secrets"):
        for name in sorted(said.get(field, {}).keys() & (document.env.keys() | variables.keys())):
            if field == "env" or variables.get(name) not in secret:
                yield wrong("methods_own", (field, name), "is the method's own: use another name")


def _said_as_secrets(schema: InputsSchema, said: Mapping[str, Any]) -> dict[str, str]:
    """Secret inputs may also come as what they become: the secret `INPUT_<NAME>`."""
    secrets: Mapping[str, SecretStr] = said.get("secrets", {})
    return {
        name: secrets[variable].get_secret_value()
        for name in schema.having(InputFormat.SECRET)
        if (variable := f"INPUT_{name.upper()}") in secrets
    }


def _no_profile(document: Document) -> Wrong:
    names = ", ".join(f"`{name}`" for name in document.profiles)
    return wrong(
        "unknown_profile", ("profile",), "is no profile of it; " + (f"it has {names}" if names else "it has none")
    )


def _program(program: Program, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What is the method's own, with the inputs in their places."""
    fields = dict(given(program, OWN))
    if program.command is not None:
        fields["command"] = fill_all(program.command, inputs)
    for stage in STAGES:
        if isinstance(value := fields.get(stage), dict) and isinstance(value.get("command"), list):
            fields[stage] = {**value, "command": fill_all(value["command"], inputs)}
    return fields


def _files(schema: InputsSchema, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str], list[Wrong]]:
    """The sources of file inputs by their paths, these as values of the inputs, and what is no source at all."""
    files: dict[str, Any] = {}
    paths: dict[str, str] = {}
    unusable: list[Wrong] = []
    for name in sorted(schema.having(InputFormat.FILE) & inputs.keys()):
        value = inputs[name]
        source = {"id": value} if isinstance(value, str) else value
        called = source.get("name", name) if isinstance(source, dict) else None
        if not isinstance(called, str) or "/" in called:
            message = 'must be the id of a file, or its source such as `{"text": "a,b", "name": "table.csv"}`'
            unusable.append(wrong("not_a_file", ("inputs", name), message))
            continue
        files[f"{name}/{called}"] = {key: each for key, each in source.items() if key != "name"}
        paths[name] = f"{FILES}{name}/{called}"
    return files, paths, unusable


def said_at(path: Sequence[int | str], document: Document) -> tuple[int | str, ...]:
    """Where it was said what ended there: a file may have come as an input."""
    name = str(path[1]).partition("/")[0] if path[0] == "files" and len(path) > 1 else ""
    return ("inputs", name, *path[2:]) if name in document.inputs.having(InputFormat.FILE) else tuple(path)


def inputs_of_files(schema: InputsSchema, inputs: Mapping[str, Any], files: Mapping[str, Any]) -> dict[str, Any]:
    """Back from what is on record: the values of file inputs as they may be said again."""
    said = {}
    for name in schema.having(InputFormat.FILE) & inputs.keys():
        path = str(inputs[name]).removeprefix(FILES)
        if path in files:
            said[name] = {**files[path], "name": path.partition("/")[2]}
    return said


def _secrets_apart(schema: InputsSchema, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs that may be on record, and those that are only a secret environment variable."""
    secret = schema.having(InputFormat.SECRET)
    return {
        "inputs": schema.tidied({name: value for name, value in inputs.items() if name not in secret}),
        "secrets": {f"INPUT_{name.upper()}": SecretStr(inputs[name]) for name in secret & inputs.keys()},
    }


def _laid_over(*limits: Limits | None) -> dict[str, Any]:
    """The limits that somebody asked for, the last of them."""
    return {name: getattr(each, name) for each in limits if each is not None for name in each.model_fields_set}


def expand(document: Document, said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps as children of a batch: fields of a submission each, with `key` and `needs`. Raises `Refused`."""
    if document.steps is None:
        message = 'has no steps: submit it alone, `POST /v1/executions`, or many of it by `defaults: {"method": …}`'
        raise Refused([wrong("no_steps", ("method",), message)])
    profile_name = said.get("profile")
    found: list[Wrong] = []
    if profile_name is not None and profile_name not in document.profiles:
        found.append(_no_profile(document))
        profile_name = None
    profile = document.profiles[profile_name] if profile_name else Profile()
    inputs = {**document.inputs.defaults(), **profile.inputs, **said.get("inputs", {})}
    found += document.inputs.check_all(inputs)
    if found:
        raise Refused(found)
    inputs = document.inputs.tidied(inputs)
    return [{"key": key, "needs": list(step.needs), **_step(step, inputs)} for key, step in document.steps.items()]


def _step(step: Step, inputs: Mapping[str, Any]) -> dict[str, Any]:
    mapped = {name: _mapped(value, inputs) for name, value in step.inputs.items()}
    fields: dict[str, Any] = {"inputs": {name: value for name, value in mapped.items() if value is not None}}
    written = step.model_dump(mode="json", exclude_unset=True, exclude={"needs", "inputs"})
    if step.command is not None:
        written["command"] = fill_all(step.command, inputs)
    return fields | written


def _mapped(value: Any, inputs: Mapping[str, Any]) -> Any:
    """`{{name}}` alone is the value itself; None where there is none."""
    if not isinstance(value, str):
        return value
    name = only_name(value)
    return inputs.get(name) if name else fill(value, inputs)
