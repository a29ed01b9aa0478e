"""`tailrace show`, `wait`: one execution, or a few."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.following import exit_code
from tailrace.cli.listing import COLUMNS, progress_of, status_of
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, FormatOption, show_list, show_one
from tailrace.cli.routes import in_verbs
from tailrace.cli.session import session
from tailrace.cli.shown import NOTHING, command, lasting, local, pairs, plain, size

app = Noun()


def completed(incomplete: str) -> list[tuple[str, str]]:
    """The newest executions whose ids begin so, for the shell. Whatever is wrong: it is no time to say so."""
    with suppress(Exception), session(patience=0.0) as api:
        found = api.pages("/v1/executions", 50)
        return [
            (item["id"], f"{plain(item['name'])} {status_of(item)}")
            for item in found
            if item["id"].startswith(incomplete)
        ]
    return []


ExecutionArgument = Annotated[
    str, typer.Argument(help="Id, the first digits of it, or @last.", autocompletion=completed, show_default=False)
]
ExecutionsArgument = Annotated[
    list[str], typer.Argument(help="Ids, the first digits of them, or @last.", autocompletion=completed)
]


def _method(item: Any) -> str:
    method = item.get("method")
    return NOTHING if method is None else plain(f"{method['name']}@{method['version']}")


def _stop(item: Any) -> str:
    stop = item.get("stop")
    return NOTHING if stop is None else f"{plain(stop['reason'])} by {plain(stop['by'])}, {local(stop['requested_at'])}"


def _warnings(item: Any) -> str:
    found = [warning["message"] if isinstance(warning, dict) else warning for warning in item["warnings"]]
    return "; ".join(plain(text) for text in found)


def _place(item: Any) -> str:
    place = item.get("queue_position")
    return NOTHING if place is None else f"{place}"


def _files(summary: Any) -> str:
    return f"{summary['files']} files, {size(summary['bytes'])}" if summary and summary["files"] else NOTHING


ROWS: Columns = {
    "id": lambda item: item["id"],
    "name": lambda item: plain(item["name"]),
    "note": lambda item: plain(item["note"]),
    "status": status_of,
    "message": lambda item: plain(item["message"]),
    "hint": lambda item: in_verbs(plain(item["hint"])),
    "exit code": lambda item: plain(item["exit_code"]),
    "place in the queue": _place,
    "progress": progress_of,
    "phase": lambda item: plain((item.get("progress") or {}).get("phase") or item["phase"]),
    "stop": _stop,
    "warnings": _warnings,
    "image": lambda item: plain(item["image"]),
    "method": _method,
    "command": lambda item: command(item["command"]),
    "labels": lambda item: pairs(item["labels"]),
    "owner": lambda item: plain(item["owner"]),
    "pool": lambda item: plain(item["pool"]),
    "attempt": lambda item: f"{item['attempt']} of {item['max_attempts']}" if item["max_attempts"] > 1 else NOTHING,
    "submitted": lambda item: local(item["created_at"]),
    "started": lambda item: local(item["started_at"]),
    "ended": lambda item: local(item["finished_at"]),
    "deadline": lambda item: local(item["deadline"]),
    "waited": lambda item: lasting(item["queue_seconds"]),
    "ran": lambda item: lasting(item["run_seconds"]),
    "log": lambda item: f"{item['log']['lines']} lines, {size(item['log']['bytes'])}",
    "outputs": lambda item: _files(item["outputs"]),
    "checkpoint": lambda item: _files(item["checkpoint"]),
    "archived": lambda item: local(item["archived_at"]),
}


@app.verb("show", "tailrace show @last", "tailrace show 01a1fc28-1093 -o json")
def show(execution: ExecutionArgument, *, form: FormatOption = DEFAULT) -> None:
    """Show how an execution stands, how it ended, and why."""
    with session() as api:
        show_one(api.get(f"/v1/executions/{api.execution(execution)}"), ROWS, form)


@app.verb(
    "wait",
    "tailrace wait @last && tailrace outputs get @last",
    "tailrace wait 01a1fc28-1093 01a1fc28-2d0c --timeout 10m",
)
def wait(
    executions: ExecutionsArgument,
    *,
    timeout: Annotated[str | None, typer.Option(help="Give up after so long: 90, 10m, 2h.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Wait until executions have ended.

    The exit code is that of the first which did not succeed, as with `run`; 124 when the time is over.
    """
    import tailrace

    seconds = math.inf if timeout is None else values.seconds(timeout)
    ends = time.monotonic() + seconds
    with session() as api:
        records: list[Any] = []
        for handle in [api.handle(execution) for execution in executions]:
            try:
                record = handle.wait(timeout=max(0.0, ends - time.monotonic()))
            except tailrace.WaitTimeout as error:
                # It had what the others, and the way to the server, have left; what was asked for is what is told.
                raise tailrace.WaitTimeout(error.record, seconds) from error
            records.append(dict(record))
        show_list(records, COLUMNS, form)
    raise typer.Exit(next((code for record in records if (code := exit_code(record))), 0))
