"""Rows of the tables beside the record: a good one of each, and for each rule of theirs one that breaks it."""

from typing import Any
from uuid import uuid4

from sqlalchemy import Table

from app.db.registry import metadata
from support.values import NOON

Columns = dict[str, Any]

_ID = uuid4()
_NAME = f"m-{uuid4().hex}"
GOOD: dict[str, Columns] = {
    "uploads": {"id": _ID, "owner": "ann", "bytes": 0, "until": NOON},
    "files": {"id": _ID, "owner": "ann", "name": "a", "media_type": "text/plain", "bytes": 0, "sha256": "0"},
    "methods": {"name": _NAME, "owner": "ann"},
    "method_versions": {"method": _NAME, "version": "1.0.0", "major": 1, "minor": 0, "patch": 0, "is_release": True}
    | {"document": {}, "created_by": "ann"},
    "schedules": {"id": _ID, "owner": "ann", "name": _NAME, "rule": {}, "targets": []},
    "schedule_runs": {"schedule_id": _ID, "at": NOON, "status": "fired"},
    "triggers": {"id": _ID, "owner": "ann", "name": _NAME, "target": {}, "max_per_minute": 1, "token_hash": b"h"},
    "trigger_deliveries": {"id": _ID, "trigger_id": _ID, "key": "k", "status": "accepted", "made": {}},
    "webhooks": {"id": _ID, "owner": "ann", "url": "https://example.com", "events": []},
    "webhook_deliveries": {"id": _ID, "webhook_id": _ID, "event": "e", "body": "{}", "next_at": NOON}
    | {"give_up_at": NOON},
    "notification_rules": {"id": _ID, "owner": "ann", "channel": "mailto", "sealed": b"s", "statuses": []},
    "queue_waits": {"at": NOON, "owner": "ann", "pool": "default", "claimed": True, "n": 1}
    | {"seconds": 2.0, "longest": 2.0, "earliest": NOON},
    "notifications": {"id": _ID, "rule_id": _ID, "kind": "ended", "title": "t", "body": "b", "next_at": NOON},
}
# What has to be there before.
PARENT = {
    "method_versions": "methods",
    "schedule_runs": "schedules",
    "trigger_deliveries": "triggers",
    "webhook_deliveries": "webhooks",
    "notifications": "notification_rules",
}
BAD: list[tuple[str, Columns]] = [
    ("ck_files_bytes", {"bytes": -1}),
    ("ck_uploads_bytes", {"bytes": -1}),
    ("ck_methods_visibility", {"visibility": "secret"}),
    ("ck_methods_max_running", {"max_running": -1}),
    ("ck_methods_pause_after_failures", {"pause_after_failures": 0}),
    ("ck_methods_disabled_whole", {"runnable": False}),
    ("ck_methods_disabled_whole", {"disabled_by": "ann"}),
    ("ck_methods_disabled_whole", {"disabled_reason": "why not"}),
    ("ck_method_versions_published_whole", {"published_at": NOON}),
    ("ck_method_versions_published_whole", {"published_by": "ann"}),
    ("ck_method_versions_retired_was_published", {"retired_at": NOON}),
    ("ck_schedules_overlap", {"overlap": "hope"}),
    ("ck_schedules_catch_up", {"catch_up": -1}),
    ("ck_schedules_due_whole", {"next_at": NOON}),
    ("ck_schedules_due_if_enabled", {"enabled": False, "next_at": NOON, "due_at": NOON}),
    ("ck_schedules_paused_is_not_enabled", {"paused_reason": "it fails"}),
    ("ck_schedule_runs_status", {"status": "pondered"}),
    ("ck_schedule_runs_reason", {"status": "skipped", "reason": "boredom"}),
    ("ck_schedule_runs_skipped_for_a_reason", {"status": "skipped"}),
    ("ck_schedule_runs_skipped_for_a_reason", {"reason": "overlap"}),
    ("ck_triggers_max_per_minute", {"max_per_minute": 0}),
    ("ck_triggers_signature", {"signature": "wax", "signing": b"s"}),
    ("ck_triggers_signed_by_a_secret", {"signature": "github"}),
    ("ck_triggers_before_whole", {"signing_before": b"s"}),
    ("ck_trigger_deliveries_status", {"status": "pondered", "made": None}),
    ("ck_trigger_deliveries_accepted_has_made", {"made": None}),
    ("ck_trigger_deliveries_accepted_has_made", {"status": "refused"}),
    ("ck_webhooks_failing_whole", {"failures": 1}),
    ("ck_webhooks_failing_whole", {"failing_since": NOON}),
    ("ck_webhooks_before_whole", {"sealed_before": b"s"}),
    ("ck_webhooks_disabled_is_not_enabled", {"disabled_reason": "it fails"}),
    ("ck_webhook_deliveries_state", {"state": "lost", "next_at": None, "done_at": NOON}),
    ("ck_webhook_deliveries_next_if_waiting", {"next_at": None}),
    ("ck_webhook_deliveries_done_if_not_waiting", {"done_at": NOON}),
    ("ck_notification_rules_alert_after", {"alert_after": 0}),
    ("ck_notifications_state", {"state": "lost", "next_at": None, "done_at": NOON}),
    ("ck_notifications_kind", {"kind": "gossip"}),
    ("ck_notifications_next_if_waiting", {"next_at": None}),
    ("ck_notifications_done_if_over", {"done_at": NOON}),
    ("ck_queue_waits_n", {"n": 0}),
    ("ck_queue_waits_longest", {"longest": -1.0}),
    ("ck_queue_waits_longest", {"longest": 3.0}),
]


def table_of(constraint: str) -> Table:
    """Of the tables that the constraint's name may begin with, that with the longest name."""
    return metadata.tables[max((name for name in GOOD if constraint.startswith(f"ck_{name}_")), key=len)]
