"""`python -m stack VERB`: what the Makefile calls."""

from __future__ import annotations

import argparse
import signal
import sys

from app.settings import read_settings
from stack.console import Console
from stack.demo import demo
from stack.engine import ensure_engine
from stack.errors import StackError
from stack.images import ensure_images
from stack.up import up
from stack.web import Web

VERBS = {
    "up": "run the stack in the foreground",
    "demo": "set everything up, run the example three times, and clean up",
    "engine": "make sure that there is a container engine with the base images",
    "web": "build the monitor, unless it is fresh",
    "web-lint": "check style and types of the monitor",
    "web-test": "run the tests of what is pure in the monitor",
}


def main() -> int:
    """Do what the verb says; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m stack", description="The local Tailrace stack.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, meaning in VERBS.items():
        verbs.add_parser(verb, help=meaning, description=meaning)
    arguments = parser.parse_args()
    console = Console()
    try:
        return _do(arguments.verb, console)
    except StackError as error:
        print(f"\ntailrace: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _do(verb: str, console: Console) -> int:
    match verb:
        case "demo":
            return demo(read_settings(), console)
        case "up":
            up(read_settings(), console)
        case "web":
            Web().build(console.say)
        case "web-lint":
            Web().lint(console.say)
        case "web-test":
            Web().test(console.say)
        case _:
            _engine(console)
    return 0


def _engine(console: Console) -> None:
    engine = ensure_engine(say=console.say)
    ensure_images(engine, say=console.say)
    console.say(engine.farewell or f"the container engine at {engine.docker_host} has the base images")


if __name__ == "__main__":
    sys.exit(main())
