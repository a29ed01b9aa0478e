"""What clients ask of executions: bodies and queries."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from app.batches.model import ItemKey
from app.errors import ServiceError
from app.executions import examples
from app.executions.course import ExitCodes, Outputs, StageBody
from app.executions.model import Archive, ImagePolicy, Lane, Limits, Network, Retries, Spec, Then
from app.executions.service import Draft
from app.executions.states import PauseMode
from app.executions.vocabulary import (
    Argv,
    Env,
    Image,
    Inputs,
    Labels,
    Moment,
    Name,
    NamedSecrets,
    Note,
    RetryOn,
    RuntimeName,
    Secrets,
    StartTime,
    StopSignal,
    User,
    Workdir,
)
from app.files.sources import Files
from app.idempotency.model import Once
from app.methods.document import Document
from app.methods.model import MethodText
from app.methods.resolution import Catalog, Refused, resolve, said_at, unknown_method
from app.pools.model import DEFAULT_POOL, PoolName
from app.secrets.vault import Vault
from app.webhooks.asked import Asked
from app.webhooks.vocabulary import ExecutionWebhooks

MAX_WAIT = 60


def fitting_limits(limits: Limits) -> Limits:
    """The same, if they go together."""
    if limits.notice and limits.notice >= limits.grace:
        raise PydanticCustomError(
            "not_below_grace", "must be below `grace`, which is {grace}", {"at": "notice", "grace": limits.grace}
        )
    return limits


class Submission(BaseModel):
    """What to run: an `image`, or a `method` with its inputs. Only that is required; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [*examples.SUBMISSIONS.values()]})

    method: MethodText | None = Field(
        default=None,
        description="Instead of an image: a method, as `name` or `name@latest` for its latest version, or `name@1.2.0`",
    )
    profile: ItemKey | None = Field(default=None, description="A preset of the method")
    image: Image | None = Field(
        default=None, validate_default=True, description="Image reference, such as `python:3.12-slim`"
    )
    command: Argv | None = Field(default=None, description="Arguments, as Docker's Cmd; the image's entrypoint is kept")
    entrypoint: Argv | None = Field(default=None, description="Replaces the image's entrypoint")
    env: Env = Field(default={}, description="Environment variables; at most 128 KiB together")
    secrets: Secrets = Field(
        default={},
        description="Environment variables that no answer and no log shows: at most 64, and 32 KiB together. The "
        "program's log has `***` wherever it prints one of at least 6 bytes",
    )
    named_secrets: NamedSecrets = Field(
        default={},
        description="Secrets that you have put at `/v1/secrets`, by the file or variable in which the program finds "
        'them: `{"TOKEN": {"name": "hub-token"}}` is the file `/tailrace/secrets/TOKEN`. Its values are those of now',
    )
    inputs: Inputs = Field(
        default={}, description="The program finds them in `/tailrace/inputs.json` and as `INPUT_<NAME>`; ≤ 256 KiB"
    )
    files: Files = Field(
        default={},
        description="Files that the program finds, read-only, below `/tailrace/inputs`, by path: each is an uploaded "
        "one, is given here (256 KiB together), or is fetched from a URL where that is allowed",
    )
    name: Name | None = Field(default=None, description="For people")
    note: Note | None = Field(default=None, description="For people")
    labels: Labels = Field(default={}, description="For finding it again: `GET /v1/executions?label=key=value`")
    workdir: Workdir | None = Field(default=None, description="Working directory; default: the image's")
    user: User | None = Field(default=None, description="User, or user:group; default: the image's")
    stop_signal: StopSignal = Field(default="SIGTERM", description="Sent when it is asked to stop, after `notice`")
    network: Network = Field(default=Network.NONE, description="What the program can reach")
    runtime: RuntimeName | None = Field(
        default=None,
        description="What isolates its container, by its name at the engine, such as `runsc`, where the policy allows "
        "it. Default: the engine's own, or what the policy says",
    )
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
    logical_time: Moment | None = Field(
        default=None,
        description="The time that it is about: the program finds it in `TAILRACE_LOGICAL_TIME`. A schedule says so of "
        "what it submits",
    )
    max_attempts: int = Field(
        default=1, ge=1, le=100, strict=True, description="Attempts that may have started the program, all together"
    )
    retry_on: RetryOn = Field(default=(), description="Causes and exit codes after which another attempt is made")
    on_timeout: Then = Field(default=Then.FAIL, description="`retry`: as `run_timeout`, `idle_timeout` in `retry_on`")
    on_interrupted: Then = Field(default=Then.FAIL, description="`retry`: as `interrupted`, `host_lost` in `retry_on`")
    exit_codes: ExitCodes = Field(
        default={},
        description="What exit codes of the program mean, by code: `success`, `fail` (and never tried again), `retry`, "
        "`canceled` or `checkpoint`",
    )
    setup: StageBody | None = Field(
        default=None,
        description="Runs before the main command, in the same container; if it fails, that is not started",
    )
    teardown: StageBody | None = Field(
        default=None, description="Runs after it, however that ended, within what is left of `timeout` or `grace`"
    )
    keep_workspace: StrictBool = Field(
        default=False,
        description="Leave the directories of its last attempt on the worker's host, for an administrator to look at; "
        "needs the scope `admin`",
    )
    outputs: Outputs = Field(default=(), description="Files that it is to leave in `/tailrace/outputs`")
    archive: Archive = Field(
        default=Archive.ALL,
        description="What is kept when it is archived: `all` of it, record and `outputs`, or the `record` alone",
    )
    resume_from: UUID | None = Field(
        default=None, description="An execution that has ended: this one starts from a copy of its last checkpoint"
    )

    webhooks: ExecutionWebhooks = Field(
        default=(),
        description="Servers that want to hear what happens to it: at most 5. A rerun does not take them over",
    )

    @field_validator("image")
    @classmethod
    def _check_image(cls, value: str | None, info: ValidationInfo) -> str | None:
        # Without a valid method nobody knows whether there has to be one.
        if value is None and info.data.get("method", cls) is None:
            raise PydanticCustomError("missing", "is required")
        return value

    @field_validator("profile")
    @classmethod
    def _check_profile(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("method", cls) is None:
            raise PydanticCustomError("no_method", "is of a method, and none is named")
        return value

    @property
    def methods(self) -> frozenset[str]:
        """The methods that have to be looked up for it."""
        return frozenset() if self.method is None else frozenset({self.method})

    def draft(self, catalog: Catalog | None = None) -> Draft:
        """The same, for the service, with the method that it names from the catalog. Raises `InvalidRequest`, and
        `Conflict` if the method is disabled.
        """
        if self.method is None:
            return self._plain()
        return self._by_method((catalog or {}).get(self.method) or unknown_method(self.method))

    def _by_method(self, found: Document | ServiceError) -> Draft:
        if isinstance(found, ServiceError):
            raise found
        said = {name: getattr(self, name) for name in self.model_fields_set & Submission.model_fields.keys()}
        resolved = resolve(found, said)
        try:
            return Submission.model_validate(resolved.fields).draft().by(resolved.method)
        except ValidationError as error:
            errors = error.errors()
            raise Refused([{**each, "loc": ("body", *said_at(each["loc"], found))} for each in errors]) from None

    def sketch(self) -> Draft:
        """The same as far as it can be told without its method."""
        return self.model_copy(update={"method": None, "profile": None, "image": "unknown"}).draft()

    def _plain(self) -> Draft:
        spec = {name: getattr(self, name) for name in Spec.model_fields if name != "method"}
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
            webhooks=tuple(Asked(each.url, each.events, each.secret) for each in self.webhooks),
        )

    def confided(self) -> dict[str, Any]:
        """What makes this body another one, but is not to be read anywhere: the secrets as they are."""
        values = {name: value.get_secret_value() for name, value in self.secrets.items()}
        signed = [each.confided() for each in self.webhooks] if any(each.secret for each in self.webhooks) else []
        # Which inputs of a method are secret, only the method tells.
        inputs = self.inputs if self.method is not None else {}
        parts = {"secrets": values, "webhooks": signed, "inputs": inputs}
        return {name: part for name, part in parts.items() if part}

    def once(self, key: str, vault: Vault) -> Once:
        """What tells this request from others with the same key."""
        # Without a key to seal them with secrets are refused further on.
        return Once.of(key, self, self.confided() if vault.has_key else {}, vault)


class CancelRequest(BaseModel):
    """How to stop it. The body may be left out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"force": True}]})

    force: StrictBool = Field(default=False, description="SIGKILL now, without notice or grace")


class ArchiveRequest(BaseModel):
    """How to archive it. The body may be left out."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"archive": "outputs"}]})

    archive: Archive | None = Field(
        default=None, description="What is kept of it; default: what its submission says. The rest is removed now"
    )


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
