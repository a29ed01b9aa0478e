"""`tailrace method`: named and versioned templates."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.failures import usage
from tailrace.cli.keeping import YesOption, sure
from tailrace.cli.noun import Noun
from tailrace.cli.output import (
    DEFAULT,
    Columns,
    Format,
    FormatOption,
    remark,
    show_document,
    show_list,
    show_one,
    write,
)
from tailrace.cli.session import session
from tailrace.cli.shown import NOTHING, ago, local, plain

app = Noun("Named and versioned templates.")

NameArgument = Annotated[str, typer.Argument(help="Its name.")]
VersionArgument = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="The latest unless said otherwise.")]


def _state(item: Any) -> str:
    if item["disabled"]:
        return "disabled"
    return "retired" if item["retired_at"] else "published" if item["latest"] else "draft"


def _versions(item: Any) -> str:
    return ", ".join(f"{plain(version['version'])} ({plain(version['status'])})" for version in item["versions"])


COLUMNS: Columns = {
    "NAME": lambda item: plain(item["name"]),
    "LATEST": lambda item: plain(item["latest"]),
    "STATE": _state,
    "TITLE": lambda item: plain(item["title"]),
    "OWNER": lambda item: plain(item["owner"]),
    "CHANGED": lambda item: ago(item["updated_at"]),
}
ROWS: Columns = {
    "name": lambda item: plain(item["name"]),
    "title": lambda item: plain(item["title"]),
    "description": lambda item: plain(item["description"]).replace("�", "\n"),
    "state": _state,
    "latest": lambda item: plain(item["latest"]),
    "versions": _versions,
    "owner": lambda item: plain(item["owner"]),
    "seen by": lambda item: plain(item["visibility"]),
    "disabled": lambda item: plain(item["disabled"]["reason"]) if item["disabled"] else NOTHING,
    "changed": lambda item: local(item["updated_at"]),
}
VERSION_ROWS: Columns = {
    "method": lambda item: plain(item["method"]),
    "version": lambda item: plain(item["version"]),
    "state": lambda item: plain(item["status"]),
    "published": lambda item: local(item["published_at"]),
}


def _path(text: str) -> str:
    name, _, version = text.partition("@")
    return f"/v1/methods/{name}/versions/{version or 'latest'}"


@app.verb("ls", "tailrace method ls", "tailrace method ls -q words --owner ann")
def ls(
    *,
    query: Annotated[str | None, typer.Option("--query", "-q", help="Words of it.")] = None,
    keyword: Annotated[str | None, typer.Option(help="With this keyword.")] = None,
    category: Annotated[str | None, typer.Option(help="Of this category.")] = None,
    owner: Annotated[str | None, typer.Option(help="Of this owner.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 200,
    form: FormatOption = DEFAULT,
) -> None:
    """List the methods that you may see, by name."""
    with session() as api:
        found = api.pages("/v1/methods", limit, q=query, keyword=keyword, category=category, owner=owner)
        show_list(found, COLUMNS, form, key="name")


@app.verb("show", "tailrace method show word-count", "tailrace method show word-count@1.0.0 -o yaml")
def show(method: VersionArgument, *, form: FormatOption = DEFAULT) -> None:
    """Show a method and its versions; with a version that one, as `-o yaml` with its document."""
    with session() as api:
        if "@" in method:
            show_one(api.get(_path(method)), VERSION_ROWS, form, key="version")
        else:
            show_one(api.get(f"/v1/methods/{method}"), ROWS, form, key="name")


@app.verb("import", "tailrace method import word-count.yaml --publish", "tailrace method import - < method.json")
def take_in(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A document as YAML or JSON.")],
    *,
    publish: Annotated[bool, typer.Option("--publish", help="At once; else it is a draft.")] = False,
    form: FormatOption = DEFAULT,
) -> None:
    """Make a version of a method from a file. The same file again changes nothing."""
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    with session() as api:
        made = api.client.request(
            "POST",
            "/v1/methods:import",
            params={"publish": publish},
            content=content,
            headers={"Content-Type": "application/yaml"},
            repeatable=True,
        )
        show_one(made, VERSION_ROWS, form, key="version")


@app.verb("export", "tailrace method export word-count@1.0.0 > word-count.yaml")
def export(
    method: VersionArgument,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, not YAML.")] = False,
) -> None:
    """Print the document of a version."""
    with session() as api:
        shape = {"format": "json" if as_json else "yaml"}
        document = b"".join(api.client.stream(f"{_path(method)}/export", params=shape))
        write(document.decode().rstrip("\n"))


@app.verb("diff", "tailrace method diff word-count 1.0.0 1.1.0")
def diff(
    name: NameArgument,
    before: Annotated[str, typer.Argument(metavar="FROM", help="A version.")],
    after: Annotated[str, typer.Argument(metavar="TO", help="Another one.")],
    *,
    form: FormatOption = DEFAULT,
) -> None:
    """Show what differs between two versions."""
    with session() as api:
        found = api.client.request("GET", f"/v1/methods/{name}/diff", params={"from": before, "to": after})
        show_document(found["changes"] if form is Format.TABLE else found, form)


@app.verb("draft", "tailrace method draft word-count 1.1.0 --set limits.timeout=7200")
def draft(
    name: NameArgument,
    version: Annotated[str, typer.Argument(help="The new one.")],
    *,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="What differs.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Make a new version from the latest, to be published."""
    with session() as api:
        body = {"version": version, "changes": values.settings(changes or ())}
        show_one(api.post(f"/v1/methods/{name}/versions", body), VERSION_ROWS, form, key="version")


@app.verb("publish", "tailrace method publish word-count@1.1.0")
def publish(method: VersionArgument, *, form: FormatOption = DEFAULT) -> None:
    """Publish a draft. From then on it never changes."""
    _act(method, "publish", form)


@app.verb("retire", "tailrace method retire word-count@1.0.0")
def retire(method: VersionArgument, *, form: FormatOption = DEFAULT) -> None:
    """Let a version be submitted no more."""
    _act(method, "retire", form)


@app.verb("restore", "tailrace method restore word-count@1.0.0")
def restore(method: VersionArgument, *, form: FormatOption = DEFAULT) -> None:
    """Take back a retired version."""
    _act(method, "restore", form)


@app.verb("clone", "tailrace method clone word-count my-count")
def clone(
    name: NameArgument, new: Annotated[str, typer.Argument(help="Its new name.")], *, form: FormatOption = DEFAULT
) -> None:
    """Make a method of your own from another."""
    with session() as api:
        show_one(api.post(f"/v1/methods/{name}/clone", {"name": new}), VERSION_ROWS, form, key="version")


@app.verb(
    "set", "tailrace method set word-count --set retired=true", "tailrace method set word-count --set max_running=2"
)
def change(
    name: NameArgument,
    *,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Any field.")] = None,
    spec: Annotated[str | None, typer.Option("--spec", metavar="FILE|-", help="Changes as JSON or YAML.")] = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Change what is said of all versions: who may see it, whether it is listed, how many may run."""
    body = values.merged(values.mapping(spec) if spec else {}, values.settings(changes or ()))
    if not body:
        raise usage("There is nothing to change.", "See `tailrace method set --help`.")
    with session() as api:
        show_one(api.patch(f"/v1/methods/{name}", body), ROWS, form, key="name")


@app.verb("disable", "tailrace method disable word-count 'The data is being moved.'")
def disable(name: NameArgument, reason: Annotated[str, typer.Argument(help="For whoever submits it.")]) -> None:
    """Accept and start nothing of it until it is enabled."""
    with session() as api:
        api.post(f"/v1/methods/{name}/disable", {"reason": reason})
    remark(f"Disabled: {name}")


@app.verb("enable", "tailrace method enable word-count")
def enable(name: NameArgument) -> None:
    """Accept and start it again."""
    with session() as api:
        api.post(f"/v1/methods/{name}/enable")
    remark(f"Enabled: {name}")


@app.verb("delete", "tailrace method delete word-count", "tailrace method delete word-count@1.1.0-rc.1")
def delete(method: VersionArgument, *, yes: YesOption = False) -> None:
    """Delete a method that was never published, or one draft."""
    sure(f"Delete {method}?", yes=yes)
    with session() as api:
        api.delete(_path(method) if "@" in method else f"/v1/methods/{method}")
    remark(f"Deleted: {method}")


def _act(method: str, verb: str, form: Format) -> None:
    with session() as api:
        show_one(api.post(f"{_path(method)}/{verb}"), VERSION_ROWS, form, key="version")
