"""What stands for the part of an execution that may be changed, so that nobody overwrites another unseen. Pure.

The ETag of a record is of all of it, and another one with every line that its program writes.
"""

from __future__ import annotations

import hashlib

import orjson

from app.executions.record import Record


def revision_of(record: Record) -> str:
    """The same for as long as name, note, labels, priority and limits are the same."""
    said = [record.name, record.note, record.labels, record.priority, record.limits.model_dump(mode="json")]
    return hashlib.blake2b(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()
