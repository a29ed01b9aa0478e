"""Of the refused requests of one token only so many are put on record in a minute."""

from __future__ import annotations

from uuid import UUID, uuid4

from structlog.testing import capture_logs

from app.audit.model import Entry
from app.audit.refusals import MOST_PER_MINUTE, Refusals


def refused(token: UUID) -> Entry:
    return Entry(
        action="cancel_execution",
        object=None,
        owner="ann",
        actor="ann",
        token_id=token,
        token_name="t",
        address=None,
        request_id=None,
        status=404,
    )


def test_so_many_of_each_token_in_each_minute_and_that_is_told_once() -> None:
    now = [0.0]
    refusals, loud, other = Refusals(lambda: now[0]), uuid4(), uuid4()
    with capture_logs() as logs:
        taken = [refusals.take(refused(loud)) for _ in range(MOST_PER_MINUTE + 3)]
    assert taken == [True] * MOST_PER_MINUTE + [False] * 3
    assert [(line["event"], line["token_id"]) for line in logs] == [("audit.refusals_left_out", str(loud))]
    assert refusals.take(refused(other))
    now[0] = 59.9
    assert not refusals.take(refused(loud))
    now[0] = 60.0
    assert refusals.take(refused(loud))
