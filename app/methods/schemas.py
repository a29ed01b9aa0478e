"""What clients get to see of methods."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import override

from app.methods import examples
from app.methods.comparing import Difference, differences
from app.methods.model import MethodRecord, VersionRecord, Visibility
from app.methods.repository import Shown
from app.methods.service import Details


class VersionStatus(StrEnum):
    """How a version stands."""

    DRAFT = "draft"
    PUBLISHED = "published"
    RETIRED = "retired"

    @classmethod
    def of(cls, record: VersionRecord) -> Self:
        """From the record."""
        if record.is_draft:
            return cls("draft")
        return cls("retired" if record.retired_at else "published")


class VersionSummary(BaseModel):
    """One version among the others."""

    version: str
    status: VersionStatus
    published_at: datetime | None
    retired_at: datetime | None

    @classmethod
    def of(cls, record: VersionRecord) -> Self:
        """From the record."""
        return cls(
            version=record.version,
            status=VersionStatus.of(record),
            published_at=record.published_at,
            retired_at=record.retired_at,
        )


class MethodVersionView(VersionSummary):
    """One version with its document. A draft may change, what is published does not."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.VERSION]})

    method: str
    document: dict[str, Any]
    created_by: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    @override
    def of(cls, record: VersionRecord) -> Self:
        """From the record."""
        same = {name: getattr(record, name) for name in cls.model_fields if name != "status"}
        return cls(**same, status=VersionStatus.of(record))


class Disabled(BaseModel):
    """Why nothing of it is accepted and started: `by` is an owner, or `system` after failures in a row."""

    by: str
    at: datetime
    reason: str

    @classmethod
    def of(cls, record: MethodRecord) -> Self | None:
        """From the record."""
        if record.disabled_by is None or record.disabled_at is None:
            return None
        return cls(by=record.disabled_by, at=record.disabled_at, reason=record.disabled_reason or "")


class MethodSummary(BaseModel):
    """A method, shown by its latest version."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SUMMARY]})

    name: str
    owner: str
    title: str | None
    description: str | None
    keywords: list[str]
    category: str | None
    version: str = Field(description="That it is shown by: the latest, or the highest that there is")
    latest: str | None = Field(description="The highest published version that is no pre-release, and not retired")
    visibility: Visibility
    shared_with: list[str] = Field(description="Who else may see it, if it is `named`; told to its owner")
    runnable: bool
    disabled: Disabled | None
    max_running: int | None = Field(description="So many executions of it take a slot at once, over all pools")
    pause_after_failures: int | None = Field(
        description="It is disabled when so many of its owner's in a row have failed"
    )
    failures: int = Field(description="How many in a row have failed, as far as somebody asked for it")
    retired_at: datetime | None = Field(description="It is hidden, and nothing of it is accepted")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, shown: Shown) -> Self:
        """From what it is shown by."""
        return cls(**_fields_of(shown))


def _fields_of(shown: Shown) -> dict[str, Any]:
    method, document = shown.method, shown.document
    same = {name: getattr(method, name) for name in MethodSummary.model_fields if hasattr(method, name)}
    return {
        **same,
        **{name: document[name] for name in ("title", "description", "category", "keywords")},
        "version": shown.version,
        "latest": shown.version if shown.current else None,
        "disabled": Disabled.of(method),
    }


class MethodView(MethodSummary):
    """A method and its versions, the highest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.METHOD]})

    versions: list[VersionSummary]

    @classmethod
    def with_versions(cls, details: Details) -> Self:
        """From all that is known of it."""
        versions = [VersionSummary.of(version) for version in details.versions]
        return cls(**_fields_of(details.shown), versions=versions)


class MethodList(BaseModel):
    """One page, by name. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.METHOD_LIST]})

    items: list[MethodSummary]
    next: str | None


class ChangeKind(StrEnum):
    """What became of a place in a document."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class ChangeView(BaseModel):
    """One place that differs; what is not there is left out."""

    path: str
    change: ChangeKind
    from_: Any = Field(default=None, serialization_alias="from")
    to: Any = None

    @classmethod
    def of(cls, difference: Difference) -> Self:
        """From two documents."""
        if difference.before is ...:
            return cls(path=difference.path, change=ChangeKind.ADDED, to=difference.after)
        if difference.after is ...:
            return cls(path=difference.path, change=ChangeKind.REMOVED, from_=difference.before)
        return cls(path=difference.path, change=ChangeKind.CHANGED, from_=difference.before, to=difference.after)


class VersionDiff(BaseModel):
    """What differs between two versions."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.DIFFERENCES]})

    method: str
    from_: str = Field(serialization_alias="from")
    to: str
    changes: list[ChangeView]

    @classmethod
    def of(cls, before: VersionRecord, after: VersionRecord) -> Self:
        """Of the two; that the versions differ goes without saying."""
        old, new = ({**each.document, "version": None} for each in (before, after))
        changes = [ChangeView.of(each) for each in differences(old, new)]
        return cls(method=after.method, from_=before.version, to=after.version, changes=changes)
