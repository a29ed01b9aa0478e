"""`tailrace quota`: what owners use, and how much they may."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from tailrace.cli import values
from tailrace.cli.failures import usage
from tailrace.cli.keeping import YesOption, sure
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, FormatOption, remark, show_list, show_one
from tailrace.cli.session import session
from tailrace.cli.shown import ago, plain, size

app = Noun("What owners use, and how much they may.")

# As answers have them, and as limits are called.
SHARES = ("queued", "running", "cpus", "memory", "log_bytes", "storage", "file_bytes")
BYTES = frozenset({"memory", "log_bytes", "storage", "file_bytes"})
LIMITS = ("max_queued", "max_running", "max_cpus", "max_memory", "max_log_bytes", "max_storage")


def _limit(name: str) -> Any:
    shown = size if name.removeprefix("max_") in BYTES else plain
    return lambda item: shown(item[name])


def _share(name: str) -> Any:
    shown = size if name in BYTES else plain

    def cell(item: Any) -> str:
        share = item["quota"][name]
        return (
            f"{shown(share['used'])} of {shown(share['limit'])}" if share["limit"] is not None else shown(share["used"])
        )

    return cell


COLUMNS: Columns = {
    "OWNER": lambda item: plain(item["owner"]),
    **{name.removeprefix("max_").replace("_", " ").upper(): _limit(name) for name in LIMITS},
    "SET": lambda item: ago(item["updated_at"]),
}
ROWS: Columns = {
    "owner": lambda item: plain(item["owner"]),
    **{name.replace("_", " "): _share(name) for name in SHARES},
}
OwnerArgument = Annotated[str, typer.Argument(help="Whose.")]


def _path(owner: str) -> str:
    return f"/v1/quotas/{quote(owner, safe='')}"


@app.verb("ls", "tailrace quota ls")
def ls(*, form: FormatOption = DEFAULT) -> None:
    """List those who have limits of their own; for administrators."""
    with session() as api:
        show_list(api.get("/v1/quotas")["items"], COLUMNS, form, key="owner")


@app.verb("show", "tailrace quota show", "tailrace quota show ann")
def show(
    owner: Annotated[str | None, typer.Argument(help="Whose; yours by default.", show_default=False)] = None,
    *,
    form: FormatOption = DEFAULT,
) -> None:
    """Show what you use, or somebody else, and how much that may be."""
    with session() as api:
        show_one(api.get(_path(owner) if owner else "/v1/me"), ROWS, form, key="owner")


@app.verb(
    "set", "tailrace quota set ann --max-running 4 --max-storage 100GiB", "tailrace quota set ann --max-cpus none"
)
def change(
    owner: OwnerArgument,
    *,
    max_queued: Annotated[str | None, typer.Option("--max-queued", help="So many may wait, or none: any.")] = None,
    max_running: Annotated[str | None, typer.Option("--max-running", help="So many may take a slot.")] = None,
    max_cpus: Annotated[str | None, typer.Option("--max-cpus", help="Processors of those, together.")] = None,
    max_memory: Annotated[str | None, typer.Option("--max-memory", help="Memory of those, as 64GiB.")] = None,
    max_log_bytes: Annotated[str | None, typer.Option("--max-log-bytes", help="Logs that are kept.")] = None,
    max_storage: Annotated[str | None, typer.Option("--max-storage", help="Outputs, checkpoints, files.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Change limits of an owner; for administrators. Those that are not named stay as they are."""
    said = dict(zip(LIMITS, (max_queued, max_running, max_cpus, max_memory, max_log_bytes, max_storage), strict=True))
    changes = {
        name: None if text == "none" else values.value_of(text) for name, text in said.items() if text is not None
    }
    if not changes:
        raise usage("There is nothing to change.", "See `tailrace quota set --help`.")
    with session() as api:
        # The API takes all of them at once.
        before = api.get(_path(owner))
        show_one(api.put(_path(owner), {**{name: before[name] for name in LIMITS}, **changes}), ROWS, form, key="owner")


@app.verb("delete", "tailrace quota delete ann")
def delete(owner: OwnerArgument, *, yes: YesOption = False) -> None:
    """Give an owner the default limits again; for administrators."""
    sure(f"Delete the limits of {owner}?", yes=yes)
    with session() as api:
        api.delete(_path(owner))
    remark(f"Deleted: {owner}")
