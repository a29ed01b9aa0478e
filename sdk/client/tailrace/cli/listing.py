"""`tailrace ls` and `ps`: lists of executions."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, FormatOption, show_list
from tailrace.cli.session import session
from tailrace.cli.shown import ACTIVE, NOTHING, ago, lasting, plain

app = Noun()


def status_of(item: Any) -> str:
    """The status, with what explains it."""
    waits = item.get("waiting_on") if item["status"] == "queued" else None
    more = waits or (item.get("phase") if item["status"] == "preparing" else None) or item.get("cause")
    return item["status"] if more in {None, "ok", item["status"]} else f"{item['status']} {plain(more)}"


def progress_of(item: Any) -> str:
    """How far the program says that it is."""
    percent = (item.get("progress") or {}).get("percent")
    return NOTHING if percent is None else f"{percent} %"


def _standing(item: Any) -> str:
    """Both, while there is progress to be made."""
    percent = progress_of(item)
    return status_of(item) if percent == NOTHING or item["finished_at"] else f"{status_of(item)} {percent}"


COLUMNS: Columns = {
    "ID": lambda item: item["id"],
    "NAME": lambda item: plain(item["name"]),
    "STATUS": _standing,
    "IMAGE": lambda item: plain(item["method"]["name"] if item.get("method") else item["image"]),
    "POOL": lambda item: plain(item["pool"]),
    "AGE": lambda item: ago(item["created_at"]),
    "RAN": lambda item: lasting(item["run_seconds"]),
}


def _labels(texts: list[str] | None) -> dict[str, str | None]:
    return {key: value if equals else None for key, equals, value in (text.partition("=") for text in texts or ())}


@app.verb(
    "ls",
    "tailrace ls",
    "tailrace ls --status failed --label team=a --since 2026-11-01T00:00:00Z",
    "tailrace ls --since 2h30m",
    "tailrace ls -q 'resnet gpu' -n 100 -o json | jq '.[].message'",
    "tailrace ls --batch @last -o id | xargs tailrace cancel",
)
def ls(
    *,
    status: Annotated[list[str] | None, typer.Option("--status", "-s", help="Of this status; repeatable.")] = None,
    cause: Annotated[list[str] | None, typer.Option(help="That ended for this cause; repeatable.")] = None,
    query: Annotated[str | None, typer.Option("--query", "-q", help="Words of name, note and labels.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", metavar="KEY[=VALUE]", help="With it.")] = None,
    image: Annotated[str | None, typer.Option(help="Of this image; with a * at its end of all that begin so.")] = None,
    method: Annotated[list[str] | None, typer.Option("--method", "-m", help="Of this method.")] = None,
    pool: Annotated[list[str] | None, typer.Option(help="Of this pool.")] = None,
    owner: Annotated[list[str] | None, typer.Option(help="Of this owner.")] = None,
    batch: Annotated[str | None, typer.Option(help="Of this batch.")] = None,
    schedule: Annotated[str | None, typer.Option(help="That this schedule has submitted.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="That came from there: api, schedule, rerun …")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Since then: RFC 3339, or 10m ago.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Submitted before then.")] = None,
    archived: Annotated[str | None, typer.Option(help="false, any, or true: only those.")] = None,
    warnings: Annotated[bool, typer.Option("--warnings", help="With warnings.")] = False,
    sort: Annotated[str | None, typer.Option(help="created, finished or duration; with - the latest first.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    form: FormatOption = DEFAULT,
) -> None:
    """List executions, newest first. All filters must hold."""
    with session() as api:
        filters = {
            "status": status, "cause": cause, "q": query, "label": _labels(label), "image": image, "method": method,
            "pool": pool, "owner": owner, "source": source,
            "created_after": since and values.moment(since), "created_before": until and values.moment(until),
            "archived": archived, "has_warnings": warnings or None, "sort": sort,
            "batch": api.one_of("batch", batch, "/v1/batches") if batch else None,
            "schedule": api.one_of("schedule", schedule) if schedule else None,
        }  # fmt: skip
        show_list(api.pages("/v1/executions", limit, **filters), COLUMNS, form)


@app.verb("ps", "tailrace ps", "tailrace ps -o id | xargs -r tailrace cancel")
def ps(
    *,
    owner: Annotated[list[str] | None, typer.Option(help="Of this owner.")] = None,
    pool: Annotated[list[str] | None, typer.Option(help="Of this pool.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 200,
    form: FormatOption = DEFAULT,
) -> None:
    """List what has not ended: queued, preparing, running, paused, stopping."""
    with session() as api:
        items = api.pages("/v1/executions", limit, status=list(ACTIVE), owner=owner, pool=pool)
        show_list(items, COLUMNS, form)
