"""`tailrace login`: the address and the token in the configuration file."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from tailrace.cli.failures import usage
from tailrace.cli.noun import Noun
from tailrace.cli.output import remark
from tailrace.cli.session import CHOSEN

app = Noun()

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TABLE = re.compile(r"^[ \t]*\[")


@app.verb(
    "login",
    "tailrace login https://tailrace.example.com",
    "tailrace login --token-from data/token",
    "tailrace login https://staging.example.com --as staging; tailrace --profile staging ls",
)
def login(
    url: Annotated[str | None, typer.Argument(help="The address of the API.", show_default=False)] = None,
    *,
    token_from: Annotated[
        str | None, typer.Option("--token-from", metavar="FILE|-", help="Where the token is; else it is asked for.")
    ] = None,
    name: Annotated[str | None, typer.Option("--as", metavar="PROFILE", help="As this profile.")] = None,
) -> None:
    """Keep address and token in the configuration file, which only you can read, once the API has taken them."""
    import tailrace

    chosen = CHOSEN.get()
    profile = name or chosen.profile or os.environ.get("TAILRACE_PROFILE") or "default"
    if not _NAME.fullmatch(profile):
        raise usage(f"`{profile}` is no name of a profile.", "Letters, digits, - and _.")
    address = url or chosen.url or os.environ.get("TAILRACE_URL") or _known(profile)
    token = _token(token_from, address)
    with tailrace.Client(address, token, patience=10.0) as client:
        me = client.me()
    path = tailrace.config_path()
    keep(path, profile, url=address.rstrip("/"), token=token)
    remark(f"You are {me['owner']} ({', '.join(me['scopes'])}) at {address}. Kept in {path}.")


def _known(profile: str) -> str:
    """Where the profile has been until now."""
    import tailrace

    with suppress(tailrace.ConfigError):
        return tailrace.Client(profile=profile).url
    return tailrace.Client(profile="default").url


def _token(source: str | None, address: str) -> str:
    if source is not None:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    elif not sys.stdin.isatty():
        text = sys.stdin.read()
    else:
        text = typer.prompt(f"Token for {address}", hide_input=True, err=True)
    if not text.strip():
        raise usage("There is no token.", "It begins with trt_; an administrator makes one: `tailrace token create`.")
    return text.strip()


def keep(path: Path, profile: str, *, url: str, token: str) -> None:
    """Write one table of the file, and leave the others as they are. Nobody else can read it at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    # A string of JSON is one of TOML.
    table = f"[{profile}]\nurl = {json.dumps(url)}\ntoken = {json.dumps(token)}\n"
    # Made with the mode 0600, beside the file that it takes the place of.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".config-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(replaced(before, profile, table))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def replaced(text: str, profile: str, table: str) -> str:
    """The text of a TOML file with this table in the place of the one of that name, or at its end."""
    lines = text.splitlines(keepends=True)
    header = re.compile(rf"""^[ \t]*\[[ \t]*["']?{re.escape(profile)}["']?[ \t]*\]""")
    begins = next((index for index, line in enumerate(lines) if header.match(line)), None)
    if begins is None:
        return f"{text.rstrip()}\n\n{table}".lstrip("\n")
    ends = next((index for index in range(begins + 1, len(lines)) if _TABLE.match(lines[index])), len(lines))
    rest = "".join(lines[ends:])
    return "".join(lines[:begins]) + table + (f"\n{rest}" if rest else "")
