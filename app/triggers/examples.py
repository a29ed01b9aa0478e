"""Examples for the API's documentation; a test holds each against its schema."""

from __future__ import annotations

from typing import Any

_ID = "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"
_OWN = f"/v1/triggers/{_ID}"
_TARGET = {"execution": {"image": "busybox:local", "command": ["sh", "-c", "echo building $INPUT_REF"]}}

_EVENT = {"execution": {"image": "busybox:local", "command": ["cat", "/tailrace/inputs.json"]}}

NEW: dict[str, Any] = {
    "Each key is an input": {"name": "build", "target": _TARGET, "max_per_minute": 10},
    "A method": {"name": "train", "target": {"execution": {"method": "train@1.0.0"}}},
    "Signed, as one input": {"name": "push", "target": _EVENT, "payload_input": "event", "signature": "github"},
}
ROTATIONS: dict[str, Any] = {"Another secret": {"overlap": 3600}, "Signatures": {"signature": "standard_webhooks"}}
CHANGES: dict[str, Any] = {"Pause": {"enabled": False}, "Faster": {"max_per_minute": 600, "note": None}}

TRIGGER: dict[str, Any] = {
    "id": _ID,
    "name": "build",
    "note": None,
    "labels": {},
    "owner": "admin",
    "target": _TARGET,
    "payload_input": None,
    "enabled": True,
    "max_per_minute": 10,
    "signature": None,
    "secret_before_until": None,
    "last_used_at": "2026-01-15T10:00:00Z",
    "created_at": "2026-01-12T10:00:00Z",
    "updated_at": "2026-01-12T10:00:00Z",
    "links": {"self": _OWN, "deliveries": f"{_OWN}/deliveries", "rotate": f"{_OWN}/rotate"},
}
NEW_TRIGGER: dict[str, Any] = {
    **TRIGGER,
    "last_used_at": None,
    "token": "trg_Zm9yLXRoZS1kb2N1bWVudGF0aW9uLW9ubHktMDAwMDA",
    "secret": None,
    "address": f"{_OWN}/deliveries?token=trg_Zm9yLXRoZS1kb2N1bWVudGF0aW9uLW9ubHktMDAwMDA",
}
TRIGGER_LIST: dict[str, Any] = {"items": [TRIGGER], "next": None}

DELIVERED: dict[str, Any] = {"execution": "019a3e5c-8000-7c61-9f0e-3b1c5f8f2a44", "batch": None}
_DELIVERY: dict[str, Any] = {
    "key": "0b9c1b7e-6c7f-4d3a-9a4f-3f5b7b1c2d3e",
    "status": "accepted",
    "made": DELIVERED,
    "problem": None,
    "at": "2026-01-15T10:00:00Z",
}
DELIVERY_LIST: dict[str, Any] = {"items": [_DELIVERY], "next": None}
