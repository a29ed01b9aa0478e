"""A document as a file: JSON, or YAML by its core schema. Pure.

YAML is read as what JSON can say, too: no references, no tags, no dates, and `no` is a word. So nothing in a file of a
bounded size can become larger than it is, and what was exported comes back as it was.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable
from enum import StrEnum
from typing import Any

import orjson
import yaml
from typing_extensions import override

from app.errors import MalformedRequest
from app.methods.document import DOCUMENT_BYTES

DEPTH = 64
# What a reader looks for first.
_FIRST = ("name", "version", "title", "description", "keywords", "category", "authors")


class FileFormat(StrEnum):
    """What a method is exported as."""

    YAML = "yaml"
    JSON = "json"

    @property
    def media_type(self) -> str:
        """Its media type (RFC 9512 for YAML)."""
        return f"application/{self}"


class _Loader(yaml.SafeLoader):
    """By the core schema of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own protocol

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := sorted(key for key, times in keys.items() if times > 1):
            raise ValueError(f"it has `{twice[0]}` twice in one object")
        return super().construct_mapping(node, deep)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("it has a number that is too large")
    return value


class _Dumper(yaml.SafeDumper):
    """Quotes what either schema would take for something else than text, and keeps lines of text."""


_CORE = {
    "null": (r"null|Null|NULL|~|", "nN~"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+0123456789."),
}
for _tag, (_pattern, _first) in _CORE.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})\\Z"), [*_first, ""])
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(str(node.value)))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: _finite(float(str(node.value))))
# Line ends of YAML 1.1 only: what writes and what reads them may differ in that.
_ODD_BREAKS = re.compile("[\x85\u2028\u2029]")


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _ODD_BREAKS.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def read(data: bytes, format_: FileFormat) -> dict[str, Any]:
    """What is in the file. Raises `MalformedRequest`."""
    if len(data) > DOCUMENT_BYTES:
        raise MalformedRequest("The file must be at most 256 KiB.")
    try:
        value = orjson.loads(data) if format_ is FileFormat.JSON else _read_yaml(data)
    except (ValueError, TypeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise MalformedRequest(f"The file is not {format_.name}: {reason}.") from None
    if not isinstance(value, dict):
        raise MalformedRequest("The file must have an object: the document of a method.")
    return value


def written(document: dict[str, Any], format_: FileFormat) -> bytes:
    """The file."""
    document = {name: document[name] for name in _FIRST if name in document} | document
    if format_ is FileFormat.JSON:
        return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text.encode()


def _read_yaml(data: bytes) -> Any:
    text = data.decode()
    depth = 0
    # By events first: neither a reference nor depth is followed before it is refused.
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ValueError("it has anchors or aliases, which are not read")
        if getattr(event, "tag", None):
            raise ValueError("it has tags, which are not read")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise ValueError(f"it is nested deeper than {DEPTH} levels")
    value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    # As JSON has it: keys are text, numbers are finite and have 64 bits.
    return orjson.loads(orjson.dumps(value))
