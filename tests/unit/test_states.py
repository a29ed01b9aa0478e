import pytest

from app.executions import states
from app.executions.causes import EXPLANATIONS
from app.executions.states import NEXT, STATUS_OF, Cause, Status, causes_of, sources
from support.moves import CAUSES, MOVES, STATUSES, TERMINAL

PAIRS = [(source, target) for source in STATUSES for target in STATUSES]


def test_the_statuses_are_those_of_the_design() -> None:
    assert [status.value for status in Status] == list(STATUSES)
    assert {status.value for status in states.TERMINAL} == set(TERMINAL)
    assert set(Status) == states.TERMINAL | states.ACTIVE
    assert not states.TERMINAL & states.ACTIVE


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_move_is_allowed_exactly_where_the_design_has_it(source: str, target: str) -> None:
    allowed = (source, target) in MOVES
    assert (Status(target) in NEXT[Status(source)]) is allowed
    assert (Status(source) in sources(Status(target))) is allowed


def test_every_status_has_its_row() -> None:
    assert set(NEXT) == set(Status)


def test_nothing_follows_a_terminal_status() -> None:
    assert [status for status in Status if not NEXT[status]] == [status for status in Status if status in TERMINAL]


def test_no_status_follows_itself() -> None:
    assert not [status for status in Status if status in NEXT[status]]


def test_every_status_can_be_reached_from_queued_and_can_end() -> None:
    reached = {Status.QUEUED}
    while following := {after for status in reached for after in NEXT[status]} - reached:
        reached |= following
    assert reached == set(Status)
    assert all(NEXT[status] & states.TERMINAL for status in states.ACTIVE)


@pytest.mark.parametrize("status", TERMINAL)
def test_a_terminal_status_has_the_causes_of_the_design(status: str) -> None:
    assert {cause.value for cause in causes_of(Status(status))} == CAUSES[status]


def test_an_active_status_has_no_cause() -> None:
    assert not [status for status in states.ACTIVE if causes_of(status)]


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_one_terminal_status_and_a_sentence(cause: Cause) -> None:
    assert [status for status in TERMINAL if cause in CAUSES[status]] == [STATUS_OF[cause].value]
    assert EXPLANATIONS[cause].sentence.endswith(".")
