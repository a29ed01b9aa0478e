"""`tailrace cancel`, `pause`, `resume`, `hold`, `release`, `change`: what has not ended."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.acting import on_each, posted
from tailrace.cli.failures import usage
from tailrace.cli.looking import ExecutionsArgument
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, FormatOption

app = Noun()


@app.verb(
    "cancel",
    "tailrace cancel @last",
    "tailrace cancel --force 01a1fc28-1093",
    "tailrace ps -o id | xargs -r tailrace cancel",
)
def cancel(
    executions: ExecutionsArgument,
    *,
    force: Annotated[bool, typer.Option("--force", help="Kill it now; it can save nothing.")] = False,
    form: FormatOption = DEFAULT,
) -> None:
    """Ask executions to stop: they can save their work, and are killed when their grace is over."""
    on_each(executions, posted("cancel", {"force": force}), form)


@app.verb("pause", "tailrace pause @last", "tailrace pause --mode freeze @last")
def pause(
    executions: ExecutionsArgument,
    *,
    mode: Annotated[
        str | None, typer.Option(help="freeze keeps its slot; checkpoint saves and stops. By default what it can.")
    ] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Let executions stand still, or save their work and make room for others."""
    on_each(executions, posted("pause", {"mode": mode} if mode else None), form)


@app.verb("resume", "tailrace resume @last")
def resume(executions: ExecutionsArgument, *, form: FormatOption = DEFAULT) -> None:
    """Let what is paused go on. What was canceled goes on by `tailrace rerun --from-checkpoint`."""
    on_each(executions, posted("resume"), form)


@app.verb("hold", "tailrace hold @last")
def hold(executions: ExecutionsArgument, *, form: FormatOption = DEFAULT) -> None:
    """Keep what is queued in the queue until it is released."""
    on_each(executions, posted("hold"), form)


@app.verb("release", "tailrace release @last")
def release(executions: ExecutionsArgument, *, form: FormatOption = DEFAULT) -> None:
    """Let what is held take its turn."""
    on_each(executions, posted("release"), form)


@app.verb("change", "tailrace change @last --limit timeout=2h", "tailrace change @last --name second --label team=a")
def change(
    executions: ExecutionsArgument,
    *,
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    note: Annotated[str | None, typer.Option(help="A note for people.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", metavar="KEY=VALUE", help="A label.")] = None,
    unlabel: Annotated[list[str] | None, typer.Option("--unlabel", metavar="KEY", help="A label to take away.")] = None,
    limit: Annotated[list[str] | None, typer.Option("--limit", metavar="NAME=VALUE", help="As timeout=2h.")] = None,
    priority: Annotated[int | None, typer.Option(help="While it is queued.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Change name, note, labels, or limits, also while it runs. All of it is changed, or nothing."""
    labels: dict[str, Any] = {**dict(map(values.label, label or ())), **dict.fromkeys(unlabel or ())}
    said = {
        "name": name, "note": note, "priority": priority,
        "labels": labels or None, "limits": dict(map(values.limit, limit or ())) or None,
    }  # fmt: skip
    body = {field: value for field, value in said.items() if value is not None}
    if not body:
        raise usage("There is nothing to change.", "See `tailrace change --help`.")
    on_each(executions, lambda api, execution: api.patch(f"/v1/executions/{execution}", body), form)
