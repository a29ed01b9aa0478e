"""`tailrace open`: the monitor, or one execution, in the browser."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tailrace.cli import values
from tailrace.cli.failures import usage
from tailrace.cli.looking import completed
from tailrace.cli.noun import Noun
from tailrace.cli.output import remark, write
from tailrace.cli.session import session
from tailrace.cli.shown import local

app = Noun()

PAGES = ("page", "logs", "self", "outputs")


@app.verb("open", "tailrace open", "tailrace open @last", "tailrace open @last --print --for 7d --page outputs")
def show(
    execution: Annotated[
        str | None,
        typer.Argument(help="Id, the first digits of it, or @last.", autocompletion=completed, show_default=False),
    ] = None,
    *,
    page: Annotated[str, typer.Option(help="Of an execution: page, or for programs logs, outputs, self.")] = "page",
    lasting: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="Of an execution: for how long it is valid.")
    ] = "1h",
    only_print: Annotated[bool, typer.Option("--print", help="Print the address, and open nothing.")] = False,
) -> None:
    """Show the monitor in the browser, as you; or one execution, by an address that shows nothing else.

    The address of the monitor logs in once, within minutes. That of an execution is a share, which needs no token:
    treat it like a password until it is over.
    """
    if page not in PAGES:
        raise usage(f"--page: there is no `{page}`.", f"There are {', '.join(PAGES)}.")
    with session() as api:
        if execution is None:
            made = api.post("/v1/session/tickets")
            address = made["links"]["login"]
        else:
            body = {"expires_in": values.seconds(lasting), "note": "tailrace open"}
            made = api.post(f"/v1/executions/{api.execution(execution)}/shares", body)
            address = made["links"][page]
    if execution is not None and page == "logs":
        # A browser shows plain text, and goes on as more of it comes.
        address += "&format=text&follow=true"
    if only_print or not sys.stdout.isatty() or typer.launch(address) != 0:
        write(address)
    else:
        remark(f"Opened, until {local(made['expires_at'])}.")
