"""What `make demo` shows: a log with a progress bar beneath it, and a table of records."""

from __future__ import annotations

from rich import box
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from stack.console import Console
from stack.demo_client import JSON, DemoClient

STREAM_MARKS = {"o": "", "e": "stderr: ", "s": "— "}


async def follow(
    client: DemoClient, execution: str, console: Console, *, name: str, stop_at: int | None = None
) -> list[str]:
    """Show an execution live until it has ended, and ask it to stop at some percent; the lines of its log."""
    lines: list[str] = []
    stopping = False
    with _progress(console) as progress:
        bar = progress.add_task(name, total=100, phase="queued")
        async for frame in client.tail(execution):
            lines += _show(frame, console, name, progress, bar)
            if stop_at is not None and not stopping and _percent(frame) >= stop_at:
                stopping = True
                console.say(f"{name}: asking it to stop")
                await client.cancel(execution)
    return lines


def show_records(console: Console, records: list[JSON]) -> None:
    """The records side by side, narrow enough for 80 columns."""
    names = {record["id"]: record["name"] for record in records}
    table = Table("name", "status", "cause", "exit", "seconds", "progress", "resumed", box=box.SIMPLE)
    for record in records:
        percent = (record["progress"] or {}).get("percent")
        table.add_row(
            record["name"],
            record["status"],
            record["cause"],
            str(record["exit_code"]),
            str(record["run_seconds"]),
            "–" if percent is None else f"{percent} %",
            names.get(record["lineage"]["resumed_from"], "–"),
        )
    console.terminal.print(table)
    for execution, name in names.items():
        console.say(f"{name} is execution {execution}")


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description:8}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[phase]}"),
    )
    return Progress(*columns, TimeElapsedColumn(), console=console.terminal, transient=True)


def _show(frame: JSON, console: Console, name: str, progress: Progress, bar: TaskID) -> list[str]:
    """Show a frame; the log lines in it."""
    match frame["type"]:
        case "lines":
            lines = [f"{STREAM_MARKS[stream]}{text}" for _, stream, text, *_ in frame["lines"]]
            for line in lines:
                console.pass_on(name, line)
            return lines
        case "progress":
            progress.update(bar, completed=_percent(frame), phase=frame["phase"] or "")
        case "status":
            progress.update(bar, phase=frame["status"])
        case "gap":
            console.say(f"{name}: lines {frame['from']}–{frame['to']} are not kept ({frame['reason']})")
        case _:
            pass
    return []


def _percent(frame: JSON) -> int:
    return int(frame["percent"] or 0) if frame["type"] == "progress" else 0
