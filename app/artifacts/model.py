"""What a collected file is. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    """Why a file was kept."""

    OUTPUT = "output"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class ArtifactSet:
    """All files of one kind that one attempt left behind."""

    execution: UUID
    attempt: int
    kind: Kind

    def key(self, path: str) -> str:
        """Where the bytes of one of its files lie: hashed, since a program may choose names that no store takes."""
        return f"{self.prefix}/{hashlib.sha256(path.encode()).hexdigest()[:40]}"

    @property
    def prefix(self) -> str:
        """What all its keys begin with."""
        return f"{self.execution}/{self.attempt}/{self.kind}"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a file: from byte `start` on, up to before `end`. Never empty."""

    start: int
    end: int

    @property
    def bytes(self) -> int:
        """How many that are."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Artifact:
    """One collected file; `path` is relative, normalised and free of `..`."""

    path: str
    bytes: int
    sha256: str
    media_type: str
    executable: bool
