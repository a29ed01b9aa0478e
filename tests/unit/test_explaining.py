from typing import Annotated

import pytest
from pydantic import BaseModel, Field, ValidationError

from app.explaining import fields_of


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
