"""The command line `tailrace`. Modules are called after their nouns, and loaded when one of their verbs is used."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """What the console script calls."""
    from tailrace.cli.program import execute

    sys.exit(execute(sys.argv[1:]))
