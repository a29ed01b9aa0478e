"""What `make demo` shows: a log with a progress bar beneath it, and a table of records."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich import box
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from stack.console import Console
from tailrace import AsyncHandle, Record

MARKS = {"stdout": "", "stderr": "stderr: ", "system": "— ", "gap": "— "}
STREAMS = ["stdout", "stderr", "system"]


async def follow(handle: AsyncHandle, console: Console, *, name: str, stop_at: int | None = None) -> list[str]:
    """Show an execution live until it has ended, and ask it to stop at some percent; the lines of its log."""
    lines: list[str] = []
    with _progress(console) as progress:
        bar = progress.add_task(name, total=1, phase=handle.status.phase)

        async def show(record: Record) -> None:
            status = handle.status
            progress.update(bar, completed=status.progress, phase=status.phase)
            if stop_at is not None and record.stop is None and status.progress * 100 >= stop_at:
                console.say(f"{name}: asking it to stop")
                await handle.cancel()

        async def read() -> None:
            async for line in handle.logs(follow=True, stream=STREAMS):
                lines.append(f"{MARKS[line.stream]}{line.text}")
                console.pass_on(name, lines[-1])

        await asyncio.gather(handle.wait(on_change=show), read())
    return lines


def show_records(console: Console, records: Sequence[Record]) -> None:
    """The records side by side, narrow enough for 80 columns."""
    names = {record.id: record.name for record in records}
    table = Table("name", "status", "cause", "exit", "seconds", "progress", "resumed", box=box.SIMPLE)
    for record in records:
        percent = record.progress.percent if record.progress else None
        table.add_row(
            record.name,
            record.status,
            record.cause,
            str(record.exit_code),
            str(record.run_seconds),
            "–" if percent is None else f"{percent} %",
            names.get(record.lineage.resumed_from or "", "–"),
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
