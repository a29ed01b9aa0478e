"""What is in a bundle, and in which form. Pure.

A bundle is a zip. Its last member, `manifest.json`, names the documents in it with their sizes and SHA-256; one of
them lists the files, with theirs. What is read was written by anybody: every model here checks what it is given.
"""

from __future__ import annotations

import base64
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.artifacts.model import ArtifactSet, Kind
from app.executions.model import Lane, Limits, Retries, Spec
from app.executions.states import STATUS_OF, TERMINAL, Cause, Status
from app.executions.vocabulary import IsJson, Labels, Moment
from app.logs.protocol import STREAM_OF, GapReason

# In the first form the list of files was one JSON document, and the manifest named the files, too.
VERSION = 2

MANIFEST = "manifest.json"
RECORD = "record.json"
EVENTS = "events.json"
ATTEMPTS = "attempts.json"
PROVENANCE = "prov.json"
FILES = "files.ndjson"
FILES_AT_FIRST = "files.json"
LOG = "log.ndjson"

_SHORT = 200
_LONG = 100_000
# Bytes of JSON of what a program has said, more than any may say here.
_SAID = 1024 * 1024


class Contents(StrEnum):
    """How much is in it: the record alone, its outputs too, or its log and its checkpoint as well."""

    RECORD = "record"
    OUTPUTS = "outputs"
    ALL = "all"


def _plain(value: str) -> str:
    if "\0" in value:
        raise ValueError("has a NUL character")
    return value


def _base64(value: str) -> str:
    base64.b64decode(value, validate=True)
    return value


def _bounded(value: Any) -> Any:
    if len(orjson.dumps(value)) > _SAID:
        raise ValueError("is too large")
    return value


Short = Annotated[str, Field(min_length=1, max_length=_SHORT), AfterValidator(_plain)]
Long = Annotated[str, Field(max_length=_LONG), AfterValidator(_plain)]
Count = Annotated[int, Field(ge=0, lt=2**62)]
Code = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    # A later version of the format may say more.
    model_config = ConfigDict(extra="ignore", from_attributes=True)

    def dump(self) -> bytes:
        """Its JSON, for people too."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_INDENT_2)


class Member(_Part):
    """One member of the zip."""

    bytes: Count
    sha256: Sha256


class Seal(_Part):
    """A keyed hash of the manifest, and which key that was: who has it knows whether anything was changed."""

    key: Sha256
    mac: Sha256


class Manifest(_Part):
    """What the bundle is, and of which documents."""

    format: Literal["tailrace-bundle"] = "tailrace-bundle"
    version: Annotated[int, Field(ge=1, le=VERSION)] = VERSION
    tailrace: Short
    instance: UUID
    exported_at: Moment
    exported_by: Short
    execution: UUID
    contents: Contents
    members: dict[str, Member]
    seal: Seal | None = None

    @property
    def list_of_files(self) -> str:
        """Which member that is."""
        return FILES if self.version > 1 else FILES_AT_FIRST

    @property
    def sealed(self) -> bytes:
        """What the seal is of: all but itself, in one form."""
        return orjson.dumps(self.model_dump(mode="json", exclude={"seal"}), option=orjson.OPT_SORT_KEYS)


class BundledLineage(_Part):
    """Where it came from, over there."""

    resumed_from: UUID | None = None
    rerun_of: UUID | None = None
    batch_id: UUID | None = None
    batch_index: Count | None = None
    batch_size: Count | None = None
    batch_key: Short | None = None
    schedule_id: UUID | None = None


class BundledRecord(_Part):
    """The record of an execution that has ended."""

    id: UUID
    owner: Short
    source: Short
    name: Long | None
    note: Long | None
    labels: Labels
    pool: Short
    spec: Spec
    limits: Limits
    retries: Retries
    priority: Annotated[int, Field(ge=-100, le=100)]
    lane: Lane
    image_id: Short | None
    image_digest: Short | None
    status: Status
    cause: Cause
    message: Long | None
    exit_code: Code | None
    oom_killed: bool
    attempt: Annotated[int, Field(ge=0, lt=2**31)]
    ran_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    announced: bool
    progress_percent: Annotated[int, Field(ge=0, le=100)] | None
    progress_phase: Long | None
    progress_at: Moment | None
    warnings: Annotated[list[Any], IsJson, AfterValidator(_bounded)]
    result: Annotated[Any, IsJson, AfterValidator(_bounded)]
    log_lines: Count
    log_bytes: Count
    log_truncated: bool
    log_complete: bool | None
    outputs_partial: bool
    outputs_expired_at: Moment | None
    checkpoint_expired_at: Moment | None
    deadline: Moment | None
    created_at: Moment
    queued_at: Moment
    started_at: Moment | None
    finished_at: Moment
    lineage: BundledLineage = BundledLineage()

    @model_validator(mode="after")
    def _check_end(self) -> Self:
        if self.status not in TERMINAL or STATUS_OF[self.cause] is not self.status:
            raise ValueError(f"{self.status} is no end, or not that of {self.cause}")
        return self


class BundledEvent(_Part):
    """One entry of its history."""

    number: Annotated[int, Field(ge=1, lt=2**31)]
    from_status: Status | None
    to_status: Status
    cause: Cause | None
    message: Long | None
    actor: Short
    attempt: Annotated[int, Field(ge=0, lt=2**31)]
    at: Moment


class BundledAttempt(_Part):
    """One of its containers."""

    number: Annotated[int, Field(ge=1, lt=2**31)]
    worker_id: UUID
    engine_id: Short
    container_name: Short | None
    container_id: Short | None
    claimed_at: Moment
    started_at: Moment | None
    stop_written_at: Moment | None
    signaled_at: Moment | None
    killed_at: Moment | None
    exited_at: Moment | None
    finished_at: Moment | None
    exit_code: Code | None
    oom_killed: bool | None
    cause: Cause | None
    message: Long | None
    may_have_run: bool | None
    last_seq: Count | None
    checkpoint_files: Count
    checkpoint_bytes: Count


class BundledFile(_Part):
    """One output, or a file of its checkpoint; `member` is where its bytes are."""

    member: Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_plain)]
    execution: UUID
    kind: Kind
    attempt: Annotated[int, Field(ge=0, lt=2**31)]
    path: Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_plain)]
    bytes: Count
    sha256: Sha256
    media_type: Short
    executable: bool

    @property
    def group(self) -> ArtifactSet:
        """Those that it was kept with."""
        return ArtifactSet(self.execution, self.attempt, self.kind)


class BundledLine(_Part):
    """One record of the log; `raw` is base64 of its bytes where they are no text."""

    seq: Annotated[int, Field(ge=1, lt=2**62)]
    at: Annotated[int, Field(ge=0, lt=2**53, description="Unix milliseconds")]
    stream: Literal["stdout", "stderr", "system"]
    # Whatever a program has written, NUL characters too.
    text: Annotated[str, Field(max_length=_LONG)]
    continues: bool = False
    raw: Annotated[str, Field(max_length=_LONG), AfterValidator(_base64)] | None = None

    @property
    def letter(self) -> str:
        """Its stream, as frames name it."""
        return next(letter for letter, stream in STREAM_OF.items() if stream == self.stream)


class BundledGap(_Part):
    """Lines that were not kept, both ends included."""

    first: Annotated[int, Field(ge=1, lt=2**62)]
    last: Annotated[int, Field(ge=1, lt=2**62)]
    gap: GapReason


class Imported(_Part):
    """Where an imported execution comes from; `sealed` says that nobody has changed it on its way."""

    at: datetime
    by: Short
    instance: UUID
    exported_at: Moment
    owner: Short
    sealed: bool
    lineage: BundledLineage
