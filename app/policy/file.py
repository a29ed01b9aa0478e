"""The policy's file: YAML, every mistake told with its line, read again when it has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog
import yaml
from pydantic import ValidationError

from app.explaining import fields_of
from app.policy.model import NO_POLICY, Policy

log = structlog.get_logger(__name__)

FILE_BYTES = 64 * 2**10
MISTAKES_TOLD = 20

Stamp = tuple[int, int, int]


class BadPolicy(RuntimeError):
    """The file of `TAILRACE_POLICY` cannot be used; the message says where and why."""


def parse(text: str) -> Policy:
    """The policy. Raises `BadPolicy`."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            raise BadPolicy("it is empty; `{}` allows what there is without a policy")
        found = yaml.safe_load(text)
        if mistakes := list(_twice(node)):
            raise BadPolicy("; ".join(mistakes[:MISTAKES_TOLD]))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadPolicy(f"line {mark.line + 1 if mark else '?'}: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise BadPolicy(f"it is not YAML: {error}") from None
    except RecursionError:
        raise BadPolicy("it is nested too deeply, or within itself") from None
    try:
        return Policy.model_validate(found)
    except ValidationError as error:
        mistakes = [
            f"line {_line_of(node, each['loc'])}: `{field.field or 'the whole'}` {field.message}"
            for each, field in (
                (each, fields_of([{**each, "loc": ("file", *each["loc"])}])[0]) for each in error.errors()
            )
        ]
        raise BadPolicy("; ".join(mistakes[:MISTAKES_TOLD])) from None


def _twice(node: yaml.Node) -> Iterator[str]:
    """Keys that one object has twice: of a policy, which of them counts is nothing to guess."""
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield f"line {key.start_mark.line + 1}: `{key.value}` is there twice"
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
            yield from _twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _twice(each)


def _line_of(node: yaml.Node, path: Sequence[int | str]) -> int:
    """The line of what stands at this path, or of the last that is there."""
    line = node.start_mark.line
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == step), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
    return line + 1


class PolicyFile:
    """The policy as its file has it now. A file that has become bad or is gone changes nothing, and is told once."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises `BadPolicy`."""
        self._path = path
        self._policy = NO_POLICY
        self._read: Stamp | None = None
        self._is_old = False
        if path is not None:
            try:
                self._read = _stamp(path)
                self._policy = _load(path)
            except (OSError, BadPolicy) as error:
                raise BadPolicy(f"{path}: {error}") from None

    @property
    def current(self) -> Policy:
        """The policy; of a file that was changed, what it says now."""
        if self._path is not None:
            self._look(self._path)
        return self._policy

    @property
    def is_old(self) -> bool:
        """Whether the file says something that cannot be read, so that what it said before still holds."""
        if self._path is not None:
            self._look(self._path)
        return self._is_old

    def _look(self, path: Path) -> None:
        try:
            stamp = _stamp(path)
        except OSError:
            stamp = (0, 0, 0)
        if stamp == self._read:
            return
        self._read = stamp
        try:
            self._policy = _load(path)
            self._is_old = False
        except (OSError, BadPolicy) as error:
            self._is_old = True
            log.error("policy.not_read", path=str(path), error=str(error))  # noqa: TRY400
        else:
            log.info("policy.read", path=str(path))


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _load(path: Path) -> Policy:
    with path.open("rb") as file:
        content = file.read(FILE_BYTES + 1)
    if len(content) > FILE_BYTES:
        raise BadPolicy(f"it has more than {FILE_BYTES} bytes")
    try:
        return parse(content.decode())
    except UnicodeDecodeError:
        raise BadPolicy("it is not text in UTF-8") from None
