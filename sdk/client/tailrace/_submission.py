"""What can be submitted, as the API names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from typing_extensions import TypedDict


class Limits(TypedDict, total=False):
    """What it may use: seconds, and bytes as numbers or strings such as `"2GiB"`."""

    queue_timeout: int | None
    pull_timeout: int
    timeout: int
    idle_timeout: int | None
    warn_before: int | None
    grace: int
    notice: int | None
    cpus: float
    memory: int | str
    pids: int
    shm: int | str
    file_size: int | str
    disk: int | str
    log_bytes: int | str
    output_bytes: int | str
    output_files: int
    checkpoint_bytes: int | str


class Options(TypedDict, total=False):
    """Every field of a submission but `image` and `command`. docs/api.md says what they mean."""

    method: str | None
    profile: str | None
    entrypoint: Sequence[str] | None
    env: Mapping[str, str]
    secrets: Mapping[str, str]
    named_secrets: Mapping[str, Any]
    inputs: Mapping[str, Any]
    files: Mapping[str, Any]
    name: str | None
    note: str | None
    labels: Mapping[str, str]
    workdir: str | None
    user: str | None
    stop_signal: str
    network: str
    runtime: str | None
    image_policy: str
    pool: str
    priority: int
    lane: str
    not_before: datetime | str | None
    hold: bool
    limits: Limits | Mapping[str, Any]
    logical_time: datetime | str | None
    max_attempts: int
    retry_on: Sequence[str | int]
    on_timeout: str
    on_interrupted: str
    exit_codes: Mapping[str, str]
    setup: Mapping[str, Any] | None
    teardown: Mapping[str, Any] | None
    keep_workspace: bool
    outputs: Sequence[Mapping[str, Any]]
    archive: str
    resume_from: str | None
    webhooks: Sequence[Mapping[str, Any]]


class Filters(TypedDict, total=False):
    """Which executions. Of a list any member will do; `label` is `{"team": "a"}`, with None for any value."""

    status: str | Sequence[str]
    cause: str | Sequence[str]
    owner: str | Sequence[str]
    pool: str | Sequence[str]
    method: str | Sequence[str]
    source: str | Sequence[str]
    label: Mapping[str, str | None]
    q: str
    image: str
    batch: str
    schedule: str
    rerun_of: str
    resumed_from: str
    created_after: datetime | str
    created_before: datetime | str
    finished_after: datetime | str
    finished_before: datetime | str
    min_duration: float
    max_duration: float
    has_warnings: bool
    archived: str


def submission(image: str | None, command: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """The document for the API, but for files that are to be sent along. Raises `TypeError` for a command that is one
    string.
    """
    if isinstance(command, str):
        raise TypeError('`command` is a list of arguments; a shell line is ["sh", "-c", "…"]')
    document = dict(options)
    if image is not None:
        document["image"] = image
    if command:
        document["command"] = list(command)
    return document


def as_json(value: Any) -> Any:
    """The same with times, paths, ids, and what NumPy counts with, as JSON has them. Raises `TypeError` for others."""
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    for name in ("isoformat", "__fspath__", "tolist"):
        if converted := getattr(value, name, None):
            return as_json(converted())
    if isinstance(value, UUID | Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON has: {value!r}")
