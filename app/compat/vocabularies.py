"""What other systems and standards call an execution, by status and cause. Pure.

`say` has a word of theirs for whatever an execution can be; `read` has something of ours for every word of theirs, but
for those that say nothing. What does not come back as it went is lost; `docs/vocabularies.md` shows what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.executions.states import STATUS_OF, Cause, Status, StopReason


@dataclass(frozen=True, slots=True)
class Case:
    """What an execution can be, as far as anybody has a word for it.

    `cause` is why it ended, `stop` why it is stopping, `hold` that somebody keeps it in the queue.
    """

    status: Status
    cause: Cause | None = None
    stop: StopReason | None = None
    hold: bool = False

    @classmethod
    def of(cls, status: Status, *, cause: Cause | None, stop: StopReason | None, hold: bool) -> Case:
        """That of a record, of which some fields count only in some statuses."""
        return cls(
            status,
            cause=cause,
            stop=stop if status is Status.STOPPING else None,
            hold=hold and status is Status.QUEUED,
        )


HELD, QUEUED = Case(Status.QUEUED, hold=True), Case(Status.QUEUED)
PREPARING, RUNNING, PAUSED = Case(Status.PREPARING), Case(Status.RUNNING), Case(Status.PAUSED)
CANCELING = Case(Status.STOPPING, stop=StopReason.CANCEL)
STOPPING = tuple(Case(Status.STOPPING, stop=reason) for reason in StopReason)
ENDED: Mapping[Cause, Case] = {cause: Case(status, cause=cause) for cause, status in STATUS_OF.items()}
CASES = (HELD, QUEUED, PREPARING, RUNNING, PAUSED, *STOPPING, *ENDED.values())

SUCCEEDED = ENDED[Cause.OK]
FAILED = ENDED[Cause.EXIT_NONZERO]
CANCELED = ENDED[Cause.CANCELED_BY_USER]
CRASHED = ENDED[Cause.ENGINE_ERROR]


@dataclass(frozen=True)
class Vocabulary:
    """The words of one system.

    `says` has the word for each case, `reads` the case for each word, which is None where the word says nothing.
    `spellings` are other forms of a word that parts of the system use.
    """

    name: str
    says: Mapping[Case, str]
    reads: Mapping[str, Case | None]
    spellings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def say(self, case: Case) -> str:
        """Their word for it."""
        return self.says[case]

    def read(self, word: str) -> Case | None:
        """What a word of theirs stands for, in upper or lower case; None if it says nothing, or nobody knows it."""
        forms = {form.casefold(): known for known in self.reads for form in (known, *self.spellings.get(known, ()))}
        known = forms.get(word.casefold())
        return None if known is None else self.reads[known]

    def cases(self, word: str) -> frozenset[Case]:
        """All that are called so: what a filter by this word has to find."""
        return frozenset(case for case, said in self.says.items() if said == word)


def _says(
    *,
    causes: Mapping[Cause, str] | None = None,
    held: str | None = None,
    canceling: str | None = None,
    **statuses: str,
) -> Mapping[Case, str]:
    """A word for every status, by its name, and others for what has one of its own."""
    says = {case: statuses[case.status] for case in CASES}
    says |= {ENDED[cause]: word for cause, word in (causes or {}).items()}
    says |= {case: word for case, word in ((HELD, held), (CANCELING, canceling)) if word is not None}
    return says


# https://docs.ogc.org/is/18-062r2/18-062r2.html: `accepted` until it is executed, since `started` is when it is.
# `created`, of the draft of part 4, is defined and not to be started yet; part 1 does not have it.
OGC = Vocabulary(
    "OGC API Processes",
    _says(
        queued="accepted",
        preparing="accepted",
        running="running",
        paused="running",
        stopping="running",
        succeeded="successful",
        failed="failed",
        timed_out="failed",
        canceled="dismissed",
        crashed="failed",
    ),
    {
        "created": HELD,
        "accepted": QUEUED,
        "running": RUNNING,
        "successful": SUCCEEDED,
        "failed": FAILED,
        "dismissed": CANCELED,
    },
)
# https://ga4gh.github.io/task-execution-schemas: an executor is the program; CANCELED only once nothing runs any more,
# by a user; PREEMPTED by the system. UNKNOWN is what is told when nobody could be asked, which is never an end.
TES = Vocabulary(
    "GA4GH TES",
    _says(
        queued="QUEUED",
        preparing="INITIALIZING",
        running="RUNNING",
        paused="PAUSED",
        stopping="RUNNING",
        canceling="CANCELING",
        succeeded="COMPLETE",
        failed="EXECUTOR_ERROR",
        timed_out="EXECUTOR_ERROR",
        canceled="CANCELED",
        crashed="SYSTEM_ERROR",
        causes={
            Cause.QUEUE_TIMEOUT: "SYSTEM_ERROR",
            Cause.PULL_TIMEOUT: "SYSTEM_ERROR",
            Cause.CANCELED_BY_SYSTEM: "PREEMPTED",
        },
    ),
    {
        "UNKNOWN": None,
        "QUEUED": QUEUED,
        "INITIALIZING": PREPARING,
        "RUNNING": RUNNING,
        "PAUSED": PAUSED,
        "COMPLETE": SUCCEEDED,
        "EXECUTOR_ERROR": FAILED,
        "SYSTEM_ERROR": CRASHED,
        "CANCELED": CANCELED,
        "PREEMPTED": ENDED[Cause.CANCELED_BY_SYSTEM],
        "CANCELING": CANCELING,
    },
)
# By name only: the numbers were given anew between its releases. On the wire a success is `completed`, the others are
# their names in lower case; one provider spells with two l.
PERCEVAL = Vocabulary(
    "Perceval RunningStatus",
    _says(
        queued="WAITING",
        preparing="WAITING",
        running="RUNNING",
        paused="SUSPENDED",
        stopping="RUNNING",
        canceling="CANCEL_REQUESTED",
        succeeded="SUCCESS",
        failed="ERROR",
        timed_out="ERROR",
        canceled="CANCELED",
        crashed="ERROR",
    ),
    {
        "WAITING": QUEUED,
        "RUNNING": RUNNING,
        "SUCCESS": SUCCEEDED,
        "ERROR": FAILED,
        "CANCELED": CANCELED,
        "SUSPENDED": PAUSED,
        "CANCEL_REQUESTED": CANCELING,
        "UNKNOWN": None,
    },
    spellings={"SUCCESS": ("completed",), "CANCELED": ("cancelled",), "CANCEL_REQUESTED": ("cancelling",)},
)
# `in-progress` once an agent has it. That it is to stop is no status there, but the flag `toTerminate`. `terminated` is
# what a user did; who sets `aborted` and who `canceled` is not told: here they are the system and the program itself.
DATALOOP = Vocabulary(
    "Dataloop",
    _says(
        queued="created",
        preparing="in-progress",
        running="in-progress",
        paused="in-progress",
        stopping="in-progress",
        succeeded="success",
        failed="failed",
        timed_out="failed",
        canceled="terminated",
        crashed="system-failure",
        causes={Cause.CANCELED_BY_SYSTEM: "aborted", Cause.SELF_CANCELED: "canceled"},
    ),
    {
        "created": QUEUED,
        "in-progress": RUNNING,
        "success": SUCCEEDED,
        "failed": FAILED,
        "terminated": CANCELED,
        "aborted": ENDED[Cause.CANCELED_BY_SYSTEM],
        "canceled": ENDED[Cause.SELF_CANCELED],
        "system-failure": CRASHED,
    },
    # What its progress reports write instead.
    spellings={"in-progress": ("inProgress",), "success": ("completed",)},
)
# `received`: made, but in no queue yet. There only what is queued can be asked to abort.
WIZATA = Vocabulary(
    "Wizata",
    _says(
        queued="queued",
        held="received",
        preparing="started",
        running="started",
        paused="started",
        stopping="started",
        canceling="abortrequested",
        succeeded="completed",
        failed="failed",
        timed_out="failed",
        canceled="aborted",
        crashed="failed",
    ),
    {
        "received": HELD,
        "queued": QUEUED,
        "started": RUNNING,
        "completed": SUCCEEDED,
        "failed": FAILED,
        "aborted": CANCELED,
        "abortrequested": CANCELING,
    },
    spellings={"abortrequested": ("abort_requested",)},
)
# RUNNING once a worker has claimed it. A chain that ends early on purpose is COMPLETE there. It cannot cancel, and
# never says CRASH itself.
ANALYTICS_AUTOMATED = Vocabulary(
    "analytics_automated",
    _says(
        queued="SUBMITTED",
        preparing="RUNNING",
        running="RUNNING",
        paused="RUNNING",
        stopping="RUNNING",
        succeeded="COMPLETE",
        failed="ERROR",
        timed_out="ERROR",
        canceled="ERROR",
        crashed="CRASH",
        causes={Cause.SELF_CANCELED: "COMPLETE"},
    ),
    {"SUBMITTED": QUEUED, "RUNNING": RUNNING, "COMPLETE": SUCCEEDED, "ERROR": FAILED, "CRASH": CRASHED},
)
# What its monitor shows. There is a button to cancel, but no word for what it did.
CCP = Vocabulary(
    "CCP monitor",
    _says(
        queued="Accepted",
        preparing="Accepted",
        running="Running",
        paused="Running",
        stopping="Running",
        succeeded="Successful",
        failed="Failed",
        timed_out="Failed",
        canceled="Failed",
        crashed="Failed",
    ),
    {"Accepted": QUEUED, "Running": RUNNING, "Successful": SUCCEEDED, "Failed": FAILED},
)
# What its newer pages call the same, finer. STARTED is its deploy script, which is prepared here.
CCP_LIFECYCLE = Vocabulary(
    "CCP life cycle",
    _says(
        queued="CREATED",
        preparing="SCHEDULED",
        running="EXECUTING",
        paused="EXECUTING",
        stopping="EXECUTING",
        succeeded="COMPLETED",
        failed="FAILED",
        timed_out="FAILED",
        canceled="FAILED",
        crashed="FAILED",
    ),
    {
        "CREATED": QUEUED,
        "SCHEDULED": PREPARING,
        "STARTED": PREPARING,
        "EXECUTING": RUNNING,
        "COMPLETED": SUCCEEDED,
        "FAILED": FAILED,
    },
)
VOCABULARIES = (OGC, TES, PERCEVAL, DATALOOP, WIZATA, ANALYTICS_AUTOMATED, CCP, CCP_LIFECYCLE)
