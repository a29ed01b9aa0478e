"""The record of an execution, and what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from tailrace._document import (
    Document,
    anything,
    flag,
    maybe_flag,
    maybe_part,
    maybe_seconds,
    maybe_text,
    maybe_time,
    maybe_whole,
    part,
    table,
    text,
    texts,
    whole,
)
from tailrace._status import TERMINAL


class Progress(Document):
    """How far the program said that it is."""

    percent = maybe_whole("0 to 100")
    phase = maybe_text("What it does, in its words")
    at = maybe_time("When it said so")
    _shown = ("percent", "phase")


class Stop(Document):
    """Who asked it to stop."""

    requested_at = maybe_time("When")
    by = text("Who")
    reason = text("`cancel`, `timeout`, `pause` and the like")
    deadline = maybe_time("When it is killed")
    _shown = ("reason", "by")


class Pause(Document):
    """Who asked it to pause."""

    mode = text("`freeze` or `checkpoint`")
    by = text("Who")
    requested_at = maybe_time("When")
    paused_at = maybe_time("Since when it is paused")
    resume_by = maybe_text("Who asked it to go on")
    _shown = ("mode", "by")


class UsedMethod(Document):
    """The method that it was submitted by."""

    name = text("Its name")
    version = text("Its version")
    profile = maybe_text("The preset")
    _shown = ("name", "version", "profile")


class Lineage(Document):
    """What it comes from."""

    resumed_from = maybe_text("The execution whose checkpoint it began with")
    rerun_of = maybe_text("The execution that it runs again")
    schedule = maybe_text("The schedule that submitted it")
    batch = table("Its place in a batch: `id`, `index`, `size`, `key`")
    _shown = ("resumed_from", "rerun_of", "schedule")


class LogSummary(Document):
    """How much log there is."""

    lines = whole("Records of all streams")
    bytes = whole("Of what the program wrote")
    truncated = flag("Whether something was left out at its cap")
    complete = maybe_flag("Whether nothing is missing; None until the end")
    expired_at = maybe_time("When it was removed")
    _shown = ("lines", "bytes")


class OutputsSummary(Document):
    """How much it left."""

    files = whole("How many files")
    bytes = whole("All together")
    partial = flag("Whether it ended before it was done")
    expired_at = maybe_time("When they were removed")
    _shown = ("files", "bytes")


class Record(Document):
    """An execution as the API shows it. It does not change: `handle.refresh()` gets a newer one."""

    id = text("UUID")
    name = maybe_text("For people")
    note = maybe_text("For people")
    labels = table("To find it again")
    owner = text("Whose it is")
    source = text("Where it came from: `api`, `schedule`, `trigger` and the like")
    method = maybe_part(UsedMethod, "The method that it was submitted by")
    image = text("As it was asked for")
    image_id = maybe_text("What that was on the engine")
    image_digest = maybe_text("What that was in the registry")
    command = anything("A list of arguments; None for the image's own")
    entrypoint = anything("The same")
    env = texts("Names of its variables")
    secrets = texts("Names of its secrets")
    inputs = table("JSON by name")
    named_secrets = table("By the file or variable in which the program finds them")
    files = table("Input files by path")
    workdir = maybe_text("Where it runs; None: where its image says")
    user = maybe_text("As whom it runs; None: as its image says")
    stop_signal = text("What it is sent when it is asked to stop")
    network = text("`none` or `bridge`")
    runtime = maybe_text("What isolates its container; None: the engine's own")
    image_policy = text("When its image is pulled: `missing`, `always` or `never`")
    limits = table("What it may use: bytes and seconds")
    pool = text("Whose workers run it")
    priority = whole("Among its owner's")
    lane = text("`high`, `normal` or `low`")
    status = text("`queued`, `preparing`, `running`, `paused`, `stopping`, or how it ended")
    phase = maybe_text("What its worker does with it: `pulling` and the like")
    waiting_on = maybe_text("What it waits for in the queue")
    queue_position = maybe_whole("1 is next; of a single record only")
    expected_seconds = maybe_seconds("How long it will run, as others of its kind did")
    cause = maybe_text("Why it ended")
    message = maybe_text("The same as a sentence")
    hint = maybe_text("What to do about it")
    stop = maybe_part(Stop, "Who asked it to stop")
    pause = maybe_part(Pause, "Who asked it to pause")
    attempt = whole("1 is the first")
    max_attempts = whole("How many there may be")
    retry_on = anything("Causes and exit codes after which there is another one")
    on_timeout = text("`fail` or `retry`")
    on_interrupted = text("`fail` or `retry`")
    exit_codes = table("What exit codes mean")
    setup = anything("What runs before it: `command` and `timeout`")
    teardown = anything("What runs after it")
    keep_workspace = flag("Whether its directories stay on the worker's host")
    declared_outputs = anything("Files that it is to leave")
    archive = text("What is kept when it is archived: `all`, `outputs` or `record`")
    hold = flag("Whether it stays in the queue until it is released")
    progress = maybe_part(Progress, "How far it is")
    warnings = anything("Of the program as text, of Tailrace as `{code, message}`")
    result = anything("What the program said that its result is")
    exit_code = maybe_whole("Of the program")
    oom_killed = flag("Whether something in it ran out of memory")
    deadline = maybe_time("When `limits.timeout` ends it")
    created_at = maybe_time("When it was submitted")
    queued_at = maybe_time("When it began to wait")
    started_at = maybe_time("When its program started")
    finished_at = maybe_time("When it ended")
    updated_at = maybe_time("When its record last changed")
    revision = text("Stands for its name, note, labels, priority and limits")
    not_before = maybe_time("It does not start earlier")
    logical_time = maybe_time("The time that it is about")
    queue_seconds = maybe_seconds("How long it waited, once that is over")
    run_seconds = maybe_seconds("How long it ran, once that is over")
    lineage = part(Lineage, "What it comes from")
    log = part(LogSummary, "How much log there is")
    outputs = part(OutputsSummary, "How much it left")
    checkpoint = table("`files` and `bytes` of its checkpoint")
    archived_at = maybe_time("When it was put aside")
    expires_at = maybe_time("When it will be removed")
    links = table("Addresses, relative to the server's")
    _shown = ("id", "name", "status", "cause")

    def __init__(self, raw: Mapping[str, Any]) -> None:
        super().__init__(raw)
        self.seen_at = datetime.now(timezone.utc)
        """When it was looked at, by the clock here."""

    @property
    def ended(self) -> bool:
        """Whether it has ended, also if how is nothing that this version knows."""
        return self.status in TERMINAL or self.finished_at is not None


class OutputFile(Document):
    """A file that a program left."""

    path = text("Below its outputs")
    bytes = whole("Its size")
    sha256 = text("In hexadecimal")
    media_type = text("As declared, or guessed")
    declared = maybe_text("The declaration that it fills")
    _shown = ("path", "bytes")


class Event(Document):
    """A change of status, or something that was done to it."""

    number = whole("From 1")
    to = text("The status")
    cause = maybe_text("Why, at the end")
    message = maybe_text("As a sentence")
    actor = text("Who")
    attempt = whole("Of which attempt")
    at = maybe_time("When")
    _shown = ("number", "to", "message")


class Attempt(Document):
    """One container."""

    number = whole("From 1")
    worker_id = text("Which worker")
    container_name = maybe_text("At the engine")
    claimed_at = maybe_time("When a worker took it")
    started_at = maybe_time("When its program started")
    finished_at = maybe_time("When it was over")
    exit_code = maybe_whole("Of the program")
    cause = maybe_text("Why it ended")
    message = maybe_text("As a sentence")
    _shown = ("number", "cause")
