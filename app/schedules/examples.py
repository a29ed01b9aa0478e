"""Examples for the API's documentation; a test holds each against its schema."""

from __future__ import annotations

from typing import Any

_ID = "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"
_OWN = f"/v1/schedules/{_ID}"
_CRON = {"cron": "30 6 * * MON-FRI", "time_zone": "Europe/Berlin", "jitter": 60}
_REPORT = {"execution": {"image": "busybox:local", "command": ["sh", "-c", "echo report of $TAILRACE_LOGICAL_TIME"]}}
_SITE = {"image": "busybox:local", "command": ["sh", "-c", "echo $INPUT_SITE"]}
_SWEEP = {"batch": {"defaults": _SITE, "matrix": {"inputs": {"site": ["north", "south"]}}}}

NEW: dict[str, Any] = {
    "By cron": {"name": "morning report", "rule": _CRON, "targets": [_REPORT]},
    "A batch by interval": {
        "name": "sweep",
        "rule": {"every": 600, "offset": 300},
        "targets": [_SWEEP],
        "overlap": "queue",
        "catch_up": 0,
    },
}
CHANGES: dict[str, Any] = {
    "Pause": {"enabled": False},
    "Another rule": {"rule": {"cron": None, "time_zone": None, "jitter": None, "every": 3600}},
}

SCHEDULE: dict[str, Any] = {
    "id": _ID,
    "name": "morning report",
    "note": None,
    "labels": {},
    "owner": "admin",
    "rule": {**_CRON, "every": None, "offset": 0, "start": None, "end": None},
    "targets": [_REPORT],
    "time_input": None,
    "overlap": "skip",
    "catch_up": 1,
    "enabled": True,
    "paused_reason": None,
    "failures": 0,
    "next": {"at": "2026-01-16T05:30:00Z", "due_at": "2026-01-16T05:30:41.204000Z", "waiting": False},
    "last_at": "2026-01-15T05:30:00Z",
    "created_at": "2026-01-12T10:00:00Z",
    "updated_at": "2026-01-12T10:00:00Z",
    "links": {
        "self": _OWN,
        "runs": f"{_OWN}/runs",
        "fire": f"{_OWN}/fire",
        "preview": f"{_OWN}/preview",
        "executions": f"/v1/executions?schedule={_ID}&archived=any",
    },
}
SCHEDULE_LIST: dict[str, Any] = {"items": [SCHEDULE], "next": None}

RUN: dict[str, Any] = {
    "at": "2026-01-15T05:30:00Z",
    "status": "fired",
    "manual": False,
    "reason": None,
    "message": None,
    "problem": None,
    "made": [{"execution": "019a3e5c-8000-7c61-9f0e-3b1c5f8f2a44", "batch": None}],
    "noted_at": "2026-01-15T05:30:12.413000Z",
}
_SKIPPED: dict[str, Any] = {
    **RUN,
    "at": "2026-01-14T05:30:00Z",
    "status": "skipped",
    "reason": "overlap",
    "message": "What it submitted before has not ended.",
    "made": [],
    "noted_at": "2026-01-14T05:30:37.120000Z",
}
RUN_LIST: dict[str, Any] = {"items": [RUN, _SKIPPED], "next": None}

PREVIEW_REQUESTS: list[Any] = [{"rule": {"cron": "30 2 * * *", "time_zone": "Europe/Berlin"}, "count": 2}]
PREVIEW: dict[str, Any] = {
    "items": [
        {"at": "2026-01-16T01:30:00Z", "local": "2026-01-16T02:30:00+01:00", "due_at": "2026-01-16T01:30:00Z"},
        {"at": "2026-01-17T01:30:00Z", "local": "2026-01-17T02:30:00+01:00", "due_at": "2026-01-17T01:30:00Z"},
    ]
}
