"""Every field of a submission as an option: one table."""

from __future__ import annotations

import functools
import inspect
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.failures import usage
from tailrace.cli.values import Json

Read = Callable[[Any], Any]
_METAVARS = {str: "TEXT", int: "N"}


@dataclass(frozen=True)
class Field:
    """An option, and the field of a submission that it is put into. `kind` is what it takes, as typer reads it."""

    name: str
    options: tuple[str, ...]
    help: str
    read: Read
    kind: Any = str
    metavar: str | None = None

    @property
    def many(self) -> bool:
        """Whether it may be repeated."""
        return self.kind is list

    @property
    def parameter(self) -> str:
        """Its name as a parameter of a function."""
        return self.options[0].lstrip("-").replace("-", "_")

    def signature(self) -> inspect.Parameter:
        """As typer finds it in a function."""
        option = typer.Option(*reversed(self.options), help=self.help, metavar=self.metavar or _METAVARS.get(self.kind))
        kind = list[str] if self.many else self.kind
        default = False if self.kind is bool else None
        annotation: Any = Annotated[kind if self.kind is bool else kind | None, option]
        return inspect.Parameter(self.parameter, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _same(value: Any) -> Any:
    return value


def _each(read: Callable[[str], tuple[str, Any]]) -> Read:
    return lambda texts: dict(read(text) for text in texts)


def _parts(text: str) -> tuple[str, dict[str, str]]:
    """`FIRST[,KEY=VALUE]…`."""
    first, *rest = text.split(",")
    return first, dict(values.pair(part, "it") for part in rest)


def _named_secret(text: str) -> tuple[str, Json]:
    """`KEY=NAME` is a file, `KEY=NAME:env` a variable."""
    key, name = values.pair(text, "--named-secret")
    name, colon, via = name.partition(":")
    return key, {"name": name, **({"via": via} if colon else {})}


def _outputs(texts: Iterable[str]) -> list[Json]:
    found = []
    for text in texts:
        path, said = _parts(text)
        required = {"required": said.pop("required").lower() not in {"false", "no", "0"}} if "required" in said else {}
        found.append({"path": path, **required, **said})
    return found


def _stage(text: str) -> Json:
    """A line for the shell, or the object itself."""
    value = values.value_of(text)
    return value if isinstance(value, dict) else {"command": ["sh", "-c", text]}


def _reasons(texts: Iterable[str]) -> list[Any]:
    return [values.value_of(part) for text in texts for part in text.split(",")]


def _webhooks(texts: Iterable[str]) -> list[Any]:
    return [value if isinstance(value := values.value_of(text), dict) else {"url": text} for text in texts]


def _variable(text: str) -> tuple[str, str]:
    return values.from_environment(text, "--env")


def _secret(text: str) -> tuple[str, str]:
    return values.from_environment(text, "--secret")


def _input(text: str) -> tuple[str, Any]:
    key, value = values.pair(text, "--input")
    return key, values.value_of(value)


def _input_file(text: str) -> tuple[str, Json]:
    key, path = values.pair(text, "--input-file")
    if not Path(path).is_file():
        raise usage(f"--input-file: `{path}` is no file here.")
    return key, {"upload": path}


def _code(text: str) -> tuple[str, str]:
    return values.pair(text, "--exit-code")


def _env_files(paths: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        found |= values.variables(Path(path))
    return found


# Later ones are laid over earlier ones of the same field.
FIELDS = (
    Field("name", ("--name",), "What it is called.", _same),
    Field("note", ("--note",), "A note for people.", _same),
    Field("labels", ("--label", "-l"), "A label; repeatable.", _each(values.label), list, "KEY=VALUE"),
    Field("env", ("--env-file",), "Variables, one KEY=VALUE a line.", _env_files, list, "FILE"),
    Field("env", ("--env", "-e"), "A variable; KEY alone takes yours.", _each(_variable), list, "KEY=VALUE"),
    Field("inputs", ("--input", "-i"), "An input, JSON or text.", _each(_input), list, "NAME=VALUE"),
    Field("inputs", ("--input-file",), "A file for a method's input: uploaded.", _each(_input_file), list, "NAME=FILE"),
    Field(
        "files", ("--file", "-f"), "An input file: a local one is uploaded, a URL fetched, id:… one uploaded before.",
        _each(values.source_of), list, "[PATH=]SOURCE",
    ),
    Field("limits", ("--limit",), "A limit: memory=1GiB, timeout=2h.", _each(values.limit), list, "NAME=VALUE"),
    Field(
        "secrets", ("--secret", "-s"), "A secret variable; KEY alone takes yours, KEY=@FILE a file's contents.",
        _each(_secret), list, "KEY[=VALUE]",
    ),
    Field("named_secrets", ("--named-secret",), "A secret kept by name.", _each(_named_secret), list, "KEY=NAME[:env]"),
    Field("method", ("--method", "-m"), "A method instead of an image, NAME or NAME@VERSION.", _same),
    Field("profile", ("--profile",), "A preset of the method.", _same),
    Field("entrypoint", ("--entrypoint",), "Instead of the image's, in one string.", shlex.split),
    Field("workdir", ("--workdir", "-w"), "Where it runs.", _same),
    Field("user", ("--user", "-u"), "As whom it runs.", _same),
    Field("stop_signal", ("--stop-signal",), "What is sent when it is to stop.", _same),
    Field("network", ("--network",), "none or bridge.", _same),
    Field("runtime", ("--runtime",), "What isolates its container.", _same),
    Field("image_policy", ("--pull",), "Pull the image if it is missing, always or never.", _same, str, "POLICY"),
    Field("pool", ("--pool",), "Whose workers run it.", _same),
    Field("priority", ("--priority",), "-100 to 100, among your own.", _same, int),
    Field("lane", ("--lane",), "normal, low or high.", _same),
    Field("not_before", ("--not-before",), "Not before this time, RFC 3339.", _same, str, "TIME"),
    Field("logical_time", ("--logical-time",), "The time that it is about, RFC 3339.", _same, str, "TIME"),
    Field("hold", ("--hold",), "Keep it in the queue until it is released.", _same, bool),
    Field("resume_from", ("--resume-from",), "Go on from the checkpoint of this execution.", _same, str, "ID"),
    Field("max_attempts", ("--max-attempts",), "So many attempts at most.", _same, int),
    Field("retry_on", ("--retry-on",), "Causes and exit codes after which to try again.", _reasons, list, "CAUSE|CODE"),
    Field("on_timeout", ("--on-timeout",), "fail or retry.", _same),
    Field("on_interrupted", ("--on-interrupted",), "fail or retry.", _same),
    Field("exit_codes", ("--exit-code",), "What a code means, as 3=success.", _each(_code), list, "CODE=MEANING"),
    Field("outputs", ("--output",), "A file that it has to leave.", _outputs, list, "PATH[,required=false]"),
    Field("setup", ("--setup",), "A shell line before it, in the same container.", _stage),
    Field("teardown", ("--teardown",), "A shell line after it, in the same container.", _stage),
    Field("archive", ("--archive",), "What is kept when archived: all, outputs or record.", _same),
    Field("keep_workspace", ("--keep-workspace",), "Keep its workspace on the worker's host.", _same, bool),
    Field("webhooks", ("--webhook",), "A server that hears of it.", _webhooks, list, "URL"),
)  # fmt: skip


def document(said: Json, *, spec: str | None, changes: Iterable[str]) -> Json:
    """What is submitted: the document of `--spec`, over it the options, over these `--set`."""
    result: Json = values.mapping(spec) if spec else {}
    for field in FIELDS:
        value = said.get(field.parameter)
        if value not in (None, False, []):
            result = values.merged(result, {field.name: field.read(value)})
    return values.merged(result, values.settings(changes))


def submission_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command every field as an option; it gets them together, as its parameter `document`."""
    own = inspect.signature(function, eval_str=True)
    parameters = [
        *(parameter for parameter in own.parameters.values() if parameter.name != "document"),
        inspect.Parameter(
            "spec",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                str | None, typer.Option("--spec", metavar="FILE|-", help="A submission as JSON or YAML.")
            ],
        ),
        inspect.Parameter(
            "set",
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                list[str] | None,
                typer.Option("--set", metavar="FIELD=VALUE", help="Any field, by its name: limits.memory=1GiB."),
            ],
        ),
        *(field.signature() for field in FIELDS),
    ]

    @functools.wraps(function)
    def command(**said: Any) -> None:
        spec, changes = said.pop("spec"), said.pop("set") or ()
        fields = {field.parameter: said.pop(field.parameter) for field in FIELDS}
        function(**said, document=document(fields, spec=spec, changes=changes))

    signature = own.replace(parameters=sorted(parameters, key=lambda parameter: parameter.kind))
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command
