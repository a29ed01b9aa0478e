"""`tailrace logs`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tailrace.cli.failures import usage
from tailrace.cli.following import Lines
from tailrace.cli.looking import ExecutionArgument
from tailrace.cli.noun import Noun
from tailrace.cli.output import copy, flush, write
from tailrace.cli.session import session

if TYPE_CHECKING:
    from tailrace import Line

app = Noun()

STREAMS = ("stdout", "stderr", "system")


@app.verb(
    "logs",
    "tailrace logs -f @last",
    "tailrace logs 01a1fc28-1093 --tail 100 --grep 'loss|epoch'",
    "tailrace logs @last --since 10m --level warn --timestamps",
    "tailrace logs @last --raw --stream stdout > exact.bin",
)
def logs(
    execution: ExecutionArgument,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it ends.")] = False,
    since: Annotated[str | None, typer.Option(help="Not older than this time, or 10m ago.")] = None,
    until: Annotated[str | None, typer.Option(help="Older than this time, or 10m ago.")] = None,
    tail: Annotated[int | None, typer.Option("--tail", "-n", min=0, help="The last so many.")] = None,
    stream: Annotated[
        list[str] | None, typer.Option(help="stdout, stderr or system; repeatable. By default the first two.")
    ] = None,
    grep: Annotated[str | None, typer.Option(help="Lines that match this regular expression.")] = None,
    ignore_case: Annotated[bool, typer.Option("--ignore-case", "-i", help="In any case.")] = False,
    invert: Annotated[bool, typer.Option("--invert", "-v", help="Those that do not match.")] = False,
    level: Annotated[str | None, typer.Option(help="Lines of this level or above: debug, info, warn, error.")] = None,
    after: Annotated[int | None, typer.Option(help="With a number above this.")] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Each line with its time.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Without escape sequences.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="The exact bytes, also where they are no UTF-8.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show the log: what the program wrote to stdout on stdout, the rest on stderr.

    With `--follow` it goes on where it was after every interruption, until the execution has ended. Ctrl-C ends the
    watching, and nothing else.
    """
    streams = _streams(stream)
    if follow and until:
        raise usage("--until is for what has been written already: without --follow.")
    asked: dict[str, Any] = {
        "since": since, "until": until, "tail": tail, "grep": grep, "level": level, "after": after,
        "ignore_case": ignore_case or None, "invert": invert or None, "ansi": "strip" if plain else None,
    }  # fmt: skip
    with session() as api:
        handle = api.handle(execution)
        if raw or (as_json and not follow):
            if raw and (follow or timestamps or plain):
                raise usage("--raw has the exact bytes of what there is: without --follow, --timestamps and --plain.")
            shape = {"format": "raw" if raw else "ndjson", "streams": ",".join(streams)}
            copy(api.client.stream(f"/v1/executions/{handle.id}/logs", params={**asked, **shape}))
            return
        lines = Lines(story="system" in streams, timestamps=timestamps)
        chosen = {name: value for name, value in asked.items() if value is not None}
        for line in handle.logs(follow=follow, stream=streams, **chosen):
            if as_json:
                write(as_ndjson(line))
                flush()
            else:
                lines.write(line)


def as_ndjson(line: Line) -> str:
    """As the API writes it where nothing is followed; what it sends while it follows would end at a cut."""
    from tailrace import Gap

    if isinstance(line, Gap):
        said = {"type": "gap", "from": line.first, "to": line.last, "reason": line.reason}
    else:
        at = line.at.isoformat(timespec="milliseconds") if line.at else None
        said = {"seq": line.seq, "at": at, "stream": line.stream, "text": line.text}
        if line.continues:
            said["continues"] = True
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _streams(said: list[str] | None) -> list[str]:
    found = [name for text in said or ("stdout,stderr",) for name in text.split(",")]
    unknown = [name for name in found if name not in STREAMS]
    if unknown:
        raise usage(f"--stream: there is no `{unknown[0]}`.", f"There are {', '.join(STREAMS)}.")
    return found
