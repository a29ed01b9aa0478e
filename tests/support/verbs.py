"""The verbs of the command line, as it has them."""

from __future__ import annotations

from typing import Any

import typer

from tailrace.cli.program import VERBS, Program, app


def commands() -> dict[str, Any]:
    """Every verb by what is typed: `worker drain`."""
    program = typer.main.get_command(app)
    assert isinstance(program, Program)
    found: dict[str, Any] = {}
    for name, verb in VERBS.items():
        command = program.get_command(None, name)
        assert command is not None, name
        if verb.is_noun:
            found |= {f"{name} {inner}": each for inner, each in command.commands.items()}
        else:
            found[name] = command
    return found
