"""`tailrace trigger`: addresses to which others post, and something runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.failures import usage
from tailrace.cli.members import LimitOption, MemberArgument, Members, SetOption, SpecOption
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, Format, FormatOption, remark, show_list, write
from tailrace.cli.schedule import targets_of
from tailrace.cli.session import Session, session
from tailrace.cli.shown import NOTHING, ago, local, pairs, plain

app = Noun("Addresses to which others post, and something runs.")


def _state(item: Any) -> str:
    return "active" if item["enabled"] else "disabled"


COLUMNS: Columns = {
    "ID": lambda item: item["id"],
    "NAME": lambda item: plain(item["name"]),
    "STATE": _state,
    "SIGNED": lambda item: plain(item["signature"]),
    "USED": lambda item: ago(item["last_used_at"]),
    "AGE": lambda item: ago(item["created_at"]),
}
ROWS: Columns = {
    "id": lambda item: item["id"],
    "name": lambda item: plain(item["name"]),
    "note": lambda item: plain(item["note"]),
    "state": _state,
    "signed": lambda item: plain(item["signature"]),
    "submits": lambda item: ", ".join(item["target"]),
    "at most": lambda item: f"{item['max_per_minute']} a minute",
    "labels": lambda item: pairs(item["labels"]),
    "used": lambda item: local(item["last_used_at"]),
    "owner": lambda item: plain(item["owner"]),
}
DELIVERIES: Columns = {
    "AT": lambda item: local(item["at"]),
    "STATUS": lambda item: plain(item["status"]),
    "MADE": lambda item: str(item["made"]["execution"] or item["made"]["batch"]) if item["made"] else NOTHING,
    "KEY": lambda item: plain(item["key"]),
    "WHY": lambda item: plain(item["problem"]["detail"] if item["problem"] else None),
}
members = Members(app, "trigger", COLUMNS, ROWS)
members.add_list()


@app.verb(
    "create",
    "tailrace trigger create build --image busybox:local -- sh -c 'echo building $INPUT_REF'",
    "tailrace trigger create push --signature github --payload-input event --execution build.yaml",
)
def create(
    name: Annotated[str | None, typer.Argument(help="Its name.", show_default=False)] = None,
    command: Annotated[list[str] | None, typer.Argument(help="What runs, after `--`.", show_default=False)] = None,
    *,
    image: Annotated[str | None, typer.Option(help="What is submitted.")] = None,
    execution: Annotated[str | None, typer.Option(metavar="FILE|-", help="A submission as JSON or YAML.")] = None,
    batch: Annotated[str | None, typer.Option(metavar="FILE|-", help="Instead of that a batch.")] = None,
    payload_input: Annotated[str | None, typer.Option(help="The input that gets all that is posted.")] = None,
    signature: Annotated[str | None, typer.Option(help="How it is signed: github or standard_webhooks.")] = None,
    spec: SpecOption = None,
    changes: SetOption = None,
    form: FormatOption = DEFAULT,
) -> None:
    """Make a trigger, and print the address to which others post, this once.

    If they sign what they post, the secret is told with it.
    """
    target = targets_of(image, command, execution, batch)
    said = {
        "name": name, "payload_input": payload_input, "signature": signature, "target": target[0] if target else None,
    }  # fmt: skip
    body = values.merged(
        values.mapping(spec) if spec else {}, {field: value for field, value in said.items() if value is not None}
    )
    body = values.merged(body, values.settings(changes or ()))
    if "name" not in body or "target" not in body:
        raise usage("It takes a NAME and what to submit; or a --spec.", "See `tailrace trigger create --help`.")
    with session() as api:
        _tell(api, api.post("/v1/triggers", body), form)


def _tell(api: Session, made: Any, form: Format) -> None:
    """What is shown once: the address, and the secret if there is one."""
    if form is not Format.TABLE:
        members.show(made, form)
        return
    write(f"{api.client.url}{made['address']}")
    remark(f"{made['id']}. {'It is' if made['secret'] is None else 'They are'} not shown again.")
    if made["secret"] is not None:
        write(made["secret"])


members.add_common("build", "max_per_minute=10")


@app.verb("rotate", "tailrace trigger rotate build", "tailrace trigger rotate push --set overlap=3600")
def rotate(member: MemberArgument, *, changes: SetOption = None, form: FormatOption = DEFAULT) -> None:
    """Change its token, or its secret, and print the address."""
    with session() as api:
        made = api.post(members.where(api, member, "rotate"), values.settings(changes or ()) or None)
        _tell(api, made, form)


@app.verb("deliveries", "tailrace trigger deliveries build")
def deliveries(member: MemberArgument, *, limit: LimitOption = 20, form: FormatOption = DEFAULT) -> None:
    """List what was posted to it, and what came of that, newest first."""
    with session() as api:
        show_list(api.pages(members.where(api, member, "deliveries"), limit), DELIVERIES, form, key="key")
