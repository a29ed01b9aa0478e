"""How the executions of one request are divided among transactions."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.executions.bulk import ACTIVE_COUNTS, in_parts
from app.executions.states import ACTIVE, Status
from support.values import an_id


def weight(status: Status) -> int:
    return ACTIVE_COUNTS if status in ACTIVE - {Status.QUEUED} else 1


@given(st.lists(st.sampled_from(list(Status)), max_size=60), st.integers(1, 20))
def test_each_is_in_one_part_in_its_order_and_no_part_is_too_large(statuses: list[Status], at_once: int) -> None:
    found: list[tuple[UUID, Status]] = [(an_id(number), status) for number, status in enumerate(statuses)]
    parts = list(in_parts(found, at_once))
    assert [execution for part in parts for execution in part] == [execution for execution, _ in found]
    weights = {execution: weight(status) for execution, status in found}
    totals = [sum(weights[execution] for execution in part) for part in parts]
    assert all(total <= at_once or len(part) == 1 for total, part in zip(totals, parts, strict=True))
    # None is smaller than it must be.
    assert all(total + weights[following[0]] > at_once for total, following in zip(totals, parts[1:], strict=False))
