"""A module's verbs, each with examples in its help."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand
from typing_extensions import override

F = TypeVar("F", bound=Callable[..., Any])


class Noun(typer.Typer):
    """The verbs of one module: those of a noun (`worker drain`), or some that stand by themselves (`pause`)."""

    def __init__(self, summary: str | None = None) -> None:
        super().__init__(help=summary, add_completion=False, rich_markup_mode=None, no_args_is_help=True)
        # Also with one verb it is a group.
        self.callback()(_nothing)

    def verb(self, name: str, *examples: str, **options: Any) -> Callable[[F], F]:
        """A function as a verb. Its docstring is the help, `examples` are shown below its options."""
        # The first line keeps the lines below from being filled up.
        epilog = "\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples)
        return self.command(name, cls=_Command, epilog=epilog, **options)


# What options take, as typer says it, and as people do. Of an argument its name says enough.
_KIND = re.compile(r" <(?:list\[)?(str|int|float|path)(?: range)?\]?>")
_NEEDED = re.compile(r"\{(.+)\}")
_WORDS = {"str": "TEXT", "int": "N", "float": "N", "path": "PATH"}


class _Command(TyperCommand):
    """With help for people: `--status TEXT`, not `--status <list[str]>`, and `EXECUTION`, not `{execution}`."""

    @override
    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """As documents write it."""
        return [_NEEDED.sub(lambda found: found[1].upper(), piece) for piece in super().collect_usage_pieces(ctx)]

    @override
    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                is_argument = param.param_type_name == "argument"
                name = _KIND.sub("" if is_argument else _in_words, record[0])
                sections["Arguments" if is_argument else "Options"].append((name, record[1]))
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _in_words(kind: re.Match[str]) -> str:
    return f" {_WORDS[kind[1]]}"


def _nothing() -> None:
    pass
