"""`tailrace open`: one execution in the browser."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tailrace.cli import values
from tailrace.cli.failures import usage
from tailrace.cli.looking import ExecutionArgument
from tailrace.cli.noun import Noun
from tailrace.cli.output import remark, write
from tailrace.cli.session import session

app = Noun()

PAGES = ("logs", "self", "outputs")


@app.verb("open", "tailrace open @last", "tailrace open @last --print --for 7d", "tailrace open @last --page outputs")
def show(
    execution: ExecutionArgument,
    *,
    page: Annotated[str, typer.Option(help="logs, outputs or self: the record.")] = "logs",
    lasting: Annotated[str, typer.Option("--for", metavar="DURATION", help="For how long it is valid.")] = "1h",
    only_print: Annotated[bool, typer.Option("--print", help="Print the address, and open nothing.")] = False,
) -> None:
    """Show an execution in the browser, by an address of its own: a share, which needs no token and shows nothing else.

    Treat the address like a password until it is over.
    """
    if page not in PAGES:
        raise usage(f"--page: there is no `{page}`.", f"There are {', '.join(PAGES)}.")
    with session() as api:
        found = api.execution(execution)
        made = api.post(
            f"/v1/executions/{found}/shares", {"expires_in": values.seconds(lasting), "note": "tailrace open"}
        )
    address = made["links"][page]
    if page == "logs":
        # A browser shows plain text, and goes on as more of it comes.
        address += "&format=text&follow=true"
    if only_print or not sys.stdout.isatty() or typer.launch(address) != 0:
        write(address)
    else:
        remark(f"Opened, until {made['expires_at']}.")
