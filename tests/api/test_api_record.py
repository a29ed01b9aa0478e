"""What a record tells of its submission: everything, by the same names, but for a few things that say why not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from app.executions.requests import Submission
from app.executions.schemas import Execution

# Told by another name, or not told, and why.
OTHERWISE = {
    "method": "an object, with the version that `latest` was",
    "profile": "is in `method`",
    "env": "names only: people put secrets there",
    "secrets": "names only",
    "outputs": "is `declared_outputs`: `outputs` says what it left",
    "resume_from": "is in `lineage`, as `resumed_from`",
    "webhooks": "at `/v1/webhooks?execution=`, to those who may see their addresses",
}
# Every field that is told, as no default is. No policy allows a runtime by itself.
TOLD: dict[str, Any] = {
    "image": "busybox:local",
    "command": ["-c", "echo hi"],
    "entrypoint": ["sh"],
    "named_secrets": {},
    "inputs": {"rows": 100},
    "files": {"rows.csv": {"text": "a,b\n"}},
    "name": "first",
    "note": "a note",
    "labels": {"team": "a"},
    "workdir": "/srv",
    "user": "1000:1000",
    "stop_signal": "SIGINT",
    "network": "bridge",
    "runtime": None,
    "image_policy": "never",
    "pool": "default",
    "priority": 3,
    "lane": "low",
    "not_before": (datetime.now(UTC) + timedelta(days=1)).isoformat().replace("+00:00", "Z"),
    "hold": True,
    "limits": {"timeout": 60, "memory": 64 * 2**20, "shm": 2**20},
    "logical_time": "2026-01-15T10:00:00Z",
    "max_attempts": 3,
    "retry_on": ["oom_killed", 7],
    "on_timeout": "retry",
    "on_interrupted": "retry",
    "exit_codes": {"3": "success"},
    "setup": {"command": ["true"], "timeout": 5},
    "teardown": {"command": ["true"], "timeout": 6},
    "keep_workspace": True,
    "archive": "record",
}


def test_every_field_of_a_submission_is_told_or_says_why_not() -> None:
    fields = Submission.model_fields.keys()
    assert OTHERWISE.keys() <= fields
    assert fields - OTHERWISE.keys() == TOLD.keys()
    assert Execution.model_fields.keys() >= TOLD.keys()


async def test_it_is_told_as_it_was_said(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/v1/executions", json=TOLD | {"env": {"A": "1"}, "outputs": [{"path": "a.txt"}]})
    assert answer.status_code == 201, answer.text
    record = answer.json()
    assert record["limits"].items() >= TOLD["limits"].items()
    told = {name: record[name] for name in TOLD} | {"limits": TOLD["limits"]}
    assert (told, record["env"]) == (TOLD, ["A"])
    assert [each["path"] for each in record["declared_outputs"]] == ["a.txt"]
