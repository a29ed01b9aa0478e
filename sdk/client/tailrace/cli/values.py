"""What options say, as values: `KEY=VALUE`, JSON or text, durations, documents, files. Pure but for reading."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path, PurePath
from typing import Any

from tailrace.cli.failures import usage

Json = dict[str, Any]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
# Limits that are whole seconds.
CLOCKS = frozenset({"queue_timeout", "pull_timeout", "timeout", "idle_timeout", "warn_before", "grace", "notice"})


def pair(text: str, option: str) -> tuple[str, str]:
    """`KEY=VALUE`, split at the first `=`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise usage(f"{option} takes KEY=VALUE, not `{text}`.")
    return key, value


def value_of(text: str) -> Any:
    """JSON if it is some, else the text itself: `3`, `true`, `[1, 2]`, `cat`."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return text


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def seconds(text: str) -> int:
    """`90`, `90s`, `10m`, `2h30m`, `1.5d` as whole seconds."""
    if text.isdecimal():
        return int(text)
    if not _DURATION.fullmatch(text):
        raise usage(f"`{text}` is no duration.", "Durations are seconds, or such as 90s, 10m, 2h30m, 1.5d.")
    return round(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))


def moment(text: str) -> str:
    """What is so long ago, as RFC 3339; anything else as it is."""
    if not _DURATION.fullmatch(text):
        return text
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds(text))).isoformat()


def limit(text: str) -> tuple[str, Any]:
    """`memory=1GiB`, `timeout=2h`, `cpus=0.5`."""
    key, value = pair(text, "--limit")
    said = value_of(value)
    return key, seconds(said) if key in CLOCKS and isinstance(said, str) else said


def label(text: str) -> tuple[str, str]:
    """`team=a`; a key alone has no value, as in a filter."""
    key, _, value = text.partition("=")
    return key, value


def from_environment(text: str, option: str) -> tuple[str, str]:
    """`KEY=VALUE`; `KEY=@FILE` is what a file has; `KEY` alone is the variable of that name here."""
    key, equals, value = text.partition("=")
    if not equals:
        if key not in os.environ:
            raise usage(f"{option} {key}: there is no such variable in this environment.", f"Or give {key}=VALUE.")
        return key, os.environ[key]
    return key, Path(value[1:]).read_text(encoding="utf-8").rstrip("\n") if value.startswith("@") else value


def variables(path: Path) -> dict[str, str]:
    """A file of `KEY=VALUE` lines, with `#` comments; a key alone is taken from this environment."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return dict(from_environment(line, str(path)) for line in lines if line and not line.startswith("#"))


def document(path: str) -> Any:
    """A JSON or YAML file; `-` is stdin."""
    import yaml

    text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    try:
        return json.loads(text) if text.lstrip().startswith(("{", "[")) else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise usage(f"{path} is neither JSON nor YAML: {' '.join(str(error).split())}") from error


def mapping(path: str) -> Json:
    """A document that is an object."""
    value = document(path)
    if not isinstance(value, dict):
        raise usage(f"{path} has to be an object with the fields, and is none.")
    return value


def put(into: Json, path: str, value: Any) -> None:
    """Set `limits.memory` and the like. A dot with a backslash before it is no end of a name."""
    *parents, last = [part.replace("\0", ".") for part in path.replace("\\.", "\0").split(".")]
    for parent in parents:
        inner = into.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise usage(f"--set {path}: `{parent}` is no object.")
        into = inner
    into[last] = value


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Json:
    """Objects key by key, anything else from above."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def settings(texts: Iterable[str]) -> Json:
    """What `--set FIELD=VALUE` says, together."""
    result: Json = {}
    for text in texts:
        path, value = pair(text, "--set")
        put(result, path, value_of(value))
    return result


def source_of(text: str) -> tuple[str, Json]:
    """`[PATH=]SOURCE`: `http(s)://…`, `id:…`, or a local file, which is marked as one to `upload`."""
    path, equals, source = text.partition("=")
    if not equals or path.startswith(("http:", "https:", "id:")):
        path, source = "", text
    if source.startswith(("http://", "https://")):
        return path or PurePath(source.split("?")[0]).name, {"url": source}
    if source.startswith("id:"):
        if not path:
            raise usage(f"--file {text} needs a path: --file data.csv={text}")
        return path, {"id": source.removeprefix("id:")}
    if not Path(source).is_file():
        raise usage(f"--file: `{source}` is no file here.", "It takes [PATH=]FILE, [PATH=]https://…, or PATH=id:….")
    return path or Path(source).name, {"upload": source}
