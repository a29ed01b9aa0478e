"""Examples for the API's documentation; a test holds each against its schema."""

from __future__ import annotations

from typing import Any

Example = dict[str, Any]

_ID = "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"
_OWN = f"/v1/executions/{_ID}"

# The first is what "Try it out" sends: it succeeds where there is nothing yet, and `EXECUTION` is what came of it.
SUBMISSIONS: dict[str, Example] = {
    "A command, with a file": {
        "image": "busybox:local",
        "command": ["sh", "-c", "echo hello $WHO; wc -l < /tailrace/inputs/rows.csv > /tailrace/outputs/lines.txt"],
        "env": {"WHO": "world"},
        "inputs": {"rows": 100},
        "files": {"rows.csv": {"text": "a,b\n1,2\n"}},
        "outputs": [{"path": "lines.txt", "required": True, "title": "How many lines there are"}],
        "name": "first",
        "labels": {"team": "a"},
        "limits": {"timeout": 60, "grace": 5, "cpus": 1, "memory": "512MiB", "pids": 128},
    },
    "A method": {"method": "train@1.0.0", "profile": "quick", "inputs": {"rate": 0.05}},
    "From a checkpoint, with secrets": {
        "image": "busybox:local",
        "command": ["sh", "-c", "ls /tailrace/checkpoint /tailrace/secrets"],
        "named_secrets": {"HUB_TOKEN": {"name": "hub-token"}},
        "secrets": {"API_TOKEN": "b7c1-not-a-real-one"},
        "resume_from": _ID,
    },
}

RERUNS: dict[str, Example] = {
    "As it was": {},
    "Otherwise": {"env": {"WHO": "again"}, "limits": {"memory": "256MiB"}, "labels": {"team": "b"}},
    "From its checkpoint": {"from_checkpoint": True, "limits": {"timeout": 7200}},
}

CHANGES: dict[str, Example] = {
    "Name and labels": {"name": "first, again", "labels": {"team": None, "tier": "b"}},
    "More time": {"limits": {"timeout": 7200, "warn_before": 60}},
}

EXECUTION: Example = {
    "id": _ID,
    "name": "first",
    "note": None,
    "labels": {"team": "a"},
    "owner": "admin",
    "source": "api",
    "method": None,
    "image": "busybox:local",
    "image_id": "sha256:6fd955f66c231c1a946653170d096a28ac2b2052a02080c0b84ec082a07f7d12",
    "image_digest": None,
    "command": ["sh", "-c", "echo hello $WHO; wc -l < /tailrace/inputs/rows.csv > /tailrace/outputs/lines.txt"],
    "entrypoint": None,
    "env": ["WHO"],
    "secrets": [],
    "named_secrets": {},
    "inputs": {"rows": 100},
    "files": {"rows.csv": {"text": "a,b\n1,2\n"}},
    "workdir": None,
    "user": None,
    "stop_signal": "SIGTERM",
    "network": "none",
    "runtime": None,
    "image_policy": "missing",
    "logical_time": None,
    "pool": "default",
    "priority": 0,
    "lane": "normal",
    "status": "succeeded",
    "phase": None,
    "waiting_on": None,
    "queue_position": None,
    "expected_seconds": None,
    "expected_seconds_p90": None,
    "cause": "ok",
    "message": "Finished with exit code 0.",
    "hint": None,
    "stop": None,
    "pause": None,
    "saves_checkpoints": False,
    "attempt": 1,
    "max_attempts": 1,
    "retry_on": [],
    "on_timeout": "fail",
    "on_interrupted": "fail",
    "setup": None,
    "teardown": None,
    "exit_codes": {},
    "keep_workspace": False,
    "declared_outputs": [
        {"path": "lines.txt", "required": True, "media_type": None, "title": "How many lines there are"},
    ],
    "hold": False,
    "not_before": None,
    "progress": None,
    "warnings": [],
    "result": None,
    "exit_code": 0,
    "oom_killed": False,
    "deadline": "2026-01-15T10:01:00.420Z",
    "created_at": "2026-01-15T10:00:00Z",
    "queued_at": "2026-01-15T10:00:00Z",
    "started_at": "2026-01-15T10:00:00.420Z",
    "finished_at": "2026-01-15T10:00:01.250Z",
    "updated_at": "2026-01-15T10:00:01.250Z",
    "revision": "9f2c61d04b7a1e35",
    "queue_seconds": 0.42,
    "run_seconds": 0.83,
    "limits": {
        "queue_timeout": None,
        "pull_timeout": 600,
        "timeout": 60,
        "idle_timeout": None,
        "warn_before": None,
        "grace": 5,
        "notice": None,
        "cpus": 1,
        "memory": 536870912,
        "pids": 128,
        "shm": 67108864,
        "file_size": 10737418240,
        "disk": 10737418240,
        "log_bytes": 67108864,
        "output_bytes": 1073741824,
        "output_files": 10000,
        "checkpoint_bytes": 1073741824,
    },
    "lineage": {"resumed_from": None, "rerun_of": None, "schedule": None, "batch": None},
    "imported": None,
    "log": {"lines": 7, "bytes": 12, "truncated": False, "complete": True, "expired_at": None},
    "outputs": {"files": 1, "bytes": 2, "partial": False, "expired_at": None},
    "checkpoint": {"files": 0, "bytes": 0, "expired_at": None},
    "archive": "all",
    "archived_at": None,
    "delete_requested_at": None,
    "delete_requested_by": None,
    "expires_at": "2026-04-15T10:00:01.250Z",
    "retention": {"record": "2026-04-15T10:00:01.250Z", "log": "2026-02-14", "outputs": None, "checkpoint": None},
    "links": {
        "self": _OWN,
        "events": f"{_OWN}/events",
        "attempts": f"{_OWN}/attempts",
        "logs": f"{_OWN}/logs",
        "outputs": f"{_OWN}/outputs",
        "usage": f"{_OWN}/usage",
        "tail": f"{_OWN}/tail",
        "cancel": f"{_OWN}/cancel",
        "pause": f"{_OWN}/pause",
        "resume": f"{_OWN}/resume",
        "rerun": f"{_OWN}/rerun",
        "code": f"{_OWN}/code",
        "bundle": f"{_OWN}/bundle",
        "reruns": f"/v1/executions?rerun_of={_ID}&archived=any",
    },
}

EXECUTION_LIST: Example = {"items": [EXECUTION], "next": "AZo-XH0gfGGfDjscX48qRA"}

REHEARSAL: Example = {"accepted": True, "execution": EXECUTION}

EVENT_LIST: Example = {
    "items": [
        {
            "number": 1,
            "from": None,
            "to": "queued",
            "cause": None,
            "message": None,
            "actor": "admin",
            "attempt": 0,
            "at": "2026-01-15T10:00:00Z",
        },
        {
            "number": 2,
            "from": "queued",
            "to": "canceled",
            "cause": "canceled_by_user",
            "message": "Canceled by admin before it was started",
            "actor": "admin",
            "attempt": 0,
            "at": "2026-01-15T10:00:03Z",
        },
    ],
}

ATTEMPT_LIST: Example = {
    "items": [
        {
            "number": 1,
            "worker_id": "019a3e5b-0000-7000-8000-3b1c5f8f2a44",
            "engine_id": "V6NZ:FQ2X:5TQY:Z7SU",
            "container_name": "tailrace-019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44-1-1",
            "container_id": "77827cf19eeb734603acad1c7da57a170394ee9095bccb12b57a89338f5ceb3e",
            "claimed_at": "2026-01-15T10:00:00.020Z",
            "started_at": "2026-01-15T10:00:00.420Z",
            "stop_written_at": None,
            "signaled_at": None,
            "killed_at": None,
            "exited_at": "2026-01-15T10:00:01.190Z",
            "finished_at": "2026-01-15T10:00:01.250Z",
            "exit_code": 0,
            "oom_killed": False,
            "cause": "ok",
            "message": None,
            "may_have_run": True,
            "log": {"after": 0, "last": 3},
            "checkpoint_files": 0,
            "checkpoint_bytes": 0,
        },
    ],
}
