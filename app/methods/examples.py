"""Examples for the API's documentation; a test holds each against its schema."""

from __future__ import annotations

from typing import Any

DOCUMENT: dict[str, Any] = {
    "name": "train",
    "version": "1.0.0",
    "title": "Train a model",
    "keywords": ["model", "csv"],
    "image": "busybox:local",
    "command": ["echo", "train", "--rate={{rate}}", "--epochs={{epochs}}", "--seed={{seed}}"],
    "inputs": {
        "type": "object",
        "properties": {
            "rate": {"type": "number", "title": "Learning rate", "exclusiveMinimum": 0, "maximum": 1},
            "epochs": {"type": "integer", "minimum": 1, "maximum": 500, "default": 10},
            "seed": {"type": "integer"},
        },
        "required": ["rate"],
    },
    "limits": {"timeout": 3600, "memory": "256MiB"},
    "profiles": {
        "quick": {"inputs": {"epochs": 1}, "limits": {"timeout": 300}},
        "thorough": {"inputs": {"epochs": 100}, "pool": "default"},
    },
}
PIPELINE: dict[str, Any] = {
    "name": "nightly",
    "version": "2.0.0",
    "inputs": {"type": "object", "properties": {"rate": {"type": "number", "default": 0.1}}},
    "steps": {
        "fetch": {"image": "busybox:local", "command": ["sh", "-c", "date > /tailrace/outputs/fetched"]},
        "train": {"method": "train@1.0.0", "inputs": {"rate": "{{rate}}"}, "needs": ["fetch"]},
    },
}
# Of each name once: a method is made of the first.
DOCUMENTS: dict[str, Any] = {"One program": DOCUMENT, "Steps": PIPELINE}
_TIME = "2026-01-15T10:00:00Z"
VERSION: dict[str, Any] = {
    "method": "train",
    "version": "1.0.0",
    "status": "published",
    "document": DOCUMENT,
    "created_by": "ann",
    "created_at": _TIME,
    "updated_at": _TIME,
    "published_at": "2026-01-15T11:00:00Z",
    "retired_at": None,
}
SUMMARY: dict[str, Any] = {
    "name": "train",
    "owner": "ann",
    "title": "Train a model",
    "description": None,
    "keywords": ["model", "csv"],
    "category": None,
    "version": "1.0.0",
    "latest": "1.0.0",
    "visibility": "everyone",
    "shared_with": [],
    "runnable": True,
    "disabled": None,
    "max_running": 4,
    "pause_after_failures": 5,
    "failures": 0,
    "retired_at": None,
    "created_at": _TIME,
    "updated_at": _TIME,
}
METHOD: dict[str, Any] = {
    **SUMMARY,
    "versions": [
        {"version": "1.1.0-rc.1", "status": "draft", "published_at": None, "retired_at": None},
        {"version": "1.0.0", "status": "published", "published_at": "2026-01-15T11:00:00Z", "retired_at": None},
    ],
}
METHOD_LIST: dict[str, Any] = {"items": [SUMMARY], "next": None}
DIFFERENCES: dict[str, Any] = {
    "method": "train",
    "from": "1.0.0",
    "to": "1.1.0",
    "changes": [
        {"path": "limits.timeout", "change": "changed", "from": 3600, "to": 7200},
        {"path": "inputs.properties.seed.default", "change": "added", "to": 7},
    ],
}
