"""What can be submitted, as the API names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from typing_extensions import TypedDict


class Limits(TypedDict, total=False):
    """What it may use: whole seconds, and bytes as numbers or strings such as `"2GiB"`."""

    queue_timeout: int | None
    """Seconds that it may wait in the queue; by default for ever."""
    pull_timeout: int
    """Seconds that its image may be pulled; by default 600."""
    timeout: int
    """Seconds that its program may run; by default 3600."""
    idle_timeout: int | None
    """Seconds that its program may run and write nothing; by default for ever."""
    warn_before: int | None
    """So many seconds before its `timeout` the program is warned."""
    grace: int
    """Seconds that it has to save its work when it is asked to stop; by default 10. Then it is killed."""
    notice: int | None
    """Seconds of its `grace` that pass before `stop_signal` is sent."""
    cpus: float
    """Cores, also parts of one; by default 1."""
    memory: int | str
    """By default 512 MiB. There is no swap."""
    pids: int
    """Processes and threads; by default 256."""
    shm: int | str
    """Shared memory; by default 64 MiB."""
    file_size: int | str
    """The largest file that it may write; by default 10 GiB."""
    disk: int | str
    """All that it may have on disk; by default 10 GiB."""
    log_bytes: int | str
    """How much of the log is kept; by default 64 MiB."""
    output_bytes: int | str
    """How much of its outputs is kept; by default 1 GiB."""
    output_files: int
    """How many outputs are kept; by default 10,000."""
    checkpoint_bytes: int | str
    """How large a checkpoint is kept; by default 1 GiB."""


class Options(TypedDict, total=False):
    """Every field of a submission but `image` and `command`; more about them in docs/api.md."""

    method: str | None
    """Instead of an image: a method, as `name`, or `name@1.2.0` for one of its versions."""
    profile: str | None
    """A preset of the method."""
    entrypoint: Sequence[str] | None
    """Replaces the image's."""
    env: Mapping[str, str]
    """Environment variables."""
    secrets: Mapping[str, str]
    """Environment variables that no answer and no log shows."""
    named_secrets: Mapping[str, Any]
    """Secrets that you have put before: `{"HUB": {"name": "hub-token"}}` is the file `/tailrace/secrets/HUB`."""
    inputs: Mapping[str, Any]
    """JSON by name: the program finds it in `/tailrace/inputs.json`, and as `INPUT_<NAME>`."""
    files: Mapping[str, Any]
    """By path below `/tailrace/inputs`: a `Path`, bytes, a `File` that was uploaded, `{"text": …}`, `{"url": …}`."""
    name: str | None
    """For people."""
    note: str | None
    """For people."""
    labels: Mapping[str, str]
    """To find it again."""
    workdir: str | None
    """Where it runs; by default the image's."""
    user: str | None
    """As whom it runs: a user, or `user:group`; by default the image's."""
    stop_signal: str
    """What is sent when it is asked to stop; by default `SIGTERM`."""
    network: str
    """`none` (the default) or `bridge`."""
    runtime: str | None
    """What isolates its container, such as `runsc`; by default the engine's."""
    image_policy: str
    """When its image is pulled: if it is `missing` (the default), `always` or `never`."""
    pool: str
    """The group of workers that is to run it."""
    priority: int
    """−100 to 100, among your own: each point counts as much as a minute of waiting."""
    lane: str
    """`high` (for administrators) comes before everything else, `low` after it; by default `normal`."""
    not_before: datetime | str | None
    """It is not started earlier. A `datetime` needs its zone."""
    hold: bool
    """Keep it in the queue until it is released."""
    limits: Limits | Mapping[str, Any]
    """What it may use."""
    logical_time: datetime | str | None
    """The time that it is about: the program finds it in `TAILRACE_LOGICAL_TIME`."""
    max_attempts: int
    """How often its program may be started; by default once."""
    retry_on: Sequence[str | int]
    """Causes and exit codes after which there is another attempt, such as `oom_killed` or 75."""
    on_timeout: str
    """`fail` (the default), or `retry` after `timeout` and `idle_timeout`."""
    on_interrupted: str
    """`fail` (the default), or `retry` after the engine or its host went away."""
    exit_codes: Mapping[str, str]
    """What exit codes mean: `{"3": "success", "75": "retry"}`."""
    setup: Mapping[str, Any] | None
    """Runs before it in the same container: `{"command": ["sh", "-c", "…"], "timeout": 60}`."""
    teardown: Mapping[str, Any] | None
    """Runs after it, however that ended."""
    keep_workspace: bool
    """Leave its directories on the worker's host, for administrators."""
    outputs: Sequence[Mapping[str, Any]]
    """Files that it is to leave: `[{"path": "report.html"}]`. Without them it has failed."""
    archive: str
    """What is kept when it is archived: `all` (the default), record and `outputs`, or the `record` alone."""
    resume_from: str | None
    """The id of an execution that has ended: this one starts with its checkpoint."""
    webhooks: Sequence[Mapping[str, Any]]
    """Servers that hear of it: `[{"url": "https://example.com/done"}]`."""


class Filters(TypedDict, total=False):
    """Which executions: all filters must hold, and of a list any member will do."""

    status: str | Sequence[str]
    """How they stand."""
    cause: str | Sequence[str]
    """Why they ended."""
    owner: str | Sequence[str]
    """Whose they are; for administrators."""
    pool: str | Sequence[str]
    """Whose workers run them."""
    method: str | Sequence[str]
    """By which method they were submitted, as `name` or `name@1.2.0`."""
    source: str | Sequence[str]
    """Where they come from, such as `api` or `schedule`."""
    label: Mapping[str, str | None]
    """All of these: `{"team": "a"}`, with None for any value."""
    q: str
    """Words, each of which begins one of their name, note or labels; or the first digits of an id."""
    image: str
    """Their image; `registry.example.com/team/*` takes all that begin so."""
    batch: str
    """The id of their batch."""
    schedule: str
    """The id of the schedule that submitted them."""
    rerun_of: str
    """The id of the execution that they run again."""
    resumed_from: str
    """The id of the execution whose checkpoint they began with."""
    created_after: datetime | str
    """Submitted then or later. A `datetime` needs its zone."""
    created_before: datetime | str
    """Submitted earlier."""
    finished_after: datetime | str
    """Ended then or later."""
    finished_before: datetime | str
    """Ended earlier."""
    min_duration: float
    """Ran for so many seconds at least, or have been running."""
    max_duration: float
    """Ran for so many seconds at most."""
    has_warnings: bool
    """With warnings, or without."""
    archived: str
    """`false` (the default) leaves out the archive, `any` does not, `true` takes nothing else."""


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
