"""What clients ask of schedules: bodies and queries."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, RootModel, StrictBool, ValidationError
from pydantic import StringConstraints as Constrained
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from typing_extensions import override

from app.executions.query import MAX_PAGE, Time
from app.executions.vocabulary import InputName, Json, Labels, Moment, Name, Note
from app.merging import merged
from app.schedules import examples
from app.schedules.model import Overlap, Rule, RunStatus, ScheduleRecord
from app.schedules.service import MOST_TARGETS, Wanted
from app.schedules.targets import Target

MOST_CAUGHT_UP = 100
MOST_PREVIEWED = 100


class ScheduleFields(BaseModel):
    """What a schedule is, but for what it submits."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Name, Constrained(min_length=1)] = Field(description="You have one schedule of this name")
    note: Note | None = Field(default=None, description="For people")
    labels: Labels = Field(default={}, description="Of the schedule; those of what it submits are in its targets")
    rule: Rule = Field(description="When it fires")
    time_input: InputName | None = Field(
        default=None, description="An input that gets the logical time, beside the variable `TAILRACE_LOGICAL_TIME`"
    )
    overlap: Overlap = Field(
        default=Overlap.SKIP,
        description="While something that it submitted has not ended: `skip` the firing, let it wait (`queue`), stop "
        "what runs and wait for that (`replace`), or `allow` both at once",
    )
    catch_up: int = Field(
        default=1,
        ge=0,
        le=MOST_CAUGHT_UP,
        strict=True,
        description="Of the firings that came due while nobody looked, or while one waited, the newest so many are "
        "made. With 0 what is found later than a minute after its time is skipped",
    )
    enabled: StrictBool = Field(default=True, description="Whether it fires")


class NewSchedule(ScheduleFields):
    """A schedule to make. Its targets are judged as if they were submitted now."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [*examples.NEW.values()]})

    targets: list[Target] = Field(
        min_length=1, max_length=MOST_TARGETS, description="What each firing submits: all of it, or nothing"
    )

    def wanted(self) -> Wanted:
        """The same, for the service."""
        return wanted_of(self, self.targets)


class ScheduleChange(RootModel[dict[str, Json]]):
    """A JSON merge patch. What is left out stays as it is, null brings the default back; `targets` are replaced."""

    model_config = ConfigDict(json_schema_extra={"examples": [*examples.CHANGES.values()]})

    @classmethod
    @override
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        schema = handler(core_schema)
        return {**schema, "description": cls.__doc__, "examples": [*examples.CHANGES.values()]}

    def wanted(self, record: ScheduleRecord) -> Wanted:
        """The schedule as it is wanted. Raises `RequestValidationError`."""
        now: dict[str, Any] = {
            "name": record.name,
            "note": record.note,
            "labels": record.labels,
            "rule": record.rule.model_dump(mode="json", exclude_defaults=True),
            "time_input": record.time_input,
            "overlap": record.overlap,
            "catch_up": record.catch_up,
            "enabled": record.enabled,
        }
        # Also a field that there is not, and is to be taken away, is there to be refused.
        then = {**self.root, **merged(now, self.root)}
        then = {name: value for name, value in then.items() if value is not None or name not in now}
        try:
            if "targets" in self.root:
                return NewSchedule.model_validate(then).wanted()
            return wanted_of(ScheduleFields.model_validate(then), None)
        except ValidationError as error:
            raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None


def wanted_of(fields: ScheduleFields, targets: list[Target] | None) -> Wanted:
    """For the service."""
    same = {name: getattr(fields, name) for name in ScheduleFields.model_fields}
    return Wanted(**same, targets=targets)


class PreviewRequest(BaseModel):
    """A rule to look at; nothing is kept."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": examples.PREVIEW_REQUESTS})

    rule: Rule
    count: int = Field(default=10, ge=1, le=MOST_PREVIEWED, strict=True, description="So many firings")
    after: Moment | None = Field(default=None, description="From then on; else from now on")


class PreviewQuery(BaseModel):
    """How far to look ahead."""

    model_config = ConfigDict(extra="forbid")

    count: int = Field(default=10, ge=1, le=MOST_PREVIEWED, description="So many firings")
    after: Time | None = Field(default=None, description="From then on; else from now on")


class ScheduleListQuery(BaseModel):
    """Pages of the list of schedules."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool | None = Field(default=None, description="Only those that fire, or that do not")
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: UUID | None = Field(default=None, description="The `next` of the page before")


class RunListQuery(BaseModel):
    """Pages of what came of a schedule's firings."""

    model_config = ConfigDict(extra="forbid")

    status: RunStatus | None = Field(default=None, description="Only those with this status")
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: Time | None = Field(default=None, description="The `next` of the page before")
