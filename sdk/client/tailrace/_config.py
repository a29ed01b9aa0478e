"""Which server, and as whom: arguments, then variables, then the configuration file, then the default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tailrace._errors import ConfigError

DEFAULT_URL = "http://127.0.0.1:8700"


@dataclass(frozen=True)
class Config:
    """An address and a token, and where each comes from."""

    url: str
    """Without a slash at its end."""
    token: str | None = field(default=None, repr=False)
    """None is for a server that asks for none, or to find out that there is none."""
    url_from: str = "argument"
    """`argument`, `TAILRACE_URL`, `configuration file`, `default` and the like."""
    token_from: str | None = None
    """The same; None if there is none."""


def config_path() -> Path:
    """The configuration file: `TAILRACE_CONFIG`, or `tailrace/config.toml` where configurations are kept."""
    named = os.environ.get("TAILRACE_CONFIG")
    if named:
        return Path(named).expanduser()
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "tailrace" / "config.toml"


def configured(url: str | None = None, token: str | None = None, *, profile: str | None = None) -> Config:
    """Find out the server and the token.

    A profile that is named as an argument comes before variables. A token of the file is sent to the address that
    stands beside it, and to no other.

    Raises:
        ConfigError: There is no such profile, or a file cannot be read.
    """
    table = _table(profile)
    named = f"profile {profile}" if profile else "configuration file"
    steps = [("argument", url), ("TAILRACE_URL", os.environ.get("TAILRACE_URL")), (named, table.get("url"))]
    if profile:
        steps[1], steps[2] = steps[2], steps[1]
    address, address_from = next(((value, where) for where, value in steps if value), (DEFAULT_URL, "default"))
    address = _checked(str(address).rstrip("/"), address_from)

    kept = table.get("token") if str(table.get("url") or DEFAULT_URL).rstrip("/") == address else None
    tokens = [("argument", token), *_from_environment(), (named, kept)]
    if profile:
        tokens.insert(1, tokens.pop())
    secret, secret_from = next(((value, where) for where, value in tokens if value), (None, None))
    sendable = _sendable(str(secret).strip(), str(secret_from)) if secret else None
    return Config(address, sendable, address_from, secret_from)


def _checked(url: str, where: str) -> str:
    try:
        parts = urlsplit(url)
        # Only to read a port tells that it is none.
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ConfigError(
            f"`{url}` ({where}) is no address of a Tailrace.", hint="It looks like https://tailrace.example.com."
        )
    return url


def _sendable(token: str, where: str) -> str:
    """What a header can have. The message does not show it."""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(f"The token ({where}) is none: it has spaces, line breaks, or letters that no token has.")
    return token


def _from_environment() -> list[tuple[str, str | None]]:
    path = os.environ.get("TAILRACE_TOKEN_FILE")
    if os.environ.get("TAILRACE_TOKEN") or not path:
        return [("TAILRACE_TOKEN", os.environ.get("TAILRACE_TOKEN"))]
    try:
        return [("TAILRACE_TOKEN_FILE", Path(path).read_text(encoding="utf-8").strip())]
    except OSError as error:
        raise ConfigError(f"TAILRACE_TOKEN_FILE cannot be read: {error}") from error


def _table(profile: str | None) -> Mapping[str, Any]:
    """What the file says under a profile; nothing if there is no file and none was asked for."""
    name = profile or os.environ.get("TAILRACE_PROFILE") or "default"
    path = config_path()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        document: Mapping[str, Any] = {}
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    else:
        document = _parsed(text, path)
    table = document.get(name)
    if isinstance(table, Mapping):
        return table
    if name == "default":
        return {}
    known = ", ".join(sorted(key for key, value in document.items() if isinstance(value, Mapping))) or "none"
    raise ConfigError(f"There is no profile `{name}` in {path}.", hint=f"It has: {known}.")


def _parsed(text: str, path: Path) -> Mapping[str, Any]:
    try:
        import tomllib as toml
    except ImportError:
        import tomli as toml  # type: ignore[import-not-found, no-redef]
    try:
        return toml.loads(text)
    except toml.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error
