"""`tailrace archive`, `restore`, `delete`: what has ended."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from tailrace.cli.acting import on_each, posted
from tailrace.cli.failures import usage
from tailrace.cli.looking import ExecutionsArgument
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, FormatOption
from tailrace.cli.session import Session

app = Noun()

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def sure(question: str, *, yes: bool) -> None:
    """Ask a person; a program has to say `--yes`."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise usage(f"{question} Nobody can be asked here.", "Say --yes.")
    typer.confirm(question, abort=True, err=True)


@app.verb("archive", "tailrace archive @last", "tailrace archive --keep record 01a1fc28-1093")
def archive(
    executions: ExecutionsArgument,
    *,
    keep: Annotated[str | None, typer.Option(help="all, outputs or record; by default as it was submitted.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Put aside what has ended: it is listed no more unless asked for, and does not expire."""
    on_each(executions, posted("archive", {"archive": keep} if keep else None), form)


@app.verb("restore", "tailrace restore 01a1fc28-1093", "tailrace ls --archived true -o id | xargs tailrace restore")
def restore(executions: ExecutionsArgument, *, form: FormatOption = DEFAULT) -> None:
    """Take executions back from the archive."""
    on_each(executions, posted("restore"), form)


@app.verb("delete", "tailrace delete @last", "tailrace ls --status failed -o id | xargs tailrace delete --yes")
def delete(executions: ExecutionsArgument, *, yes: YesOption = False, form: FormatOption = DEFAULT) -> None:
    """Delete executions with log, outputs and checkpoint, for good. What runs is asked to stop first."""
    sure(f"Delete {len(executions)} for good?" if len(executions) > 1 else f"Delete {executions[0]} for good?", yes=yes)
    on_each(executions, _deleted, form)


def _deleted(api: Session, execution: str) -> Any:
    """Its record while it has to be stopped first."""
    return api.delete(f"/v1/executions/{execution}") or {"id": execution}
