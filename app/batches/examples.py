"""Examples for the API's documentation; a test holds each against its schema."""

from __future__ import annotations

from typing import Any

_ID = "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"
_OWN = f"/v1/batches/{_ID}"

SUBMISSIONS: dict[str, Any] = {
    "A matrix": {
        "name": "sweep",
        "defaults": {
            "image": "busybox:local",
            "command": ["sh", "-c", "echo rate $INPUT_RATE, seed $INPUT_SEED"],
            "limits": {"memory": "64MiB"},
        },
        "matrix": {"inputs": {"rate": [0.1, 0.01], "seed": [1, 2, 3]}},
        "max_parallel": 4,
    },
    "A pipeline": {
        "name": "report",
        "defaults": {"image": "busybox:local"},
        "items": [
            {"key": "fetch", "command": ["sh", "-c", "printf '2\\n1\\n' > /tailrace/outputs/rows"]},
            {
                "key": "clean",
                "command": ["sh", "-c", "sort /tailrace/inputs/fetch/rows > /tailrace/outputs/rows"],
                "needs": ["fetch"],
            },
            {"key": "show", "command": ["cat", "/tailrace/inputs/clean/rows"], "needs": ["clean"]},
        ],
    },
}

BATCH: dict[str, Any] = {
    "id": _ID,
    "name": "sweep",
    "note": None,
    "labels": {},
    "owner": "admin",
    "status": "running",
    "progress": {
        "total": 6,
        "ended": 3,
        "percent": 50,
        "by_status": {
            "queued": 1,
            "preparing": 0,
            "running": 2,
            "paused": 0,
            "stopping": 0,
            "succeeded": 3,
            "failed": 0,
            "timed_out": 0,
            "canceled": 0,
            "crashed": 0,
        },
    },
    "max_parallel": 4,
    "fail_fast": False,
    "stop": None,
    "lineage": {"rerun_of": None},
    "created_at": "2026-01-15T10:00:00Z",
    "delete_requested_at": None,
    "delete_requested_by": None,
    "finished_at": None,
    "links": {
        "self": _OWN,
        "executions": f"/v1/executions?batch={_ID}&archived=any",
        "cancel": f"{_OWN}/cancel",
        "rerun": f"{_OWN}/rerun",
        "outputs": f"{_OWN}/outputs.zip",
    },
}

BATCH_LIST: dict[str, Any] = {"items": [BATCH], "next": None}

REHEARSAL: dict[str, Any] = {"accepted": True, "batch": BATCH}

NEEDS: dict[str, Any] = {
    "items": [
        {"execution": "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44", "index": 0, "key": "fetch", "needs": []},
        {
            "execution": "019a3e5c-7d21-7aa0-8b52-0d7f1f6f5c10",
            "index": 1,
            "key": "clean",
            "needs": [{"name": "fetch", "execution": "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"}],
        },
    ],
    "next": None,
}
