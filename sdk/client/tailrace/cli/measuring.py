"""`tailrace attempts`, `usage`, `retention`: what was there, what it took, and for how long it is kept."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tailrace.cli.looking import ExecutionArgument
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, Format, FormatOption, show_document, show_list, show_one
from tailrace.cli.session import session
from tailrace.cli.shown import NOTHING, lasting, local, plain, size

app = Noun()

ATTEMPTS: Columns = {
    "NUMBER": lambda item: str(item["number"]),
    "STARTED": lambda item: local(item["started_at"]),
    "ENDED": lambda item: local(item["finished_at"]),
    "EXIT CODE": lambda item: plain(item["exit_code"]),
    "WHY": lambda item: plain(item["message"] or item["cause"]),
    "CONTAINER": lambda item: plain(item["container_name"]),
}


def _measured(when: str, what: str) -> Any:
    shown = size if what in {"memory", "disk"} else lambda value: f"{value:g}"

    def cell(item: Any) -> str:
        value = (item[when] or {}).get(what)
        return NOTHING if value is None else str(shown(value))

    return cell


USAGE: Columns = {
    "attempt": lambda item: str(item["attempt"]),
    "processor time": lambda item: lasting(item["cpu_seconds"]),
    **{
        f"{title}{suffix}": _measured(when, what)
        for what, title in {"cores": "cores", "memory": "memory", "pids": "processes", "disk": "disk"}.items()
        for when, suffix in {"now": " now", "peak": " at most"}.items()
    },
    "not measured": lambda item: ", ".join(map(plain, item["missing"])),
}
RETENTION = ("records", "outputs", "checkpoints", "logs")


def _days(name: str) -> Any:
    def cell(item: Any) -> str:
        days = item["policy"][name]
        return "for ever" if days is None else f"{days} days"

    return cell


def _due(name: str) -> Any:
    def cell(item: Any) -> str:
        parts = {"now": item[name]["now"], f"within {item['days']} days": item[name]["within_days"]}
        return ", ".join(f"{part['count']} {when} ({size(part['bytes'])})" for when, part in parts.items())

    return cell


KEPT: Columns = {
    **{
        f"keep {name}": _days(name)
        for name in ("succeeded", "failed", "canceled", "outputs", "checkpoints", "logs", "files")
    },
    "in force": lambda item: local(item["in_force_at"]),
    **{f"{name} that go": _due(name) for name in RETENTION},
}


@app.verb("attempts", "tailrace attempts @last")
def attempts(execution: ExecutionArgument, *, form: FormatOption = DEFAULT) -> None:
    """List the containers of an execution, and how each ended."""
    with session() as api:
        items = api.get(f"/v1/executions/{api.execution(execution)}/attempts")["items"]
        show_list(items, ATTEMPTS, form, key="number")


@app.verb("usage", "tailrace usage @last", "tailrace usage @last --attempt 1 -o json | jq .samples")
def usage(
    execution: ExecutionArgument,
    *,
    attempt: Annotated[int | None, typer.Option(min=1, help="An earlier attempt.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Show what an execution uses, or used: processors, memory, processes, disk."""
    with session() as api:
        found = api.get(f"/v1/executions/{api.execution(execution)}/usage", attempt=attempt)
        show_one(found, USAGE, form, key="execution")


@app.verb("retention", "tailrace retention", "tailrace retention --days 30 -o json | jq .records.within_days.ids")
def retention(
    *,
    days: Annotated[int, typer.Option(min=0, help="Within so many days.")] = 7,
    form: FormatOption = DEFAULT,
) -> None:
    """Show for how long what is kept, and what goes now and soon."""
    with session() as api:
        found = api.get("/v1/retention", days=days)
        if form is Format.ID:
            show_document(found["records"]["within_days"]["ids"], Format.YAML)
        else:
            show_one(found, KEPT, form)
