"""Of whatever is sent something is left that is valid, and nothing is told of it that is not wrong."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from app.batches import sketching as batches
from app.batches.requests import BatchSubmission, Item
from app.errors import Conflict, FieldError, InvalidRequest, NotAllowed, QuotaExceeded
from app.executions import sketching as executions
from app.explaining import fields_of
from app.methods import requests as methods
from app.methods.document import Document
from app.reasons import located, together
from app.salvage import Bearings, salvage

WORDS = st.sampled_from(
    ["", "a", "A=1", "busybox", "m@1.0.0", "TAILRACE_X", "../x", "x.csv", "10", "SIGTERM", "\0", "[0]"]
)
SCALARS = st.none() | st.booleans() | st.integers(-5, 300) | st.floats() | WORDS
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)
KINDS: list[tuple[type[BaseModel], Bearings]] = [
    (Item, executions.BEARINGS),
    (BatchSubmission, batches.BEARINGS),
    (Document, methods.BEARINGS),
]


@pytest.mark.parametrize(("model", "bearings"), KINDS, ids=lambda kind: getattr(kind, "__name__", ""))
@settings(max_examples=150)
@given(data=st.data())
def test_something_is_left_of_anything(model: type[BaseModel], bearings: Bearings, data: st.DataObject) -> None:
    names = st.sampled_from([*model.model_fields, "unknown"])
    document: dict[str, Any] = data.draw(st.dictionaries(names, JSON, max_size=6))
    left = salvage(model, document, bearings)
    assert left.rest is not None
    try:
        model.model_validate(document)
    except ValidationError as error:
        first = {each.field for each in fields_of([{**each, "loc": ("body", *each["loc"])} for each in error.errors()])}
        told = {each.field for each in fields_of([{**each, "loc": ("body", *each["loc"])} for each in left.wrong])}
        assert first <= told
    else:
        assert (left.wrong, left.taken) == ((), frozenset())


def test_reasons_are_told_once_and_one_alone_as_it_is() -> None:
    pool, name = FieldError("pool", "unknown_pool", "names none"), FieldError("name", "string_type", "must be a string")
    alone = NotAllowed("No.", fields=[FieldError("lane", "not_allowed", "needs admin")])
    assert together([alone, alone]) is alone
    quota = [QuotaExceeded(f"{used} of 5.", used=used, limit=5) for used in (5, 6)]
    both = together([InvalidRequest.of([name]), InvalidRequest.of([name, pool]), *quota, alone])
    assert isinstance(both, InvalidRequest)
    assert [each.field for each in both.fields] == ["name", "pool", "body", "lane"]


def test_a_reason_keeps_what_it_is_where_it_is_told_elsewhere() -> None:
    disabled = Conflict(
        "Disabled.", hint="Enable it.", fields=[FieldError("method", "method_disabled", "was disabled")]
    )
    moved = located(disabled, lambda each: f"items[0].{each.field}")
    assert isinstance(moved, Conflict)
    assert (moved.hint, moved.fields[0].field, disabled.fields[0].field) == ("Enable it.", "items[0].method", "method")
    assert located(disabled, lambda _: None) is None
    quota = QuotaExceeded("5 of 5.", used=5, limit=5)
    assert located(quota, lambda _: None) is quota
