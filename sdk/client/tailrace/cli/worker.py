"""`tailrace worker`: who runs executions."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, FormatOption, show_list, show_one
from tailrace.cli.session import session
from tailrace.cli.shown import ago, plain

app = Noun("Who runs executions.")


def _place(item: Any) -> str:
    """As the history of an execution names it, too."""
    return f"{plain(item['host'])}/{item['pid']}"


COLUMNS: Columns = {
    "ID": lambda item: item["id"],
    "HOST": _place,
    "POOL": lambda item: plain(item["pool"]),
    "STATE": lambda item: plain(" ".join(filter(None, (item["state"], item.get("message"))))),
    "BUSY": lambda item: f"{item['busy']} of {item['slots']}",
    "ENGINE": lambda item: "ok" if item["engine"]["ok"] else plain(item["engine"]["message"]),
    "VERSION": lambda item: plain(item["version"]),
    "HEARD": lambda item: ago(item["heartbeat_at"]),
}
WorkerArgument = Annotated[
    str, typer.Argument(help="Id, the first digits of it, HOST/PID, or its host if it is the only one there.")
]


@app.verb("ls", "tailrace worker ls", "tailrace worker ls --all -o json")
def ls(
    *,
    everybody: Annotated[bool, typer.Option("--all", "-a", help="Also who went in the last day.")] = False,
    form: FormatOption = DEFAULT,
) -> None:
    """List the workers, and what they do."""
    with session() as api:
        show_list(api.get("/v1/workers", all=everybody)["items"], COLUMNS, form)


@app.verb("pause", "tailrace worker pause 01a1fcdd")
def pause(worker: WorkerArgument, *, form: FormatOption = DEFAULT) -> None:
    """Let it take nothing new; what runs goes on."""
    _ask(worker, "pause", form)


@app.verb("drain", "tailrace worker drain 01a1fcdd")
def drain(worker: WorkerArgument, *, form: FormatOption = DEFAULT) -> None:
    """Let it take nothing new, and end when nothing of it runs any more."""
    _ask(worker, "drain", form)


@app.verb("resume", "tailrace worker resume 01a1fcdd")
def resume(worker: WorkerArgument, *, form: FormatOption = DEFAULT) -> None:
    """Let it take work again."""
    _ask(worker, "resume", form)


def _ask(text: str, verb: str, form: Any) -> None:
    with session() as api:
        items = [{**item, "place": _place(item)} for item in api.get("/v1/workers")["items"]]
        worker = api.chosen("worker", text, items, name="place" if "/" in text else "host")
        show_one(api.post(f"/v1/workers/{worker}/{verb}"), COLUMNS, form)
