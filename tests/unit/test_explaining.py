import time
from typing import Annotated

import pytest
from pydantic import BaseModel, Field, ValidationError

from app.errors import FieldError, InvalidRequest, NotAllowed, ServiceError
from app.explaining import _SENTENCES, MAX_ERRORS, MAX_HINTS, explain, fields_of, hint_of, problem_of
from app.reasons import together


class Wanted(BaseModel):
    tags: set[int] = Field(default={1}, min_length=1)
    name: Annotated[str, Field(min_length=1)] = "a"
    pair: Annotated[list[int], Field(min_length=2)] = [1, 2]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        # Pydantic says of the first that the set is too short as well.
        ({"tags": ["x"]}, {"tags[0]": "must be a whole number"}),
        ({"tags": []}, {"tags": "must have at least 1 item"}),
        ({"tags": ["x"], "pair": [1]}, {"tags[0]": "must be a whole number", "pair": "must have at least 2 items"}),
        ({"name": ""}, {"name": "must be at least 1 character long"}),
    ],
)
def test_each_mistake_is_said_once(given: dict[str, object], said: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refused:
        Wanted.model_validate(given)
    errors = [{**each, "loc": ("body", *each["loc"])} for each in refused.value.errors()]
    assert {each.field: each.message for each in fields_of(errors)} == said


def test_of_a_flood_the_first_are_told_and_how_many_there_are_at_the_cost_of_a_few() -> None:
    def told(count: int) -> tuple[ServiceError, float]:
        errors = [{"type": "extra_forbidden", "loc": ("body", f"x{number}"), "msg": ""} for number in range(count)]
        begun = time.process_time()
        error = together([explain(errors), InvalidRequest.of([FieldError("pool", "unknown_pool", "is not there")])])
        return error, time.process_time() - begun

    error, cost = told(100_000)
    assert [each.field for each in error.fields] == [*(f"x{number}" for number in range(MAX_ERRORS)), "pool"]
    assert error.detail.startswith("100001 fields are wrong: `x0` is not a known field; `x1`")
    assert error.detail.endswith("; and 99996 more.")
    # If each of them were put into words, it would be about a thousandfold.
    assert cost < 200 * min(told(MAX_ERRORS)[1] for _ in range(5))


def test_whatever_is_wrong_there_is_a_hint_and_the_better_one_of_who_knows_more() -> None:
    generic = hint_of([FieldError("a", "of_nobody_else", "is wrong")])
    assert [code for code in _SENTENCES if hint_of([FieldError("a", code, "")]) == generic] == []
    many = ("missing", "extra_forbidden", "missing", "enum", "int_type")
    several = hint_of([FieldError("a", code, "") for code in many])
    assert several.startswith(hint_of([FieldError("a", "missing", "")]))
    assert several.count(".") >= MAX_HINTS
    assert hint_of([FieldError("a", "int_type", "")]) not in several
    assert problem_of(InvalidRequest.of([FieldError("a", "x", "is wrong")]))["hint"] == generic
    assert problem_of(InvalidRequest("No.", hint="Do this.", fields=[FieldError("a", "x", "")]))["hint"] == "Do this."
    assert problem_of(NotAllowed("No."))["hint"] is None
