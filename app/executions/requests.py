"""What clients ask of executions: bodies and queries."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool
from pydantic_core import PydanticCustomError

from app.executions import examples
from app.executions.model import ImagePolicy, Lane, Limits, Network, Retries, Spec, Then
from app.executions.service import Draft
from app.executions.states import PauseMode
from app.executions.vocabulary import (
    Argv,
    Env,
    Image,
    Inputs,
    Labels,
    Name,
    Note,
    RetryOn,
    Secrets,
    StartTime,
    StopSignal,
    User,
    Workdir,
)
from app.pools.model import DEFAULT_POOL, PoolName

MAX_WAIT = 60


def fitting_limits(limits: Limits) -> Limits:
    """The same, if they go together."""
    if limits.notice and limits.notice >= limits.grace:
        raise PydanticCustomError(
            "not_below_grace", "must be below `grace`, which is {grace}", {"at": "notice", "grace": limits.grace}
        )
    return limits


class Submission(BaseModel):
    """What to run. Only `image` is required; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": examples.SUBMISSIONS})

    image: Image = Field(description="Image reference, such as `python:3.12-slim`")
    command: Argv | None = Field(default=None, description="Arguments, as Docker's Cmd; the image's entrypoint is kept")
    entrypoint: Argv | None = Field(default=None, description="Replaces the image's entrypoint")
    env: Env = Field(default={}, description="Environment variables; at most 128 KiB together")
    secrets: Secrets = Field(
        default={},
        description="Environment variables that no answer and no log shows: at most 64, and 32 KiB together. The "
        "program's log has `***` wherever it prints one of at least 6 bytes",
    )
    inputs: Inputs = Field(
        default={}, description="The program finds them in `/tailrace/inputs.json` and as `INPUT_<NAME>`; ≤ 256 KiB"
    )
    name: Name | None = Field(default=None, description="For people")
    note: Note | None = Field(default=None, description="For people")
    labels: Labels = Field(default={}, description="For finding it again: `GET /v1/executions?label=key=value`")
    workdir: Workdir | None = Field(default=None, description="Working directory; default: the image's")
    user: User | None = Field(default=None, description="User, or user:group; default: the image's")
    stop_signal: StopSignal = Field(default="SIGTERM", description="Sent when it is asked to stop, after `notice`")
    network: Network = Field(default=Network.NONE, description="What the program can reach")
    image_policy: ImagePolicy = Field(default=ImagePolicy.MISSING, description="When the image is pulled")
    pool: PoolName = Field(default=DEFAULT_POOL, description="The group of workers that is to run it")
    priority: int = Field(
        default=0,
        ge=-100,
        le=100,
        strict=True,
        description="Among your own in the pool: each point counts as much as a minute of waiting",
    )
    lane: Lane = Field(
        default=Lane.NORMAL,
        description="Before all turns: `high` comes before everything of the pool, and needs the scope `admin`; `low` "
        "after it",
    )
    not_before: StartTime | None = Field(
        default=None,
        description="It is not started before this time: RFC 3339 with its zone, at most a year ahead",
    )
    hold: StrictBool = Field(default=False, description="Keep it in the queue until it is released")
    limits: Annotated[Limits, AfterValidator(fitting_limits)] = Field(default=Limits(), description="What it may use")
    max_attempts: int = Field(
        default=1, ge=1, le=100, strict=True, description="Attempts that may have started the program, all together"
    )
    retry_on: RetryOn = Field(default=(), description="Causes and exit codes after which another attempt is made")
    on_timeout: Then = Field(default=Then.FAIL, description="`retry`: as `run_timeout`, `idle_timeout` in `retry_on`")
    on_interrupted: Then = Field(default=Then.FAIL, description="`retry`: as `interrupted`, `host_lost` in `retry_on`")
    resume_from: UUID | None = Field(
        default=None, description="An execution that has ended: this one starts from a copy of its last checkpoint"
    )

    def draft(self) -> Draft:
        """The same, for the service."""
        spec = {name: getattr(self, name) for name in Spec.model_fields}
        return Draft(
            spec=Spec(**spec | {"secrets": tuple(sorted(self.secrets))}),
            secrets=self.secrets,
            limits=self.limits,
            retries=Retries(**{name: getattr(self, name) for name in Retries.model_fields}),
            name=self.name,
            note=self.note,
            labels=self.labels,
            pool=self.pool,
            priority=self.priority,
            lane=self.lane,
            hold=self.hold,
            not_before=self.not_before,
            resume_from=self.resume_from,
        )

    def confided(self) -> dict[str, Any]:
        """What makes this body another one, but is not to be read anywhere: the secrets as they are."""
        values = {name: value.get_secret_value() for name, value in self.secrets.items()}
        return {"secrets": values} if values else {}


class CancelRequest(BaseModel):
    """How to stop it. The body may be left out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"force": True}]})

    force: StrictBool = Field(default=False, description="SIGKILL now, without notice or grace")


class PauseRequest(BaseModel):
    """How to pause it. The body may be left out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"mode": "freeze"}]})

    mode: PauseMode | None = Field(
        default=None,
        description="`freeze` stops its processes where they are, and it keeps its slot; with `checkpoint` its program "
        "saves its work and stops, within `limits.grace`. Default: `checkpoint` if it said that it saves checkpoints",
    )


class WaitQuery(BaseModel):
    """Options of a single record."""

    model_config = ConfigDict(extra="forbid")

    wait: float = Field(default=0, ge=0, le=MAX_WAIT, description="Seconds to wait for its end, or a change")


class SubmitQuery(BaseModel):
    """Options of a submission."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(default=False, description="Check it and answer 200 without keeping anything")
