"""A module's verbs, each with examples in its help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import typer

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
        return self.command(name, epilog=epilog, **options)


def _nothing() -> None:
    pass
