"""Whatever JSON comes in, it is refused by name or fit for Postgres; nothing in between."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.errors import InvalidRequest
from app.executions.listing import Place, Sort
from app.executions.query import ListQuery
from app.executions.requests import Submission
from app.explaining import explain
from app.problems import problem_response

TEXT = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=8) | st.sampled_from(
    ["", "sh", "/", "A", "SIGINT"]
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
VALUE = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
ZERO, DAY = timedelta(0), timedelta(days=1)
FIELD = st.sampled_from([*Submission.model_fields, "unknown"])


@given(body=st.dictionaries(FIELD | TEXT, VALUE, max_size=5), image=st.sampled_from(["busybox", "a/b:1"]) | TEXT)
def test_a_submission_is_refused_by_name_or_storable(body: dict[str, Any], image: str) -> None:
    try:
        draft = Submission.model_validate({**body, "image": image}).draft()
    except ValidationError as error:
        problem = explain([{**item, "loc": ("body", *item["loc"])} for item in error.errors()])
        assert isinstance(problem, InvalidRequest)
        named = orjson.loads(problem_response(problem, "/v1/executions").body)["errors"]
        assert named
        assert all(item["field"] and item["message"] for item in named)
        return
    except InvalidRequest:
        # A method by a name that one could have.
        assert body.get("method")
        return
    for stored in (draft.spec.model_dump(mode="json"), draft.limits.model_dump(mode="json"), draft.labels, draft.name):
        # Postgres cannot hold what JSON writes so.
        assert b"\\u0000" not in orjson.dumps(stored)


# What each order goes by, besides the id.
KEYS: dict[Sort, st.SearchStrategy[datetime | timedelta | None]] = {
    Sort.CREATED: st.none(),
    Sort.FINISHED: st.datetimes(timezones=st.just(UTC)),
    Sort.DURATION: st.timedeltas(ZERO, 365 * DAY),
}


@given(identifier=st.uuids(), sort=st.sampled_from(Sort), data=st.data())
def test_a_cursor_comes_back_as_the_place_it_was_made_of(identifier: UUID, sort: Sort, data: st.DataObject) -> None:
    place = Place(data.draw(KEYS[Sort(sort.removeprefix("-"))]), identifier)
    cursor = ListQuery(sort=sort).cursor_at(place)
    assert ListQuery.model_validate({"sort": sort, "cursor": cursor}).after == place


@given(cursor=TEXT)
def test_anything_else_is_no_cursor(cursor: str) -> None:
    with pytest.raises(ValidationError):
        ListQuery.model_validate({"cursor": cursor})


@pytest.mark.parametrize(
    "other", [{"sort": "created"}, {"status": ["failed"]}, {"archived": "any"}, {"label": ["a"]}, {"q": "a"}]
)
def test_a_cursor_belongs_to_its_filters_and_sort(other: dict[str, Any]) -> None:
    cursor = ListQuery().cursor_at(Place(None, UUID(int=1)))
    assert ListQuery.model_validate({"cursor": cursor, "limit": 7}).after == Place(None, UUID(int=1))
    with pytest.raises(ValidationError, match="other filters or another sort"):
        ListQuery.model_validate({"cursor": cursor, **other})
