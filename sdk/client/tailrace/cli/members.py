"""`ls`, `show`, `set`, `enable`, `disable`, `delete` of nouns whose members are alike in that."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tailrace.cli import values
from tailrace.cli.failures import usage
from tailrace.cli.keeping import YesOption, sure
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Columns, Format, FormatOption, remark, show_list, show_one
from tailrace.cli.session import Session, session

MemberArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Its id, the first digits of it, @last, or what it is called.")
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")]
SpecOption = Annotated[str | None, typer.Option("--spec", metavar="FILE|-", help="All of it as JSON or YAML.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Any field; null takes it away.")
]


class Members:
    """The members of a noun: how they are listed and shown, and by which field besides the id they are called."""

    def __init__(self, app: Noun, noun: str, columns: Columns, rows: Columns, *, called_by: str = "name") -> None:
        self.noun = noun
        self.path = f"/v1/{noun}s"
        self.rows = rows
        self._columns = columns
        self._called_by = called_by
        self._app = app

    def where(self, api: Session, text: str, *parts: str) -> str:
        """The path of the one that is meant."""
        return "/".join((self.path, api.one_of(self.noun, text, name=self._called_by), *parts))

    def show(self, item: Any, form: Format) -> None:
        """One of them."""
        show_one(item, self.rows, form)

    def add_list(self) -> None:
        """`ls`."""

        @self._app.verb("ls", f"tailrace {self.noun} ls", help=f"List your {self.noun}s, newest first.")
        def ls(*, limit: LimitOption = 200, form: FormatOption = DEFAULT) -> None:
            with session() as api:
                show_list(api.pages(self.path, limit), self._columns, form)

    def add_common(self, example: str, change: str) -> None:
        """The rest. `example` is how one is called, `change` something that can be set."""
        noun, verb = self.noun, self._app.verb

        @verb("show", f"tailrace {noun} show {example}", help=f"Show a {noun}.")
        def show(member: MemberArgument, *, form: FormatOption = DEFAULT) -> None:
            with session() as api:
                self.show(api.get(self.where(api, member)), form)

        @verb("set", f"tailrace {noun} set {example} --set {change}", help=f"Change fields of a {noun}.")
        def change_it(
            member: MemberArgument, *, changes: SetOption = None, spec: SpecOption = None, form: FormatOption = DEFAULT
        ) -> None:
            body = values.merged(values.mapping(spec) if spec else {}, values.settings(changes or ()))
            if not body:
                raise usage("There is nothing to change.", f"See `tailrace {noun} set --help`.")
            self._change(member, body, form)

        @verb("enable", f"tailrace {noun} enable {example}", help=f"Switch a {noun} on again.")
        def enable(member: MemberArgument, *, form: FormatOption = DEFAULT) -> None:
            self._change(member, {"enabled": True}, form)

        @verb("disable", f"tailrace {noun} disable {example}", help=f"Switch a {noun} off, and keep it.")
        def disable(member: MemberArgument, *, form: FormatOption = DEFAULT) -> None:
            self._change(member, {"enabled": False}, form)

        @verb("delete", f"tailrace {noun} delete {example}", help=f"Delete a {noun}.")
        def delete(member: MemberArgument, *, yes: YesOption = False) -> None:
            with session() as api:
                found = self.where(api, member)
                sure(f"Delete the {noun} {member}?", yes=yes)
                api.delete(found)
            remark(f"Deleted: {found.rpartition('/')[2]}")

    def _change(self, member: str, body: Any, form: Format) -> None:
        with session() as api:
            self.show(api.patch(self.where(api, member), body), form)
