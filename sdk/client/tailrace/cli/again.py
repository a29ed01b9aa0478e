"""`tailrace rerun` and `code`: the same once more."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.looking import ROWS, ExecutionArgument
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Format, FormatOption, show_one, write
from tailrace.cli.session import session

app = Noun()


@app.verb(
    "rerun",
    "tailrace rerun @last",
    "tailrace rerun @last --limit memory=2GiB -e DEBUG=1",
    "tailrace logs -f $(tailrace rerun @last --from-checkpoint)",
)
def rerun(
    execution: ExecutionArgument,
    *,
    from_checkpoint: Annotated[bool, typer.Option("--from-checkpoint", help="Go on from its last checkpoint.")] = False,
    env: Annotated[list[str] | None, typer.Option("--env", "-e", metavar="KEY=VALUE", help="A variable.")] = None,
    inputs: Annotated[list[str] | None, typer.Option("--input", "-i", metavar="NAME=VALUE", help="An input.")] = None,
    limit: Annotated[list[str] | None, typer.Option("--limit", metavar="NAME=VALUE", help="A limit.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Any field; null takes it away.")
    ] = None,
    spec: Annotated[str | None, typer.Option("--spec", metavar="FILE|-", help="Changes as JSON or YAML.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only ask whether it would be accepted.")] = False,
    form: FormatOption = DEFAULT,
) -> None:
    """Run again what has ended, as it was or otherwise, and print the id of the new one."""
    body: values.Json = values.mapping(spec) if spec else {}
    said: dict[str, Any] = {
        "env": dict(values.from_environment(text, "--env") for text in env or ()),
        "inputs": {
            key: values.value_of(value) for key, value in (values.pair(text, "--input") for text in inputs or ())
        },
        "limits": dict(map(values.limit, limit or ())),
    }
    body = values.merged(body, {name: value for name, value in said.items() if value})
    body = values.merged(body, values.settings(changes or ()))
    if from_checkpoint:
        body["from_checkpoint"] = True
    with session() as api:
        handle = api.handle(execution)
        if dry_run:
            api.post(f"/v1/executions/{handle.id}/rerun", body, dry_run=True)
            write("It would be accepted.")
            return
        made = handle.rerun(**body)
        if form is Format.TABLE:
            write(made.id)
        else:
            show_one(dict(made.record), ROWS, form)


@app.verb("code", "tailrace code @last --language python > again.py", "tailrace code @last")
def code(
    execution: ExecutionArgument,
    *,
    language: Annotated[
        str,
        typer.Option("--language", "-l", help="curl, bash, python, python-client, notebook, javascript, r or julia."),
    ] = "curl",
) -> None:
    """Print a program that submits the same, shows its log, and fetches its outputs. No secrets are in it."""
    with session() as api:
        write(api.handle(execution).code(language).rstrip("\n"))
