import pytest
from starlette.datastructures import QueryParams

from app.auth.service import Caller
from app.auth.tokens import Scope
from app.errors import InvalidRequest
from app.events.query import EventsQuery
from app.events.wanted import Wanted
from app.executions.states import Status

ANN = Caller(owner="ann", scopes=frozenset({Scope.READ}))


def asked(query: str) -> EventsQuery:
    return EventsQuery.of(QueryParams(query), ANN)


def test_filters_may_be_repeated_and_nobody_sees_what_is_somebody_else_s() -> None:
    query = asked("after=7&status=queued&status=running&label=a=1&label=b=x%3Dy&label=a=1&pool=p&pool=q")
    assert query.after == 7
    assert query.wanted(ANN) == Wanted(
        owner="ann",
        pools=frozenset({"p", "q"}),
        statuses=frozenset({Status.QUEUED, Status.RUNNING}),
        labels={"a": "1", "b": "x=y"},
    )


def test_what_has_no_value_counts_as_left_out() -> None:
    assert asked("after=&status=&label=&pool=&owner=") == asked("")
    assert asked("").wanted(ANN) == Wanted(owner="ann")


def test_a_refusal_names_all_that_is_wrong() -> None:
    with pytest.raises(InvalidRequest) as refused:
        asked("after=x&status=lost&label=team&owner=bob&nonsense=1&pool=p")
    assert [item.field for item in refused.value.fields] == ["after", "status", "label", "owner", "nonsense"]
    with pytest.raises(InvalidRequest):
        asked("label=a=1&label=a=2")
    with pytest.raises(InvalidRequest):
        asked("&".join(["pool=p"] * 101))
