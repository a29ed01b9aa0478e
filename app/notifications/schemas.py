"""Bodies of notifications, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from app.executions.states import TERMINAL, Cause, Status
from app.executions.vocabulary import LABEL_KEY_CHARS, Note
from app.notifications.channels import URL_CHARS
from app.notifications.model import FAILURES, Notification, NotificationKind, NotificationState, Rule
from app.webhooks.schemas import OF_EVERYBODY, Everybody, Methods, Pools, Wanted

MAX_PAGE = 200
_ID = "019aa2c4-7b1e-7c51-9c0f-2f5d8a6b1c30"
_RULE: dict[str, Any] = {
    "batches": False,
    "statuses": ["crashed", "failed", "timed_out"],
    "causes": [],
    "pools": [],
    "methods": [],
    "labels": {"team": "a"},
    "alert_after": 3,
    "per": "name",
    "enabled": True,
    "description": "Wakes ann",
}
_NEW: dict[str, Any] = {"to": "mailtos://ann:password@smtp.example.com?to=ann@example.com", "alert_after": 3}
_SEEN: dict[str, Any] = {
    "id": _ID,
    "owner": "ann",
    "channel": "mailtos",
    **_RULE,
    "created_at": "2026-01-15T09:00:00Z",
    "updated_at": "2026-01-15T09:00:00Z",
}
_SAID: dict[str, Any] = {
    "id": "019aa2c5-91aa-7d02-a7c1-6b6b0c9b5d44",
    "execution": "019aa2c5-0c3d-7e11-8b56-0d3a5c1f9e21",
    "batch": None,
    "kind": "failing",
    "title": "[Tailrace] nightly: 3 in a row have failed",
    "state": "sent",
    "tries": 1,
    "error": None,
    "created_at": "2026-01-15T09:00:59Z",
    "done_at": "2026-01-15T09:01:00Z",
}
_PER = rf"(name|method|label:[^\x00]{{1,{LABEL_KEY_CHARS}}})"


def _end(status: Status) -> Status:
    if status not in TERMINAL:
        raise PydanticCustomError("not_an_end", "must be a status that an execution ends with")
    return status


def _url(value: SecretStr) -> SecretStr:
    if not 1 <= len(value.get_secret_value()) <= URL_CHARS:
        raise PydanticCustomError("bad_url", "must have 1 to {most} characters", {"most": URL_CHARS})
    return value


To = Annotated[
    SecretStr,
    AfterValidator(_url),
    WithJsonSchema({"type": "string", "format": "password", "writeOnly": True, "minLength": 1, "maxLength": URL_CHARS}),
    Field(description="A URL of Apprise. It may have passwords in it, and no answer shows it"),
]
Statuses = Annotated[
    set[Annotated[Status, AfterValidator(_end)]],
    Field(min_length=1, max_length=len(TERMINAL), description="Ends that are told. Not looked at with `alert_after`"),
    WithJsonSchema({"type": "array", "uniqueItems": True, "minItems": 1, "items": {"enum": sorted(TERMINAL)}}),
]
Causes = Annotated[
    set[Cause], Field(max_length=len(Cause), description="Only ends by one of these; of failures, with `alert_after`")
]
AlertAfter = Annotated[
    int | None,
    Field(
        ge=1,
        le=10_000,
        strict=True,
        description="Tell when so many in a row have failed, timed out or crashed, and when one succeeds again after "
        "that, instead of every end",
    ),
]
Per = Annotated[
    str,
    StringConstraints(pattern=f"^{_PER}$"),
    Field(description="What counts as the same for that: the same `name`, `method`, or `label:<key>`"),
]
Enabled = Annotated[StrictBool, Field(description="Whether anything is said")]
Batches = Annotated[StrictBool, Field(description="Tell how whole batches end, instead of single executions")]


class NewRule(BaseModel):
    """Whom to tell how your executions end."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_NEW]})

    to: To
    owner: Everybody | None = Field(default=None, description=OF_EVERYBODY)
    batches: Batches = False
    statuses: Statuses = set(FAILURES)
    causes: Causes = set()
    pools: Pools = []
    methods: Methods = []
    labels: Wanted = {}
    alert_after: AlertAfter = None
    per: Per = "name"
    enabled: Enabled = True
    description: Note | None = Field(default=None, description="For people")


class RuleChange(BaseModel):
    """What is to be changed; what is left out stays. A list or object takes the place of the one before."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"alert_after": 5}]})

    to: To = SecretStr("")
    batches: Batches = False
    statuses: Statuses = set()
    causes: Causes = set()
    pools: Pools = []
    methods: Methods = []
    labels: Wanted = {}
    alert_after: AlertAfter = None
    per: Per = "name"
    enabled: Enabled = True
    description: Note | None = None


def fields_of(body: NewRule | RuleChange) -> dict[str, Any]:
    """What was given, but for where to."""
    unset = isinstance(body, RuleChange)
    return body.model_dump(exclude={"to", "owner"}, exclude_unset=unset)


class RuleView(BaseModel):
    """A rule; where exactly it leads to is not shown."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SEEN]})

    id: UUID
    owner: str = Field(description="`*`: of all owners")
    channel: str = Field(description="The service: how its URL begins")
    batches: bool
    statuses: list[Status]
    causes: list[Cause]
    pools: list[str]
    methods: list[str]
    labels: dict[str, str]
    alert_after: int | None
    per: str
    enabled: bool
    description: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, rule: Rule) -> Self:
        """From the record."""
        same = {name: getattr(rule, name) for name in cls.model_fields if hasattr(rule, name)}
        return cls(
            **same
            | {
                "statuses": sorted(rule.statuses),
                "causes": sorted(rule.causes),
                "pools": sorted(rule.chosen.pools),
                "methods": sorted(rule.chosen.methods),
                "labels": dict(rule.chosen.labels),
            }
        )


class RuleList(BaseModel):
    """One page, newest first. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_SEEN], "next": None}]})

    items: list[RuleView]
    next: UUID | None

    @classmethod
    def of(cls, rules: list[Rule], *, more: bool) -> Self:
        """From the records of a page."""
        return cls(items=[RuleView.of(each) for each in rules], next=rules[-1].id if more else None)


class NotificationView(BaseModel):
    """One message. `unsure`: a worker died over it, so it may have arrived, and is not sent again."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SAID]})

    id: UUID
    execution: UUID | None
    batch: UUID | None
    kind: NotificationKind
    title: str
    state: NotificationState
    tries: int
    error: str | None
    created_at: datetime
    done_at: datetime | None

    @classmethod
    def of(cls, said: Notification) -> Self:
        """From the record."""
        same = {name: getattr(said, name) for name in cls.model_fields if hasattr(said, name)}
        return cls(**same | {"execution": said.execution_id, "batch": said.batch_id})


class NotificationList(BaseModel):
    """One page, newest first. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_SAID], "next": None}]})

    items: list[NotificationView]
    next: UUID | None

    @classmethod
    def of(cls, said: list[Notification], *, more: bool) -> Self:
        """From the records of a page."""
        return cls(items=[NotificationView.of(each) for each in said], next=said[-1].id if more else None)


class PageQuery(BaseModel):
    """Pages of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: UUID | None = Field(default=None, description="The `next` of the page before")
