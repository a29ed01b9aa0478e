"""Value types of methods: names, semantic versions, who may see one, and how one stands. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import total_ordering
from typing import Annotated, Any, Self

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import override

LATEST = "latest"
VERSION_CHARS = 64
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_NUMBER = r"(?:0|[1-9][0-9]{0,8})"
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?", re.ASCII)


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A semantic version (semver.org), without build metadata: two that differ in that only would be the same."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `ValueError`."""
        match = _VERSION.fullmatch(text) if len(text) <= VERSION_CHARS else None
        if match is None:
            raise ValueError(text)
        major, minor, patch, prerelease = match.groups()
        return cls(int(major), int(minor), int(patch), tuple(prerelease.split(".")) if prerelease else ())

    @override
    def __str__(self) -> str:
        release = f"{self.major}.{self.minor}.{self.patch}"
        return f"{release}-{'.'.join(self.prerelease)}" if self.prerelease else release

    def __lt__(self, other: Version) -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[Any, ...]:
        # Of identifiers numbers come before words; what is no pre-release comes last.
        identifiers = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.prerelease)
        return self.major, self.minor, self.patch, not self.prerelease, identifiers


class Visibility(StrEnum):
    """Who finds a method and may submit it, beside its owner."""

    PRIVATE = "private"
    NAMED = "named"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A method as a submission names it; without a version it is the latest."""

    name: str
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """`name`, `name@1.2.0` or `name@latest`. Raises `ValueError`."""
        name, at, version = text.partition("@")
        if not _NAME.fullmatch(name):
            raise ValueError(text)
        if not at or version == LATEST:
            return cls(name)
        return cls(name, str(Version.parse(version)))


def is_method(text: str) -> bool:
    """Whether a submission may name a method so."""
    try:
        Wanted.parse(text)
    except ValueError:
        return False
    return True


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise PydanticCustomError(
            "bad_method_name",
            "must be a name such as `train` or `csv-report`: at most 63 lower-case letters, digits, `.`, `_` and `-`, "
            "beginning with a letter or digit",
        )
    return value


def _version(value: str) -> str:
    try:
        return str(Version.parse(value))
    except ValueError:
        raise PydanticCustomError(
            "bad_version", "must be a semantic version such as `1.2.0` or `2.0.0-rc.1`, without build metadata"
        ) from None


def _wanted(value: str) -> str:
    if not is_method(value):
        raise PydanticCustomError("bad_method", "must be a method: `name`, `name@1.2.0` or `name@latest`")
    return value


MethodName = Annotated[
    str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$", "maxLength": 63})
]
VersionText = Annotated[
    str,
    AfterValidator(_version),
    WithJsonSchema({"type": "string", "pattern": f"^{_VERSION.pattern}$", "maxLength": VERSION_CHARS}),
]
MethodText = Annotated[str, AfterValidator(_wanted), WithJsonSchema({"type": "string", "maxLength": 128})]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """One version of a method, as it is kept. It is a draft until it is published."""

    method: str
    version: str
    document: dict[str, Any]
    created_by: str
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    retired_at: datetime | None

    @property
    def is_draft(self) -> bool:
        """Whether it may still change."""
        return self.published_at is None

    @property
    def order(self) -> Version:
        """Where it stands among the others."""
        return Version.parse(self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodRecord:
    """A method, without its versions. `runnable` is the switch; `disabled_…` say who turned it off, and why.

    `failures` counts the executions in a row that failed, as far as `pause_after_failures` asks for it.
    """

    name: str
    owner: str
    visibility: Visibility
    shared_with: list[str]
    runnable: bool
    disabled_by: str | None
    disabled_at: datetime | None
    disabled_reason: str | None
    max_running: int | None
    pause_after_failures: int | None
    failures: int
    retired_at: datetime | None
    created_at: datetime
    updated_at: datetime
