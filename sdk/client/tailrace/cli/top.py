"""`tailrace top`: what happens, live."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tailrace.cli.listing import progress_of, status_of
from tailrace.cli.noun import Noun
from tailrace.cli.output import console, new_table, one_line
from tailrace.cli.session import PATIENCE, Session, session
from tailrace.cli.shown import ACTIVE, NOTHING, STYLES, ago, plain, rough, short

if TYPE_CHECKING:
    from rich.columns import Columns
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

app = Noun()

# The past of the queue that is drawn, and its steps in seconds.
PAST, STEP = timedelta(hours=1), 120
_BARS = "▁▂▃▄▅▆▇█"


@app.verb("top", "tailrace top", "tailrace top --every 5 --pool gpu", "tailrace top --once")
def top(
    *,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds from one look to the next.")] = 2.0,
    pool: Annotated[list[str] | None, typer.Option(help="Of this pool.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="At most so many.")] = 30,
    once: Annotated[bool, typer.Option("--once", help="One look; always if stdout is no terminal.")] = False,
) -> None:
    """Show pools, workers and what is active, over and over. Ctrl-C ends it."""
    from rich.live import Live

    live_view = sys.stdout.isatty() and not once
    # A live view looks again soon, and says itself what is wrong.
    with session(patience=0.0 if live_view else PATIENCE) as api:
        terminal = console()
        if not live_view:
            terminal.print(look(api, pool, limit))
            return
        with Live(look(api, pool, limit), console=terminal, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                live.update(_tried(api, pool, limit), refresh=True)


def _tried(api: Session, pools: list[str] | None, limit: int) -> Group | Text:
    """A server that is away for a moment is no reason to leave."""
    from rich.text import Text

    import tailrace

    try:
        return look(api, pools, limit)
    except (tailrace.ConnectionFailed, tailrace.ServerError) as error:
        return Text(str(error), style="red")


def look(api: Session, pools: list[str] | None, limit: int) -> Group:
    """Everything as it is now: five short requests, whatever is on record."""
    from rich.console import Group
    from rich.text import Text

    counts = api.get("/v1/stats/counts", pool=pools)["items"]
    found = list(api.pages("/v1/executions", limit, status=list(ACTIVE), pool=pools))
    here = [item for item in api.get("/v1/pools")["items"] if not pools or item["name"] in pools]
    since = (datetime.now(timezone.utc) - PAST).isoformat()
    stats = api.get("/v1/stats", pool=pools, step=STEP, **{"from": since})
    return Group(
        Text(api.client.url),
        counted(counts),
        Text(queue_line(stats)),
        Text(),
        _pools(here, api.get("/v1/workers")["items"]),
        Text(),
        _active(found, limit),
    )


def counted(counts: list[Any]) -> Columns:
    """How many there are of each status, side by side as far as there is room."""
    from rich.columns import Columns

    said = [f"{item['n']} {item['status']}" for item in counts] or ["nothing on record"]
    return Columns(map(one_line, said), padding=(0, 3))


def queue_line(stats: Any) -> str:
    """How old the queue is, and how old it was in the steps of the last hour."""
    oldest = stats["queue"]["oldest_seconds"]
    now = "nothing waits that could start" if oldest is None else f"the first waits for {rough(oldest)}"
    # An older server does not measure it.
    ages = [step.get("queue_age_seconds") or 0.0 for step in stats["steps"]]
    worst = max(ages, default=0.0)
    return f"queue: {now}" + (f"   last hour {bars(ages)} at most {rough(worst)}" if worst >= 1 else "")


def bars(numbers: Sequence[float]) -> str:
    """Numbers from 0 on as a line of bars, the greatest as high as can be."""
    greatest = max(numbers, default=0.0) or 1.0
    return "".join(_BARS[min(len(_BARS) - 1, int(number / greatest * len(_BARS)))] for number in numbers)


def _pools(pools: list[Any], workers: list[Any]) -> Table:
    table = new_table("POOL", "QUEUED", "RUNNING", "SLOTS", "WORKERS")
    for pool in pools:
        there = [worker for worker in workers if worker["pool"] == pool["name"]]
        names = ", ".join(
            f"{plain(worker['host'])} {worker['busy']}/{worker['slots']}"
            + ("" if worker["state"] == "active" else f" {plain(worker['state'])}")
            for worker in there
        )
        cells = [plain(pool["name"]), str(pool["queued"]), str(pool["running"]), str(pool["slots"]), names or NOTHING]
        table.add_row(*map(one_line, cells))
    return table


def _active(items: list[Any], limit: int) -> Table:
    length = short([item["id"] for item in items])
    table = new_table("ID", "NAME", "STATUS", "PROGRESS", "IMAGE", "OWNER", "FOR")
    for item in items:
        since = item["started_at"] or item["created_at"]
        table.add_row(
            one_line(item["id"][:length]),
            one_line(plain(item["name"])),
            one_line(status_of(item), style=STYLES.get(item["status"], "")),
            one_line(progress_of(item)),
            one_line(plain(item["image"])),
            one_line(plain(item["owner"])),
            one_line(ago(since)),
        )
    if len(items) == limit:
        table.caption = f"the newest {limit}"
    return table
