"""How an execution or a batch looks at the end of a notebook's cell."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tailrace._progress import percent_of, told

if TYPE_CHECKING:
    from tailrace._nouns import BatchRecord
    from tailrace._records import Record

COLORS = {"succeeded": "#2e7d32", "failed": "#c62828", "timed_out": "#c62828", "crashed": "#6a1b9a"}
GREY = "#616161"


def shown(record: Record | BatchRecord) -> str:
    """One line: its name, how it stands, how far it is, and why it ended. Nothing of it is taken for HTML."""
    percent = percent_of(record)
    bar = "" if percent is None or record.ended else f'<progress max="100" value="{int(percent)}"></progress> '
    message = f"<br><small>{escape(record.message)}</small>" if record.message and record.ended else ""
    return (
        f"<div><b>{escape(record.name or record.id)}</b> "
        f'<span style="color:{COLORS.get(record.status, GREY)}">{escape(told(record))}</span> {bar}'
        f"<small><code>{escape(record.id)}</code></small>{message}</div>"
    )
