"""What the children of a `query` are about: executions that have ended, or files that were uploaded; one each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from uuid_utils.compat import uuid7

from app.auth.service import Caller
from app.batches import service
from app.batches.model import MAX_CHILDREN
from app.bootstrap import Process
from app.db.engine import reading
from app.errors import FieldError, InvalidRequest
from app.executions.query import FilterBody
from app.executions.vocabulary import LABELS, LabelKey, LabelValue, Name
from app.files import repository as files
from app.files.model import FileRecord

# The name of what a child is about: of an input, and of a directory of inputs.
EXECUTION = "execution"
FILE = "file"

Subject = UUID | FileRecord


class FileFilter(BaseModel):
    """Uploaded files, all of yours unless restricted."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "scan-"}]})

    name: Name | None = Field(default=None, description="Files whose name begins so")
    label: Annotated[dict[LabelKey, LabelValue | None], Field(max_length=LABELS)] = Field(
        default={}, description="Labels that it has; null is any value"
    )


class SubjectQuery(FilterBody):
    """Executions that match and have ended; or, with `files` and nothing else, uploaded files that match."""

    files: FileFilter | None = Field(default=None, description="Uploaded files instead of executions")

    @model_validator(mode="after")
    def _check_one_kind(self) -> Self:
        others = sorted(self.model_fields_set - {"files"})
        if self.files is not None and others:
            message = "is of executions, and does not go with `files`"
            raise PydanticCustomError("not_of_files", message, {"at": others[0]})
        return self


async def find_subjects(process: Process, caller: Caller, query: SubjectQuery) -> Sequence[Subject]:
    """Those that match, the oldest first, at least one. Raises `InvalidRequest`."""
    if query.files is None:
        return await service.find_subjects(process, caller, query.filter())
    wanted = query.files
    async with reading(process.database) as connection:
        found = await files.list_page(
            connection,
            limit=MAX_CHILDREN + 1,
            before=None,
            owner=caller.sees,
            begins=wanted.name,
            labels=wanted.label,
        )
    if not 0 < len(found) <= MAX_CHILDREN:
        message = "matches no file" if not found else f"matches more than {MAX_CHILDREN} files"
        code = "too_many" if found else "no_children"
        raise InvalidRequest.of([FieldError("query.files", code, message)])
    return found[::-1]


def a_subject(query: SubjectQuery) -> Subject:
    """One that stands for any, to try out what would become of it."""
    new = uuid7()
    if query.files is None:
        return new
    return FileRecord(
        id=new,
        owner="",
        name="name",
        media_type="",
        bytes=0,
        sha256="",
        labels={},
        created_at=datetime.now(UTC),
    )


def patch_of(subject: Subject, *, by_method: bool) -> dict[str, Any]:
    """What a child that is about it has beside the defaults. A method has an input for the file, and is given it."""
    if isinstance(subject, UUID):
        return {"inputs": {EXECUTION: str(subject)}}
    source = {"id": str(subject.id)}
    if by_method:
        return {"inputs": {FILE: {**source, "name": subject.name}}}
    path = f"{FILE}/{subject.name}"
    return {"inputs": {FILE: f"/tailrace/inputs/{path}"}, "files": {path: source}}


def upstream_of(subject: Subject) -> Mapping[str, UUID]:
    """The execution whose outputs such a child gets, by the name under which it gets them."""
    return {EXECUTION: subject} if isinstance(subject, UUID) else {}
