"""Every setting, read once at start from `TAILRACE_…` and passed down. Nothing else reads the environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from limits import parse as parse_rate
from pydantic import ByteSize, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app import crash_points
from app.artifacts.address import Bucket
from app.auth.oidc_rules import ALGORITHMS, parts, read_issuer
from app.explaining import fields_of
from app.files.hosts import Hosts
from app.outbound.policy import Policy
from app.pools.model import DEFAULT_POOL, PoolName

Seconds = Annotated[float, Field(ge=0)]
OnSigterm = Literal["detach", "drain"]
DefaultRole = Literal["none", "viewer", "operator"]
# How a process ends that could not begin: whoever supervises it tries again.
CANNOT_START = 3


class Settings(BaseSettings):
    """Settings of the API and the worker. Times are seconds, sizes are bytes."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", extra="ignore")

    database_url: str = Field(
        default="postgresql://localhost/tailrace",
        description="PostgreSQL 15 or later: `postgresql://user:password@host/database`, "
        "with `?host=/dir` for a unix socket",
    )
    redis_url: str = Field(
        default="redis://localhost:6379/0", description="Redis 6.2 or later; `unix:///path` for a unix socket"
    )
    redis_prefix: str = Field(
        default="tailrace", description="First part of every name in Redis; installations that share one differ here"
    )
    data: Path = Field(
        default=Path("data"),
        description="Directory of workspaces, outputs and checkpoints; the same path on the engine's host",
    )

    store: str = Field(
        default="",
        description="Where files are kept: `s3://bucket/prefix?endpoint=…&region=…`, with credentials from `AWS_…`; "
        "without it the directory `artifacts` of the data directory",
    )

    host: str = Field(default="127.0.0.1", description="Address the API listens on")
    port: int = Field(default=8700, ge=0, le=65535, description="Port the API listens on")
    web: Path = Field(
        default=Path(__file__).resolve().parents[1] / "web" / "dist",
        description="Directory of the monitor as `make web` has built it; by default `web/dist` beside `app`",
    )
    bootstrap_token: SecretStr | None = Field(
        default=None, description="An admin token that the API makes valid when it starts"
    )
    oidc_issuer: str = Field(
        default="", description="OpenID Connect issuer whose tokens are taken, as it names itself; none by default"
    )
    oidc_audience: str = Field(
        default="",
        validate_default=True,
        description="For whom its tokens have to be (`aud`): the name of this API there, or several with commas",
    )
    oidc_owner_claim: str = Field(default="sub", min_length=1, description="The claim that says whose token it is")
    oidc_owner_prefix: str = Field(
        default="oidc:", max_length=100, description="What the owner's name begins with, before what that claim says"
    )
    oidc_roles_claim: str = Field(
        default="roles", min_length=1, description="The claim with roles, groups or scopes; dots lead into objects"
    )
    oidc_viewers: str = Field(default="", description="Values of it that make a `viewer`, separated by commas")
    oidc_operators: str = Field(default="", description="Values of it that make an `operator`")
    oidc_admins: str = Field(default="", description="Values of it that make an `admin`; none by default")
    oidc_default_role: DefaultRole = Field(
        default="none",
        validate_default=True,
        description="The role of who has none of these values: `none`, `viewer` or `operator`",
    )
    oidc_algorithms: str = Field(
        default=",".join(ALGORITHMS), description="How tokens of the issuer may be signed, separated by commas"
    )
    oidc_clock_skew: int = Field(
        default=60, ge=0, le=600, description="By how much the issuer's clock and ours may differ, seconds"
    )
    oidc_absence_days: int = Field(
        default=30,
        ge=0,
        le=90,
        description="What owners have scheduled goes on for so many days after their last token of the issuer",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="What secrets are sealed with, random, the same for API and workers; of several, separated by "
        "commas, the first seals and all open",
    )
    secret_key_file: Path | None = Field(
        default=None, description="A file that has the keys instead, one per line or separated by commas"
    )
    secrets: Path = Field(
        default=Path("/dev/shm/tailrace"),  # noqa: S108 - only its owner may enter it, which is checked
        description="Directory in memory (tmpfs) for secrets that programs get as files; the worker's alone, and the "
        "same path on the engine's host",
    )
    outbound_allow: str = Field(
        default="",
        description="What is not public and may be connected to nevertheless, for webhooks and files by URL: networks, "
        "hosts and `*.domains`, separated by commas, each with `:port` if it is not one of 80, 443 and above 1023",
    )
    database_pool: int = Field(default=10, ge=1, description="Database connections a process keeps")
    send_buffer: int = Field(
        default=131_072, ge=4096, description="What the kernel takes of an API connection before it can send it, bytes"
    )
    stalled_after: int = Field(
        default=60, ge=1, description="How long a peer may take nothing of what waits for it, seconds"
    )
    search_seconds: float = Field(
        default=10, gt=0, description="How long one request may compute to search a log (`grep`), seconds"
    )
    shutdown_grace: int = Field(default=3, ge=0, description="How long open requests may last at shutdown, seconds")
    body_limit: int = Field(default=8 * 2**20, ge=1024, description="Largest request body, bytes")
    file_limit: ByteSize = Field(
        default=ByteSize(10 * 2**30), ge=0, description="Largest file that is uploaded, or fetched by URL, bytes"
    )
    max_file_bytes_per_owner: ByteSize | None = Field(
        default=None, ge=0, description="What all files that an owner has uploaded or imported may have together, bytes"
    )
    input_urls: str = Field(
        default="",
        description="Hosts from which executions may have files fetched by URL: names and `*.domains`, separated by "
        "commas, or `*`; none by default",
    )
    input_urls_limit: ByteSize = Field(
        default=ByteSize(10 * 2**30),
        ge=0,
        description="What all files that one execution has fetched by URL may have together, bytes",
    )
    max_queued_per_owner: int | None = Field(
        default=None, ge=0, description="Executions that an owner may have queued at once, unless they have a quota"
    )
    request_rate: str = Field(
        default="", description="How often each token may ask, such as `600/minute`; as often as it likes without"
    )
    bad_token_rate: str = Field(
        default="300/minute",
        description="How often an address may come without a valid token; as often as it likes if empty",
    )
    policy: Path | None = Field(
        default=None,
        description="File of the policy: images, networks, runtimes and limits that are allowed, and to whom",
    )
    max_queue_timeout: int | None = Field(default=None, ge=1, description="Largest `limits.queue_timeout`, seconds")
    max_pull_timeout: int | None = Field(default=None, ge=1, description="Largest `limits.pull_timeout`, seconds")
    max_timeout: int | None = Field(default=None, ge=1, description="Largest `limits.timeout`, seconds")
    max_idle_timeout: int | None = Field(default=None, ge=1, description="Largest `limits.idle_timeout`, seconds")
    max_grace: int | None = Field(default=None, ge=0, description="Largest `limits.grace`, seconds")

    webhook_timeout: float = Field(
        default=15, gt=0, le=120, description="How long a receiver of a webhook may take to answer, seconds"
    )
    webhook_retry_after: float = Field(
        default=5,
        gt=0,
        le=3600,
        description="From the first failed try of a delivery to the second, seconds; later ones wait longer and longer",
    )
    webhook_disable_after: float = Field(
        default=5 * 86_400,
        gt=0,
        description="A webhook to which nothing could be delivered for so long is disabled, seconds",
    )
    webhook_log_days: int = Field(
        default=30, ge=1, le=3650, description="Deliveries that are over are kept so many days"
    )

    notification_channels: str = Field(
        default="mailto,mailtos,slack,discord,tgram,ntfy,ntfys",
        description="Services of Apprise that notifications may be sent by, as its URLs begin, separated by commas",
    )

    pool: PoolName = Field(default=DEFAULT_POOL, description="The pool this worker serves")
    on_sigterm: OnSigterm = Field(
        default="detach",
        description="What a worker does at SIGTERM: `detach` leaves its containers to the next worker at once, `drain` "
        "ends when they have ended",
    )
    min_free_disk: ByteSize = Field(
        default=ByteSize(0),
        ge=0,
        description="While the disk of the data directory has less free, the worker starts nothing new, bytes",
    )
    slots: int = Field(default=4, ge=1, le=1000, description="Executions this worker runs at once")
    docker_host: str = Field(
        default="unix:///var/run/docker.sock",
        description="The container engine's socket",
        validation_alias="DOCKER_HOST",
    )
    reconcile_every: float = Field(
        default=12, gt=0, description="How often what is on engine and disk is compared with the record, seconds"
    )
    orphan_after: float = Field(
        default=60, ge=0, description="What no record wants any more is removed after so long, seconds"
    )
    host_lost_after: float = Field(
        default=600, ge=30, description="A host of whose workers nothing is heard for so long is lost, seconds"
    )
    engine_lost_after: float = Field(
        default=86_400, ge=30, description="A container engine that answers no worker for so long is lost, seconds"
    )
    worker_host: str = Field(default="127.0.0.1", description="Address of the worker's own port")
    worker_port: int = Field(
        default=0, ge=0, le=65535, description="Port where the worker serves `/healthz` and `/metrics`; 0 for none"
    )

    log_retention_days: int = Field(
        default=0, ge=0, le=36_500, description="Logs of what has ended are kept so many days, 0 for ever"
    )
    retention_succeeded_days: int = Field(
        default=0, ge=0, le=36_500, description="Executions that succeeded are kept so many days, 0 for ever"
    )
    retention_failed_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="The same for those that failed, timed out or crashed",
    )
    retention_canceled_days: int = Field(
        default=0, ge=0, le=36_500, description="The same for those that were canceled"
    )
    retention_outputs_days: int = Field(
        default=0, ge=0, le=36_500, description="Outputs of what has ended are kept so many days, 0 for ever"
    )
    retention_checkpoints_days: int = Field(
        default=0, ge=0, le=36_500, description="Checkpoints of what has ended are kept so many days, 0 for ever"
    )
    retention_files_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="Uploaded files that nothing refers to are kept so many days, 0 for ever",
    )
    retention_audit_days: int = Field(
        default=0, ge=0, le=36_500, description="Who did what is kept so many days, 0 for ever"
    )
    retention_refused_days: int = Field(
        default=90, ge=0, le=36_500, description="Of that what was refused is kept so many days, 0 as long as all else"
    )
    log_format: str = Field(default="json", pattern="^(json|console)$", description="Our own log: json or console")
    crash_at: str | None = Field(
        default=None, description="For tests: the process kills itself at this point of `app/crash_points.py`"
    )

    @property
    def notification_channels_allowed(self) -> frozenset[str]:
        """One by one."""
        return frozenset(filter(None, (part.strip().lower() for part in self.notification_channels.split(","))))

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        try:
            make_url(value)
        except (ArgumentError, ValueError):
            # What could not be read may have a password in it.
            message = "must be an address such as `postgresql://user:password@host/database`"
            raise ValueError(message) from None
        return value

    @field_validator("policy", mode="before")
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        return value or None

    @field_validator("data", "secrets")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        # The engine resolves bind mounts on its host: a relative path would mean another directory there.
        return value.absolute()

    @field_validator("outbound_allow")
    @classmethod
    def _readable(cls, value: str) -> str:
        Policy.parse(value)
        return value

    @field_validator("store")
    @classmethod
    def _known_store(cls, value: str) -> str:
        Bucket.parse(value)
        return value

    @field_validator("input_urls")
    @classmethod
    def _known_hosts(cls, value: str) -> str:
        Hosts.parse(value)
        return value

    @field_validator("request_rate", "bad_token_rate")
    @classmethod
    def _known_rate(cls, value: str) -> str:
        try:
            is_rate = not value or parse_rate(value).amount > 0
        except ValueError:
            is_rate = False
        if not is_rate:
            message = "must be a number and a time, such as `600/minute` or `20/2seconds`"
            raise ValueError(message)
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _known_issuer(cls, value: str) -> str:
        if value:
            read_issuer(value)
        return value

    @field_validator("oidc_audience")
    @classmethod
    def _is_for_us(cls, value: str, info: ValidationInfo) -> str:
        issuer = info.data.get("oidc_issuer")
        if issuer and not parts(value):
            message = "must say by which name the issuer knows this API: a token for somebody else is not for us"
            raise ValueError(message)
        if value and issuer == "":
            raise ValueError("is of no use without TAILRACE_OIDC_ISSUER")
        return value

    @field_validator("oidc_algorithms")
    @classmethod
    def _asymmetric(cls, value: str) -> str:
        if not parts(value) or not set(parts(value)) <= set(ALGORITHMS):
            message = f"must be some of {', '.join(ALGORITHMS)}, separated by commas"
            raise ValueError(message)
        return value

    @field_validator("oidc_default_role")
    @classmethod
    def _somebody_may(cls, value: str, info: ValidationInfo) -> str:
        known = (info.data.get(f"oidc_{name}") for name in ("viewers", "operators", "admins"))
        if info.data.get("oidc_issuer") and value == "none" and not any(known):
            message = (
                "must be `viewer` or `operator`, unless TAILRACE_OIDC_VIEWERS, TAILRACE_OIDC_OPERATORS or "
                "TAILRACE_OIDC_ADMINS says who may do anything"
            )
            raise ValueError(message)
        return value

    @field_validator("crash_at")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value:
            crash_points.parse(value)
        return value


def read_settings() -> Settings:
    """The settings that the environment says. Ends the process with a sentence for each that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        for wrong in fields_of([{**each, "loc": ("environment", *each["loc"][:1])} for each in error.errors()]):
            variable = wrong.field if wrong.field.isupper() else f"TAILRACE_{wrong.field.upper()}"
            sys.stderr.write(f"tailrace: {variable}: {wrong.message}\n")
        raise SystemExit(CANNOT_START) from None
