"""What else the API has records of: batches, methods, schedules, files and the like."""

from __future__ import annotations

from tailrace._document import (
    Document,
    anything,
    flag,
    maybe_part,
    maybe_seconds,
    maybe_text,
    maybe_time,
    maybe_whole,
    part,
    parts,
    table,
    text,
    texts,
    whole,
)


class BatchProgress(Document):
    """How far a batch is."""

    total = whole("How many children it has")
    ended = whole("How many of them have ended")
    percent = whole("The same, 0 to 100")
    by_status = table("How many there are of each status")
    _shown = ("ended", "total")


class BatchRecord(Document):
    """A batch as the API shows it."""

    id = text("UUID")
    name = maybe_text("For people")
    note = maybe_text("For people")
    labels = table("To find it again")
    owner = text("Whose it is")
    status = text("`queued`, `running`, `paused`, `stopping`, `succeeded`, `failed` or `canceled`")
    progress = part(BatchProgress, "How far it is")
    max_parallel = maybe_whole("How many children may run at once")
    fail_fast = flag("Whether the first failure cancels the others")
    stop = table("Why nothing more of it starts")
    lineage = table("`rerun_of`")
    created_at = maybe_time("When it was submitted")
    finished_at = maybe_time("When the last of it ended")
    links = table("Addresses, relative to the server's")
    _shown = ("id", "name", "status")

    @property
    def ended(self) -> bool:
        """Whether all of it has ended."""
        return self.finished_at is not None

    @property
    def message(self) -> str | None:
        """How it went, as a sentence."""
        counts = ", ".join(f"{number} {status}" for status, number in sorted(self.progress.by_status.items()) if number)
        return f"{self.progress.ended} of {self.progress.total} have ended: {counts}."

    @property
    def cause(self) -> str | None:
        """Why nothing more of it started, if somebody or something stopped it."""
        reason = self.stop.get("reason")
        return str(reason) if reason else None

    @property
    def hint(self) -> str | None:
        """What to do about it."""
        return None if self.status == "succeeded" else "`rerun()` runs again what did not succeed."


class MethodVersion(Document):
    """One version of a method. `document` is all that it says."""

    method = text("The method's name")
    version = text("Such as 1.2.0")
    status = text("`draft`, `published` or `retired`")
    document = table("What is run, with which inputs, within which limits")
    created_by = text("Who made it")
    created_at = maybe_time("When")
    published_at = maybe_time("Since when it does not change any more")
    retired_at = maybe_time("When it was put aside")
    _shown = ("method", "version", "status")


class Method(Document):
    """A method: a named template of executions."""

    name = text("Its name")
    owner = text("Whose it is")
    title = maybe_text("For people")
    description = maybe_text("For people")
    keywords = texts("To find it")
    category = maybe_text("To find it")
    version = text("The newest version that you may see")
    latest = maybe_text("The newest that is published")
    visibility = text("`private`, `named` or `all`: who else may submit it")
    runnable = flag("Whether it can be submitted now")
    disabled = table("Why it can not, if somebody switched it off")
    versions = parts(MethodVersion, "All of them; not in lists")
    created_at = maybe_time("When it was made")
    updated_at = maybe_time("When it last changed")
    _shown = ("name", "version")


class Schedule(Document):
    """What is submitted again and again."""

    id = text("UUID")
    name = text("Yours alone")
    note = maybe_text("For people")
    labels = table("To find it again")
    owner = text("Whose it is")
    rule = table("When: `cron` with `time_zone`, or `every`")
    targets = anything("What")
    enabled = flag("Whether it fires")
    paused_reason = maybe_text("Why not, if it was not you")
    failures = whole("How many firings in a row have failed")
    next = table("When it fires next: `at`, `due_at`")
    last_at = maybe_time("When it fired last")
    created_at = maybe_time("When it was made")
    _shown = ("id", "name", "enabled")


class Firing(Document):
    """What came of one firing of a schedule."""

    at = maybe_time("Its logical time")
    status = text("What became of it")
    manual = flag("Whether somebody asked for it")
    reason = maybe_text("Why it was skipped")
    message = maybe_text("The same as a sentence")
    made = anything("What it submitted: `execution` or `batch`")
    _shown = ("at", "status")


class Trigger(Document):
    """An address to which others post, and something runs. `token`, `secret` and `address` are told once."""

    id = text("UUID")
    name = text("Yours alone")
    owner = text("Whose it is")
    target = table("What is submitted")
    enabled = flag("Whether it takes anything")
    address = maybe_text("Where to post: with the token, where senders do not sign")
    token = maybe_text("What is in that address")
    secret = maybe_text("What senders sign with")
    created_at = maybe_time("When it was made")
    last_used_at = maybe_time("When something was posted last")
    _shown = ("id", "name")


class File(Document):
    """An uploaded file. As a value of `files=` in a submission it stands for itself."""

    id = text("UUID")
    owner = text("Whose it is")
    name = text("A plain file name")
    media_type = text("As it was said, or guessed")
    bytes = whole("Its size")
    sha256 = text("In hexadecimal")
    labels = table("To find it again")
    created_at = maybe_time("When it was uploaded")
    _shown = ("id", "name", "bytes")


class Token(Document):
    """Who may do what. `token` is told once, when it is made."""

    id = text("UUID")
    kind = text("`token`, `session` of a browser, or `oidc`, an issuer's")
    name = text("For people")
    owner = text("As whom it acts")
    scopes = texts("`read`, `submit`, `cancel`, `admin`")
    role = maybe_text("Where the scopes come from")
    token = maybe_text("The token itself")
    created_at = maybe_time("When it was made")
    expires_at = maybe_time("Until when it is good")
    revoked_at = maybe_time("Since when it is not")
    last_used_at = maybe_time("When it was used last")
    _shown = ("id", "name", "owner")


class Pool(Document):
    """A named group of workers."""

    name = text("Its name")
    description = maybe_text("For people")
    max_running = maybe_whole("How many may run in it")
    max_running_per_owner = maybe_whole("How many of one owner")
    queued = whole("How many wait")
    running = whole("How many run")
    workers = whole("How many workers are there")
    slots = whole("How many slots take work")
    _shown = ("name", "queued", "running")


class Worker(Document):
    """A process that runs containers."""

    id = text("UUID")
    pool = text("Whose work it takes")
    host = text("Where it is")
    version = text("Of Tailrace")
    engine = table("The container engine: `version`, `ok`, `message`")
    slots = whole("How many containers it runs at once")
    busy = whole("How many it runs")
    state = text("`active`, `paused`, `draining`, `lost` or `gone`")
    executions = texts("Those that you may see")
    started_at = maybe_time("When it started")
    heartbeat_at = maybe_time("When it was heard of last")
    _shown = ("id", "host", "state")


class Webhook(Document):
    """A server that is told what happens. `secret` is told once."""

    id = text("UUID")
    url = text("Where it is told")
    events = texts("Of what it hears")
    enabled = flag("Whether it is told anything")
    disabled_reason = maybe_text("Why not")
    failures = whole("How many tries in a row have failed")
    secret = maybe_text("What messages are signed with")
    created_at = maybe_time("When it was made")
    _shown = ("id", "url")


class Delivery(Document):
    """One message to a webhook, or one post to a trigger."""

    id = text("UUID")
    event = text("What happened")
    state = text("What became of it")
    tries = whole("How often it was sent")
    created_at = maybe_time("When it was to be sent")
    done_at = maybe_time("When it had arrived, or was given up")
    _shown = ("id", "event", "state")


class Notification(Document):
    """A rule that says to whom it is told how executions end. Where exactly it leads to is not shown."""

    id = text("UUID")
    owner = text("Whose ends; `*` is everybody's")
    channel = text("The service: how its address begins")
    batches = flag("Whether it tells of whole batches")
    statuses = texts("Ends that are told")
    causes = texts("Only ends by one of these; none is all")
    pools = texts("Only of these; none is all")
    methods = texts("Only of these; none is all")
    labels = table("Only of what has all of them")
    alert_after = maybe_whole("Only when so many in a row have failed")
    per = text("What counts as the same for that")
    enabled = flag("Whether anything is said")
    description = maybe_text("For people")
    created_at = maybe_time("When it was made")
    _shown = ("id", "channel")


class Message(Document):
    """One message of a notification. `unsure` is what may have arrived, and is not sent again."""

    id = text("UUID")
    kind = text("What it tells")
    title = text("Its title")
    state = text("What became of it")
    tries = whole("How often it was sent")
    error = maybe_text("Why it was not taken")
    execution = maybe_text("Of which execution")
    batch = maybe_text("Of which batch")
    created_at = maybe_time("When it was to be sent")
    done_at = maybe_time("When it was, or was given up")
    _shown = ("id", "kind", "state")


class Secret(Document):
    """A secret under a name; its value is never shown."""

    name = text("By which submissions refer to it")
    created_at = maybe_time("When it was put")
    changed_at = maybe_time("When its value last changed")
    used_at = maybe_time("When something was submitted with it")
    _shown = ("name",)


class Share(Document):
    """An address that shows one execution to whoever has it. `token` and `links` are told once."""

    id = text("UUID")
    execution = text("Which one")
    note = maybe_text("For people")
    token = maybe_text("What is in its addresses")
    links = table("`page` for a browser; `self`, `logs`, `tail`, `outputs` for programs")
    created_at = maybe_time("When it was made")
    expires_at = maybe_time("Until when it shows anything")
    revoked_at = maybe_time("Since when it does not")
    last_used_at = maybe_time("When somebody looked last")
    _shown = ("id", "execution")


class Quota(Document):
    """How much of something is used."""

    used = whole("So much")
    limit = maybe_whole("Of so much; None is no limit")
    _shown = ("used", "limit")


class Quotas(Document):
    """What an owner uses, and how much that may be."""

    queued = part(Quota, "Executions that wait")
    running = part(Quota, "Executions that take a slot")
    cpus = part(Quota, "Processors of those")
    memory = part(Quota, "Bytes of memory of those")
    log_bytes = part(Quota, "Bytes of logs")
    storage = part(Quota, "Bytes of outputs, checkpoints and files")
    file_bytes = part(Quota, "Bytes of files")


class OwnerQuota(Document):
    """The limits that somebody gave an owner; None is no limit, or the default. `quota` is not in lists."""

    owner = text("Whose they are")
    max_queued = maybe_whole("How many may wait")
    max_running = maybe_whole("How many may take a slot")
    max_cpus = maybe_seconds("Processors of what takes a slot, together")
    max_memory = maybe_whole("Bytes of memory of what takes a slot, together")
    max_log_bytes = maybe_whole("Bytes of logs that are kept")
    max_storage = maybe_whole("Bytes of outputs, checkpoints and files that are kept")
    updated_at = maybe_time("When they were set; None if never")
    quota = part(Quotas, "How it stands")
    _shown = ("owner", "max_queued", "max_running")


class AuditEntry(Document):
    """Who asked for what, and how it was answered."""

    id = whole("Number")
    at = maybe_time("When")
    action = text("The operation")
    object = maybe_text("Its path below /v1/")
    owner = maybe_text("Whose that is")
    actor = text("Who asked")
    token_id = maybe_text("With which token")
    token_name = maybe_text("What that is called")
    address = maybe_text("From where")
    request_id = maybe_text("As in the server's log")
    status = whole("Of the answer")
    _shown = ("id", "actor", "action", "status")


class Happening(Document):
    """Something that happened to one of all executions, or to a batch. By its type it has more: docs/events.md."""

    type = text("`execution`, `batch`, `deleted`, `progress`; `resync` where too much has happened to tell it")
    cursor = maybe_whole("To go on behind it; progress has none")
    id = maybe_text("Of which execution or batch")
    status = maybe_text("How it stands now")
    cause = maybe_text("Why it ended")
    message = maybe_text("As a sentence")
    actor = maybe_text("Who did it")
    at = maybe_time("When")
    exit_code = maybe_whole("Of the program")
    name = maybe_text("For people")
    owner = maybe_text("Whose it is")
    pool = maybe_text("In which pool")
    labels = table("To find it again")
    image = maybe_text("As it was asked for")
    percent = maybe_whole("Of progress: 0 to 100")
    phase = maybe_text("Of progress: what it does")
    _shown = ("type", "id", "status", "percent")


class Me(Document):
    """Who you are."""

    owner = text("Your name")
    scopes = texts("What you may do")
    quota = part(Quotas, "What you use")
    _shown = ("owner", "scopes")


class Change(Document):
    """What came of one execution of many."""

    id = text("Of which")
    result = text("`done`, `accepted`, `unchanged` or `refused`")
    status = maybe_text("How it stands now")
    rerun = maybe_text("The execution that runs it again")
    error = maybe_part(Document, "Why it was refused")
    _shown = ("id", "result", "status")
