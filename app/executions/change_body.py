"""The body of a PATCH: a JSON merge patch (RFC 7396) on what may be changed of an execution."""

from __future__ import annotations

from copy import deepcopy
from typing import Annotated, Any

from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    RootModel,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from typing_extensions import override

from app.executions import examples
from app.executions.model import Limits
from app.executions.patching import Wanted
from app.executions.record import Record
from app.executions.requests import fitting_limits
from app.executions.vocabulary import Json, Labels, Name, Note
from app.merging import merged


class Changeable(BaseModel):
    """What may be changed: name, note and labels always, priority while it is queued, limits until it has ended."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [*examples.CHANGES.values()]})

    name: Name | None = Field(default=None, description="For people")
    note: Note | None = Field(default=None, description="For people")
    labels: Labels = Field(default={}, description="One by one; null takes a label away")
    priority: int = Field(default=0, ge=-100, le=100, strict=True, description="Only while it is queued")
    limits: Annotated[Limits, AfterValidator(fitting_limits)] = Field(
        default=Limits(),
        description="Clocks also while it is prepared or runs, `grace` and `notice` also while it stops; the others "
        "only while it is queued",
    )


class ChangeRequest(RootModel[dict[str, Json]]):
    """What is left out stays as it is, null brings the default back."""

    @classmethod
    @override
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        schema = deepcopy(handler.resolve_ref_schema(handler(Changeable.__pydantic_core_schema__)))
        labels = schema["properties"]["labels"]
        labels["additionalProperties"] = {"anyOf": [labels["additionalProperties"], {"type": "null"}]}
        for content in schema["properties"].values():
            content.pop("default", None)
        return {**schema, "title": cls.__name__, "description": cls.__doc__}

    def wanted(self, record: Record) -> Wanted:
        """The record as it is wanted. Raises `RequestValidationError`."""
        now = {
            "name": record.name,
            "note": record.note,
            "labels": record.labels,
            "priority": record.priority,
            "limits": record.limits.model_dump(mode="json"),
        }
        try:
            then = Changeable.model_validate(self._merged(now))
        except ValidationError as error:
            raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None
        return Wanted(
            name=then.name,
            note=then.note,
            labels=then.labels,
            priority=then.priority,
            limits=then.limits,
            limits_named=self._limits_named(),
            limits_asked=frozenset(
                name for name, value in (self.root.get("limits") or {}).items() if value is not None
            ),
        )

    def _merged(self, now: dict[str, Any]) -> dict[str, Any]:
        """Also a field that there is not, and is to be taken away, is there to be refused."""
        then: dict[str, Any] = {**self.root, **merged(now, self.root)}
        limits = self.root.get("limits")
        if isinstance(limits, dict):
            then["limits"] |= {name: value for name, value in limits.items() if name not in Limits.model_fields}
        return {name: value for name, value in then.items() if value is not None or name not in now}

    def _limits_named(self) -> frozenset[str]:
        if "limits" not in self.root:
            return frozenset()
        return frozenset(Limits.model_fields if self.root["limits"] is None else self.root["limits"])
