"""Bodies of tokens and shares, as clients see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from app.auth.granting import Wanted
from app.auth.lineage import Ended
from app.auth.model import Role, ShareRecord, TokenKind, TokenRecord, role_of
from app.auth.tokens import Scope
from app.executions.vocabulary import Name, Note
from app.quotas.model import OwnerName

MAX_PAGE = 200
LONGEST = 10 * 365 * 86_400
LONGEST_SHARE = 365 * 86_400
_ID = "019aa2c4-7b1e-7c51-9c0f-2f5d8a6b1c30"
_EXECUTION = "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"
_NEW: dict[str, Any] = {"name": "nightly jobs", "scopes": ["read", "submit"], "expires_in": 2_592_000}
_TOKEN: dict[str, Any] = {
    "id": _ID,
    "kind": "token",
    "name": "nightly jobs",
    "owner": "ann",
    "scopes": ["read", "submit"],
    "role": None,
    "created_at": "2026-01-15T09:00:00Z",
    "expires_at": "2026-02-14T09:00:00Z",
    "revoked_at": None,
    "last_used_at": "2026-01-15T09:12:00Z",
    "made_by": "019aa2c4-0b1e-7c51-9c0f-2f5d8a6b1c30",
}
_SHARE: dict[str, Any] = {
    "id": _ID,
    "execution": _EXECUTION,
    "note": "For the review",
    "made_by": "ann",
    "created_at": "2026-01-15T09:00:00Z",
    "expires_at": "2026-01-22T09:00:00Z",
    "revoked_at": None,
    "last_used_at": None,
}
_SECRET = "9Q5xqkz1sXoBz0xq0gS1cT8m2hJ6oQe3yN4uVbWdKfA_0aB3xZ"  # noqa: S105 - an example
_USED = "To a minute; null: not yet"


class NewToken(BaseModel):
    """A token to make: what it may do is said by `scopes` or by `role`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [_NEW, {"name": "wall", "role": "viewer"}]}
    )

    name: Annotated[Name, StringConstraints(min_length=1)] = Field(description="What it is for")
    owner: OwnerName | None = Field(default=None, description="Whose; default: yours. Others' only with `admin`")
    scopes: frozenset[Scope] | None = Field(
        default=None, min_length=1, description="Of those that you have. `admin` includes the others"
    )
    role: Role | None = Field(
        default=None, description="`viewer`: read; `operator`: read, submit, cancel; `admin`: everything"
    )
    expires_in: Annotated[int, Field(strict=True, ge=1, le=LONGEST)] | None = Field(
        default=None, description="Seconds; default: as long as the token that you ask with, an admin's for ever"
    )

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.scopes is None) is (self.role is None):
            raise PydanticCustomError("not_one", "must be given, or `role`, and not both", {"at": "scopes"})
        return self

    def wanted(self) -> Wanted:
        """What is asked for."""
        scopes = self.scopes if self.role is None else self.role.scopes
        return Wanted(name=self.name, owner=self.owner, scopes=scopes or frozenset(), expires_in=self.expires_in)


class TokenView(BaseModel):
    """A token, but for what it is itself."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_TOKEN]})

    id: UUID
    kind: TokenKind = Field(
        description="`token`: it was made; `session`: a browser has it; `oidc`: it is the issuer's (OpenID Connect)"
    )
    name: str
    owner: str
    scopes: list[Scope]
    role: Role | None = Field(description="That with just these scopes")
    created_at: datetime
    expires_at: datetime | None = Field(description="null: never")
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description=_USED)
    made_by: UUID | None = Field(description="The token that it was made with; null: it was made by an operator")

    @classmethod
    def of(cls, token: TokenRecord) -> Self:
        """From the record."""
        return cls(**cls.fields_of(token))

    @staticmethod
    def fields_of(token: TokenRecord) -> dict[str, Any]:
        """What is shown of it."""
        fields = {name: getattr(token, name) for name in TokenRecord.__slots__}
        return fields | {"scopes": sorted(token.scopes), "role": role_of(token.scopes)}


class TokenWithSecret(TokenView):
    """A new token. It is shown now and never again."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_TOKEN, "token": f"trt_{_SECRET}"}]})

    token: str = Field(description="What to send as `Authorization: Bearer …`")

    @classmethod
    def showing(cls, record: TokenRecord, token: str) -> Self:
        """From the record, and what it is."""
        return cls(token=token, **cls.fields_of(record))


class TokenList(BaseModel):
    """One page, newest first. `next` is the cursor of the next page, null on the last one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_TOKEN], "next": None}]})

    items: list[TokenView]
    next: UUID | None

    @classmethod
    def of(cls, tokens: list[TokenRecord], *, more: bool) -> Self:
        """From the records of a page."""
        return cls(items=[TokenView.of(each) for each in tokens], next=tokens[-1].id if more else None)


class TokenQuery(BaseModel):
    """Pages of tokens."""

    model_config = ConfigDict(extra="forbid")

    owner: OwnerName | None = Field(default=None, description="Those of one owner")
    kind: TokenKind | None = Field(default=None, description="Only those: `session` are who is logged in where")
    all: bool = Field(default=False, description="Also those that were revoked or have expired, for 90 days")
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Items per page")
    cursor: UUID | None = Field(default=None, description="The `next` of the page before")


class RevokeQuery(BaseModel):
    """How far the revocation of a token goes."""

    model_config = ConfigDict(extra="forbid")

    descendants: bool = Field(
        default=False, description="Also all that was made with it, and with what that made, whoever made it"
    )


class RevokedView(BaseModel):
    """What has ended with a token. What had ended before is not among it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tokens": [_ID],
                    "shares": [],
                    "schedules": ["019aa2c4-9b1e-7c51-9c0f-2f5d8a6b1c31"],
                    "triggers": [],
                    "webhooks": [],
                    "notifications": [],
                }
            ]
        }
    )

    tokens: list[UUID] = Field(description="Revoked, with the sessions among them")
    shares: list[UUID] = Field(description="Revoked")
    schedules: list[UUID] = Field(description="Paused, as the four below: whoever enables one again vouches for it")
    triggers: list[UUID]
    webhooks: list[UUID]
    notifications: list[UUID]

    @classmethod
    def of(cls, ended: Ended) -> Self:
        """From what has ended."""
        return cls(**{name: list(getattr(ended, name)) for name in cls.model_fields})


class SessionView(BaseModel):
    """A session that has begun. Its cookie is all there is to it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"owner": "ann", "scopes": ["read", "submit"], "expires_at": "2026-01-15T21:00:00Z"}]
        }
    )

    owner: str
    scopes: list[Scope]
    expires_at: datetime | None


class TicketView(BaseModel):
    """What opens one WebSocket, once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"ticket": f"trw_{_SECRET}", "expires_at": "2026-01-15T09:00:30Z"}]}
    )

    ticket: str = Field(description="For `?ticket=` of the WebSocket's address")
    expires_at: datetime


class LoginLinks(BaseModel):
    """Where it is of use."""

    login: str = Field(description="For a browser; what follows `#` it keeps to itself")


class LoginView(BaseModel):
    """What begins one session of a browser, once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "ticket": f"trl_{_SECRET}",
                    "expires_at": "2026-01-15T09:10:00Z",
                    "links": {"login": f"https://tailrace.example.com/login#trl_{_SECRET}"},
                }
            ]
        }
    )

    ticket: str = Field(description="To be sent to `POST /v1/session` as `Authorization: Bearer …`")
    expires_at: datetime
    links: LoginLinks

    @classmethod
    def showing(cls, ticket: str, expires_at: datetime, base: str) -> Self:
        """From what it is, at an API with this address."""
        return cls(ticket=ticket, expires_at=expires_at, links=LoginLinks(login=f"{base}/login#{ticket}"))


class NewShare(BaseModel):
    """For how long to show it. The body may be left out."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"expires_in": 604_800, "note": "For the review"}]}
    )

    expires_in: Annotated[int, Field(strict=True, ge=1, le=LONGEST_SHARE)] | None = Field(
        default=None, description="Seconds; default: 7 days, and not longer than the token that you ask with"
    )
    note: Note | None = Field(default=None, description="For people")


class ShareView(BaseModel):
    """An address that shows one execution, but for the address itself."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHARE]})

    id: UUID
    execution: UUID
    note: str | None
    made_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description=_USED)

    @classmethod
    def of(cls, share: ShareRecord) -> Self:
        """From the record."""
        return cls(**cls.fields_of(share))

    @staticmethod
    def fields_of(share: ShareRecord) -> dict[str, Any]:
        """What is shown of it."""
        fields = {name: getattr(share, name) for name in ShareRecord.__slots__}
        return fields | {"execution": fields.pop("execution_id")}


class SharedView(BaseModel):
    """The share by which somebody sees an execution. Its note is for who made it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{name: _SHARE[name] for name in ("id", "execution", "made_by", "created_at", "expires_at")}]
        }
    )

    id: UUID
    execution: UUID
    made_by: str
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, share: ShareRecord) -> Self:
        """From the record."""
        fields = ShareView.fields_of(share)
        return cls(**{name: fields[name] for name in cls.model_fields})


class ShareLinks(BaseModel):
    """What it shows, each with its token."""

    page: str = Field(description="For a browser; what follows `#` it keeps to itself")
    self: str
    logs: str
    tail: str
    outputs: str


class ShareWithSecret(ShareView):
    """A new share. Its addresses are shown now and never again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_SHARE,
                    "token": f"trs_{_SECRET}",
                    "links": {
                        "page": f"https://tailrace.example.com/shared/{_EXECUTION}#trs_{_SECRET}",
                        "self": f"https://tailrace.example.com/v1/executions/{_EXECUTION}?share=trs_{_SECRET}",
                        "logs": f"https://tailrace.example.com/v1/executions/{_EXECUTION}/logs?share=trs_{_SECRET}",
                        "tail": f"wss://tailrace.example.com/v1/executions/{_EXECUTION}/tail?share=trs_{_SECRET}",
                        "outputs": f"https://tailrace.example.com/v1/executions/{_EXECUTION}/outputs?share=trs_{_SECRET}",
                    },
                }
            ]
        }
    )

    token: str = Field(description="For who would rather send it as `Authorization: Bearer …`")
    links: ShareLinks = Field(description="Whoever has one of these may read, until it expires or is revoked")

    @classmethod
    def showing(cls, record: ShareRecord, token: str, base: str) -> Self:
        """From the record and its token, at an API with this address."""
        own = f"{base}/v1/executions/{record.execution_id}"
        links = ShareLinks(
            page=f"{base}/shared/{record.execution_id}#{token}",
            self=f"{own}?share={token}",
            logs=f"{own}/logs?share={token}",
            tail=f"ws{own.removeprefix('http')}/tail?share={token}",
            outputs=f"{own}/outputs?share={token}",
        )
        return cls(token=token, links=links, **cls.fields_of(record))


class ShareList(BaseModel):
    """All of one execution, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_SHARE]}]})

    items: list[ShareView]
