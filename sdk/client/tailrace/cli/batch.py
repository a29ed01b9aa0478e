"""`tailrace batch`: many executions at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.failures import INTERRUPTED, NOT_RUN, usage
from tailrace.cli.following import tell_end
from tailrace.cli.keeping import YesOption, sure
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, Format, FormatOption, remark, show_list, show_one, write
from tailrace.cli.session import Session, session
from tailrace.cli.shown import NOTHING, ago, local, pairs, plain

if TYPE_CHECKING:
    from tailrace import Batch

app = Noun("Many executions at once.")

BatchArgument = Annotated[str, typer.Argument(help="Id, the first digits of it, its name, or @last.")]
FAILURES = ("failed", "timed_out", "crashed")
_CHOICE = " ".join(f"--status {status}" for status in FAILURES)
# What ended well is no failure to a shell, the rest is.
_CODES = {"succeeded": 0, "canceled": INTERRUPTED}


def _counts(item: Any) -> str:
    found = {status: count for status, count in item["progress"]["by_status"].items() if count}
    return ", ".join(f"{count} {status}" for status, count in found.items()) or NOTHING


def _progress(item: Any) -> str:
    return f"{item['progress']['ended']} of {item['progress']['total']}"


COLUMNS: Columns = {
    "ID": lambda item: item["id"],
    "NAME": lambda item: plain(item["name"]),
    "STATUS": lambda item: plain(item["status"]),
    "ENDED": _progress,
    "CHILDREN": _counts,
    "AGE": lambda item: ago(item["created_at"]),
}
NEEDS: Columns = {
    "INDEX": lambda item: str(item["index"]),
    "EXECUTION": lambda item: item["execution"],
    "KEY": lambda item: plain(item["key"]),
    "NEEDS": lambda item: ", ".join(plain(each["name"]) for each in item["needs"]) or NOTHING,
}
ROWS: Columns = {
    "id": lambda item: item["id"],
    "name": lambda item: plain(item["name"]),
    "note": lambda item: plain(item["note"]),
    "status": lambda item: plain(item["status"]),
    "ended": _progress,
    "children": _counts,
    "at once": lambda item: plain(item["max_parallel"]),
    "labels": lambda item: pairs(item["labels"]),
    "owner": lambda item: plain(item["owner"]),
    "submitted": lambda item: local(item["created_at"]),
    "finished": lambda item: local(item["finished_at"]),
}


@app.verb(
    "run",
    "tailrace batch run --image busybox:local --matrix rate=0.1,0.01 --matrix seed=1,2,3 -- sh -c 'echo $INPUT_RATE'",
    "tailrace batch run --spec sweep.yaml --max-parallel 4 --detach",
    "tailrace batch run --image busybox:local --count 10 --fail-fast -- ./simulate",
)
def run(
    command: Annotated[list[str] | None, typer.Argument(help="Of each child, after `--`.", show_default=False)] = None,
    *,
    image: Annotated[str | None, typer.Option(help="Of each child.")] = None,
    spec: Annotated[str | None, typer.Option("--spec", metavar="FILE|-", help="A batch as JSON or YAML.")] = None,
    matrix: Annotated[
        list[str] | None, typer.Option(metavar="INPUT=VALUE,…", help="Every combination of these inputs.")
    ] = None,
    count: Annotated[int | None, typer.Option(help="So many alike.")] = None,
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    env: Annotated[list[str] | None, typer.Option("--env", "-e", metavar="KEY=VALUE", help="Of each child.")] = None,
    limit: Annotated[list[str] | None, typer.Option("--limit", metavar="NAME=VALUE", help="Of each child.")] = None,
    max_parallel: Annotated[int | None, typer.Option(help="So many at a time.")] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="The first that fails cancels the others.")] = False,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Any field.")] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Print the id, and do not wait.")] = False,
    form: FormatOption = DEFAULT,
) -> None:
    """Submit many executions, all or none, and wait until all have ended.

    If some do not succeed, it says why the first of them did not, and the exit code is 125. Ctrl-C ends the waiting,
    not the batch.
    """
    body: values.Json = values.mapping(spec) if spec else {}
    defaults = {
        "image": image, "command": command or None,
        "env": dict(values.from_environment(text, "--env") for text in env or ()) or None,
        "limits": dict(map(values.limit, limit or ())) or None,
    }  # fmt: skip
    said: dict[str, Any] = {
        "name": name, "count": count, "max_parallel": max_parallel, "fail_fast": fail_fast or None,
        "matrix": {"inputs": dict(map(_axis, matrix))} if matrix else None,
        "defaults": {field: value for field, value in defaults.items() if value is not None} or None,
    }  # fmt: skip
    body = values.merged(body, {field: value for field, value in said.items() if value is not None})
    body = values.merged(body, values.settings(changes or ()))
    if not body:
        raise usage("It takes a --spec, or an --image with --matrix or --count.", "See `tailrace batch run --help`.")
    with session() as api:
        made = api.client.batch(body)
        if detach:
            _tell(made.record, form)
            return
        if sys.stderr.isatty():
            remark(f"— {made.id}: {made.record['progress']['total']} executions")
        raise typer.Exit(_waited(made, form))


def _axis(text: str) -> tuple[str, list[Any]]:
    """`seed=1,2,3`, or a list in JSON."""
    name, said = values.pair(text, "--matrix")
    found = values.value_of(said)
    return name, found if isinstance(found, list) else [values.value_of(part) for part in said.split(",")]


def _tell(batch: Any, form: Format) -> None:
    if form is Format.TABLE:
        write(batch["id"])
    else:
        show_one(batch, ROWS, form)


def _waited(batch: Batch, form: Format) -> int:
    def tell(found: Any) -> None:
        remark(f"— {_progress(found)} ended: {_counts(found)}")

    found = batch.wait(on_change=tell if sys.stderr.isatty() else None)
    show_one(found, ROWS, form)
    code = _CODES.get(found["status"], NOT_RUN)
    if code == NOT_RUN:
        _say_why(batch)
    return code


def _say_why(batch: Batch) -> None:
    """What went wrong with the first that did: what goes wrong with others is mostly the same."""
    first = batch.executions(status=FAILURES).first()
    if first is None:
        return
    place = first.lineage.batch.get("index")
    remark(f"The first that did not succeed, {NOTHING if place is None else place}: {first.id}")
    tell_end(first, story=False)
    remark(f"Its log: `tailrace logs {first.id}`; the others: `tailrace ls --batch {batch.id} {_CHOICE}`")


def _of(api: Session, text: str) -> Batch:
    return api.client.batches.get(api.one_of("batch", text, "/v1/batches"))


@app.verb("ls", "tailrace batch ls")
def ls(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    form: FormatOption = DEFAULT,
) -> None:
    """List batches, newest first. `tailrace ls --batch ID` has the children of one."""
    with session() as api:
        show_list(api.pages("/v1/batches", limit), COLUMNS, form)


@app.verb("show", "tailrace batch show @last")
def show(batch: BatchArgument, *, form: FormatOption = DEFAULT) -> None:
    """Show how a batch stands."""
    with session() as api:
        show_one(_of(api, batch).record, ROWS, form)


@app.verb("needs", "tailrace batch needs @last")
def needs(batch: BatchArgument, *, form: FormatOption = DEFAULT) -> None:
    """List its children by index, and which of the others each of them waits for."""
    with session() as api:
        found = api.pages(f"/v1/batches/{api.one_of('batch', batch, '/v1/batches')}/needs")
        show_list(found, NEEDS, form, key="execution")


@app.verb("wait", "tailrace batch wait @last")
def wait(batch: BatchArgument, *, form: FormatOption = DEFAULT) -> None:
    """Wait until all of it has ended.

    The exit code is 0 if all succeeded, 125 if some did not, 130 if it was canceled.
    """
    with session() as api:
        raise typer.Exit(_waited(_of(api, batch), form))


@app.verb("cancel", "tailrace batch cancel @last")
def cancel(
    batch: BatchArgument,
    *,
    force: Annotated[bool, typer.Option("--force", help="Kill what runs.")] = False,
    form: FormatOption = DEFAULT,
) -> None:
    """Cancel what is queued, and ask what runs to stop."""
    with session() as api:
        show_one(_of(api, batch).cancel(force=force), ROWS, form)


@app.verb("rerun", "tailrace batch rerun @last", "tailrace batch rerun @last --all")
def rerun(
    batch: BatchArgument,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also what succeeded.")] = False,
    form: FormatOption = DEFAULT,
) -> None:
    """Run again what did not succeed, as a new batch, and print its id."""
    with session() as api:
        _tell(_of(api, batch).rerun("all" if everything else "failed").record, form)


@app.verb("outputs", "tailrace batch outputs @last --zip sweep.zip")
def outputs(
    batch: BatchArgument,
    *,
    to: Annotated[Path, typer.Option("--zip", metavar="FILE", help="Where to put it.")],
) -> None:
    """Fetch all that its children left, as one zip: a directory each."""
    with session() as api:
        write(str(_of(api, batch).zip(to)))


@app.verb("delete", "tailrace batch delete @last")
def delete(batch: BatchArgument, *, yes: YesOption = False) -> None:
    """Delete a batch with all its children, for good."""
    with session() as api:
        found = _of(api, batch).id
        sure(f"Delete the batch {found} with all its children?", yes=yes)
        left = api.delete(f"/v1/batches/{found}")
    remark(f"{'It goes when it has stopped' if left else 'Deleted'}: {found}")
