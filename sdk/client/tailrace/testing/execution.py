"""One execution: what was asked for, how it stands, and its record as JSON. Who changes it holds the world's lock."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tailrace._document import moment
from tailrace._status import TERMINAL
from tailrace.testing.log import LogLine
from tailrace.testing.owned import Owned
from tailrace.testing.problems import Problem
from tailrace.testing.states import ANSWERS, CAUSES, HINTS, MOVES, standing

if TYPE_CHECKING:
    from tailrace.testing.batch import Batch
    from tailrace.testing.world import World

SYSTEM = "system"
IMAGE_ID = "sha256:" + "fa5e" * 16
_LINKS = (
    "events",
    "attempts",
    "logs",
    "outputs",
    "usage",
    "tail",
    "cancel",
    "pause",
    "resume",
    "rerun",
    "code",
    "bundle",
)
_OF_SPEC = (
    "name", "note", "labels", "image", "command", "entrypoint", "named_secrets", "inputs", "files",
    "workdir", "user", "stop_signal", "network", "runtime", "image_policy", "logical_time", "pool", "priority", "lane",
    "max_attempts", "retry_on", "on_timeout", "on_interrupted", "setup", "teardown", "exit_codes", "keep_workspace",
    "not_before", "limits", "archive",
)  # fmt: skip


CHANGEABLE = ("name", "note", "labels", "priority", "limits")


class Execution(Owned):
    """One execution. `skipped` are seconds that its program has slept, which nobody waited for."""

    def __init__(
        self,
        world: World,
        execution: str,
        spec: dict[str, Any],
        *,
        owner: str,
        method: Mapping[str, Any] | None = None,
        rerun_of: str | None = None,
        batch: Batch | None = None,
        place: Mapping[str, Any] | None = None,
    ) -> None:
        self.world = world
        self.id = execution
        self.spec = spec
        self.owner = owner
        self.method = method
        self.rerun_of = rerun_of
        self.batch, self.place = batch, place
        self.resumed_from: str | None = spec["resume_from"]
        self.skipped = 0.0
        self.status = "queued"
        self.held: bool = spec["hold"]
        self.cause: str | None = None
        self.message: str | None = None
        self.stop: dict[str, Any] | None = None
        self.forced = False
        self.pause: dict[str, Any] | None = None
        self.attempt = 0
        self.announced = "checkpoint" in spec["exit_codes"].values()
        self.progress: dict[str, Any] | None = None
        self.warnings: list[Any] = []
        self.result: Any = None
        self.exit_code: int | None = None
        self.oom_killed = False
        self.created_at = self.queued_at = self.updated_at = self.now()
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self.archived_at: datetime | None = None
        self.delete_requested_at: datetime | None = None
        self.expired: dict[str, datetime] = {}
        self.lines: list[LogLine] = []
        self.outputs: dict[str, bytes] = {}
        self.checkpoint: dict[str, bytes] = {}
        self.events: list[dict[str, Any]] = []
        self.attempts: list[dict[str, Any]] = []
        self._note(None, actor=owner)
        self.tell(f"Queued by {owner} in pool {spec['pool']}.")

    @property
    def ended(self) -> bool:
        """Whether its status is terminal."""
        return self.status in TERMINAL

    @property
    def deadline(self) -> datetime | None:
        """When its time is over."""
        if self.started_at is None or self.status == "paused":
            return None
        return self.started_at + timedelta(seconds=self.spec["limits"]["timeout"])

    def now(self) -> datetime:
        """By its own clock, which goes faster while its program sleeps."""
        return self.world.now() + timedelta(seconds=self.skipped)

    def ask(self, operation: str) -> bool:
        """Whether there is something to do. Raises `Problem` where its status does not allow it."""
        here = standing(self.status, self.pause["mode"] if self.pause else None)
        answer = ANSWERS[operation][here]
        if answer == "-":
            detail = f"Its status is {here}, which does not allow this: {operation}."
            raise Problem(409, detail, hint=HINTS.get(operation))
        return answer == "+"

    def move(self, status: str, *, actor: str = SYSTEM, cause: str | None = None, message: str | None = None) -> None:
        """Another status; what ends has a cause."""
        assert status in MOVES[self.status], f"{self.status} → {status}"  # noqa: S101  the table is the law
        before, self.status = self.status, status
        if status in TERMINAL:
            self.cause, self.message, self.finished_at = cause, message, self.now()
        self._note(before, actor=actor, cause=cause, message=message)

    def note(self, actor: str, message: str) -> None:
        """What was done to it, and left its status as it is."""
        self._note(self.status, actor=actor, message=message)

    def _note(self, before: str | None, *, actor: str, cause: str | None = None, message: str | None = None) -> None:
        self.updated_at = self.now()
        self.events.append(
            {
                "number": len(self.events) + 1,
                "from": before,
                "to": self.status,
                "cause": cause,
                "message": message,
                "actor": actor,
                "attempt": self.attempt,
                "at": written(self.updated_at),
            }
        )
        self.world.changed.notify_all()

    def tell(self, text: str, stream: str = SYSTEM) -> None:
        """A line of its log."""
        seq = self.lines[-1].seq + 1 if self.lines else 1
        self.lines.append(LogLine(seq, int(self.now().timestamp() * 1000), stream, text))
        self.world.changed.notify_all()

    def request_stop(self, reason: str, by: str) -> None:
        """Ask its program to stop; the first who does counts."""
        now = self.now()
        deadline = now + timedelta(seconds=self.spec["limits"]["grace"])
        self.stop = {"requested_at": written(now), "by": by, "reason": reason, "deadline": written(deadline)}
        if self.pause is not None:
            self.pause = None
        message = None if reason == "cancel" else f"It has run for its timeout of {self.spec['limits']['timeout']} s."
        self.move("stopping", actor=by, message=message)
        self.tell(f"Stop: {by} asked for it." if reason == "cancel" else "Stop: it has run for its timeout.")

    def look_at_clocks(self) -> float | None:
        """Do what its clocks ask for by now; seconds until there is more to do."""
        if self.stop is not None:
            left = (moment(self.stop["deadline"]) - self.now()).total_seconds()
            self.forced = self.forced or left <= 0
            return max(0.0, left)
        if self.deadline is None:
            return None
        left = (self.deadline - self.now()).total_seconds()
        if left <= 0:
            self.request_stop("timeout", SYSTEM)
            return 0.0
        return left

    @property
    def waiting_on(self) -> str | None:
        """What it waits for in the queue."""
        if self.status != "queued":
            return None
        if self.held:
            return "hold"
        not_before = self.spec["not_before"]
        if not_before is not None and moment(not_before) > self.now():
            return "not_before"
        return "quota" if self.batch is not None and self.batch.is_full else "slot"

    @property
    def revision(self) -> str:
        """What stands for all of it that may be changed."""
        said = json.dumps([self.spec[name] for name in CHANGEABLE], sort_keys=True)
        return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()

    def record(self, *, alone: bool = False) -> dict[str, Any]:
        """As the API shows it; `alone` with what lies ahead."""
        own = f"/v1/executions/{self.id}"
        return {
            "id": self.id,
            **{name: self.spec[name] for name in _OF_SPEC},
            "owner": self.owner,
            "source": "api",
            "method": self.method,
            "image_id": IMAGE_ID if self.started_at else None,
            "image_digest": None,
            "env": sorted(self.spec["env"]),
            "secrets": sorted(self.spec["secrets"]),
            "status": self.status,
            "phase": None,
            "waiting_on": self.waiting_on,
            "queue_position": self.world.position(self) if alone and self.waiting_on in {"slot", "quota"} else None,
            "expected_seconds": None,
            "expected_seconds_p90": None,
            "cause": self.cause,
            "message": self.message,
            "hint": (CAUSES[self.cause][1] or None) if self.cause else None,
            "stop": self.stop,
            "pause": self.pause,
            "saves_checkpoints": self.announced,
            "attempt": self.attempt,
            "declared_outputs": self.spec["outputs"],
            "hold": self.held,
            "progress": self.progress,
            "warnings": self.warnings,
            "result": self.result,
            "exit_code": self.exit_code,
            "oom_killed": self.oom_killed,
            **self._times(),
            "revision": self.revision,
            "lineage": {
                "resumed_from": self.resumed_from,
                "rerun_of": self.rerun_of,
                "schedule": None,
                "batch": self.place,
            },
            "imported": None,
            **self._left(),
            "archived_at": written(self.archived_at),
            "delete_requested_at": written(self.delete_requested_at),
            "delete_requested_by": self.owner if self.delete_requested_at else None,
            "expires_at": None,
            "retention": {"record": None, "log": None, "outputs": None, "checkpoint": None},
            "links": {
                "self": own,
                **{name: f"{own}/{name}" for name in _LINKS},
                "reruns": f"/v1/executions?rerun_of={self.id}&archived=any",
            },
        }

    def _times(self) -> dict[str, Any]:
        """When what happened to it, and for how long."""
        return {
            "deadline": written(self.deadline),
            "created_at": written(self.created_at),
            "queued_at": written(self.queued_at),
            "started_at": written(self.started_at),
            "finished_at": written(self.finished_at),
            "updated_at": written(self.updated_at),
            "queue_seconds": seconds(self.queued_at, self.started_at or self.finished_at),
            "run_seconds": seconds(self.started_at, self.finished_at),
        }

    def _left(self) -> dict[str, Any]:
        """What there is of its log, its outputs and its checkpoint."""
        ended = self.cause is not None
        log = [line for line in self.lines if line.stream != SYSTEM]
        return {
            "log": {
                "lines": len(self.lines),
                "bytes": sum(len(line.text.encode()) + 1 for line in log),
                "truncated": False,
                "complete": True if ended else None,
                "expired_at": written(self.expired.get("log")),
            },
            "outputs": {
                "files": len(self.outputs),
                "bytes": sum(map(len, self.outputs.values())),
                "partial": ended and self.started_at is not None and self.stop is not None,
                "expired_at": written(self.expired.get("outputs")),
            },
            "checkpoint": {
                "files": len(self.checkpoint),
                "bytes": sum(map(len, self.checkpoint.values())),
                "expired_at": written(self.expired.get("checkpoint")),
            },
        }


def written(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, as the API writes it."""
    return None if at is None else at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    """From one to the other."""
    return round((end - start).total_seconds(), 3) if start and end else None
