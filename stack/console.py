"""What the stack says on the terminal: its own lines, and those of its children behind a coloured name."""

from __future__ import annotations

from rich.console import Console as Terminal
from rich.text import Text
from typing_extensions import override

NAME_WIDTH = 8
OWN_NAME = "stack"
OWN_STYLE = "dim"
STYLES = ("cyan", "yellow", "magenta", "green", "blue")


class Console:
    """Writes whole lines, each behind the name of who says it; colours on a terminal, unless `NO_COLOR` is set."""

    def __init__(self, terminal: Terminal | None = None) -> None:
        """`terminal` is for what wants more than lines: tables, progress bars."""
        self.terminal = terminal or _Standard()
        self._styles = {OWN_NAME: OWN_STYLE}

    def say(self, message: str) -> None:
        """Write a line, or several, of the stack itself."""
        for line in message.split("\n"):
            self.pass_on(OWN_NAME, line)

    def pass_on(self, name: str, line: str) -> None:
        """Write a line that `name` printed; its own colours are kept."""
        style = self._styles.setdefault(name, STYLES[len(self._styles) % len(STYLES)])
        text = Text.assemble((f"{name:<{NAME_WIDTH}} | ", style), Text.from_ansi(line))
        self.terminal.print(text, soft_wrap=True)


class _Standard(Terminal):
    """Standard output. A reader that went away (`make up | head`) is no reason to take the servers down."""

    @override
    def on_broken_pipe(self) -> None:
        self.quiet = True
