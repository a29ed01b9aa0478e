"""What a reader of events may ask for, checked in one place."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from starlette.datastructures import QueryParams

from app.auth.service import Caller
from app.errors import InvalidRequest
from app.events.wanted import Wanted
from app.executions.states import Status
from app.explaining import explain

MAX_CURSOR = 2**62
MAX_FILTERS = 100
REPEATED = frozenset({"status", "label", "pool"})


def _labels_of(pairs: list[str]) -> dict[str, str]:
    if any("=" not in pair for pair in pairs):
        raise ValueError("must be written `key=value`; repeat it for several")
    labels = dict(pair.split("=", 1) for pair in pairs)
    if len(labels) < len(set(pairs)):
        raise ValueError("must name each key once: no execution has two values of one")
    return labels


def _status_of(name: Any) -> Status:
    try:
        return Status(name)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Status)}; repeat it for several") from None


Labels = Annotated[
    dict[str, str],
    BeforeValidator(_labels_of),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]


class EventsQuery(BaseModel):
    """Which events. A parameter without a value counts as left out."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[int, Field(ge=0, le=MAX_CURSOR)] | None = Field(
        default=None, description="The cursor behind which to go on; else from now on"
    )
    status: frozenset[Annotated[Status, BeforeValidator(_status_of)]] = Field(
        default=frozenset(), description="Only changes to one of these; repeat it for several"
    )
    label: Labels = Field(default_factory=dict, description="As `key=value`; all of those given; repeat it for several")
    pool: frozenset[str] = Field(default=frozenset(), description="Only in these pools; repeat it for several")
    owner: str | None = Field(default=None, description="Only of this owner; others than yourself with `admin` only")

    @field_validator("owner")
    @classmethod
    def _visible(cls, owner: str, info: ValidationInfo) -> str:
        caller = info.context
        assert isinstance(caller, Caller)  # noqa: S101 - given by `of`
        if caller.sees not in {None, owner}:
            raise ValueError("can only be yourself, without the scope `admin`")
        return owner

    @classmethod
    def of(cls, parameters: QueryParams, caller: Caller) -> EventsQuery:
        """From a URL. Raises `InvalidRequest`, which names everything that is wrong."""
        if len(parameters.multi_items()) > MAX_FILTERS:
            raise InvalidRequest("There are too many filters.")
        asked: dict[str, Any] = {}
        for name, value in parameters.multi_items():
            if value == "" and name in cls.model_fields:
                continue
            if name in REPEATED:
                asked.setdefault(name, []).append(value)
            else:
                asked[name] = value
        try:
            return cls.model_validate(asked, context=caller)
        except ValidationError as error:
            # Of a parameter that is repeated it is all one which.
            raise explain([{**item, "loc": ("query", *item["loc"][:1])} for item in error.errors()]) from None

    def wanted(self, caller: Caller) -> Wanted:
        """The same, and no more than the caller may see."""
        return Wanted(
            owner=caller.sees or self.owner,
            pools=self.pool,
            statuses=self.status,
            labels=self.label,
        )
