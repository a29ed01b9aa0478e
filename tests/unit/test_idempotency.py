"""What makes two bodies the same request."""

import random
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.executions.model import Limits
from app.executions.requests import Submission
from app.idempotency.model import Once
from app.secrets.vault import Vault

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts
json_values = st.recursive(
    scalars.filter(lambda value: value not in {float("inf"), float("-inf")}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["a", "b", "c", "d"])
limits = {
    "timeout": st.integers(1, 4000),
    "cpus": st.floats(0.5, 2),
    "memory": st.sampled_from([2**29, 2**30, "64MiB"]),
}
bodies = st.fixed_dictionaries(
    {"image": st.sampled_from(["busybox:local", "python"])},
    optional={
        "command": st.lists(st.sampled_from(["sh", "-c"]), min_size=1, max_size=3),
        "env": st.dictionaries(names, texts, max_size=3),
        "inputs": st.dictionaries(names, json_values, max_size=3),
        "labels": st.dictionaries(names, texts, max_size=3),
        "name": st.none() | texts,
        "limits": st.fixed_dictionaries({}, optional=limits),
        "max_attempts": st.integers(1, 3),
        "retry_on": st.lists(st.sampled_from([1, 137, "oom_killed", "host_lost"]), max_size=2),
        "on_timeout": st.sampled_from(["fail", "retry"]),
    },
)


def hash_of(text: bytes) -> bytes:
    return Once.of("key", Submission.model_validate_json(text), {}, Vault([])).body_sha256


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same JSON with every object's keys in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(item, chance)) for key, item in value.items()]
        chance.shuffle(items)
        return dict(items)
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


@given(bodies, st.randoms(use_true_random=False))
def test_neither_order_nor_whitespace_counts(body: dict[str, Any], chance: random.Random) -> None:
    again = orjson.dumps(shuffled(body, chance), option=orjson.OPT_INDENT_2)
    assert hash_of(again) == hash_of(orjson.dumps(body))


@given(bodies, st.randoms(use_true_random=False))
def test_a_default_may_be_spelled_out(body: dict[str, Any], chance: random.Random) -> None:
    whole = orjson.loads(Submission.model_validate(body).model_dump_json())
    spelled = {key: value for key, value in whole.items() if key in body or chance.random() < 0.5}
    assert hash_of(orjson.dumps(spelled)) == hash_of(orjson.dumps(body))


class LaterLimits(Limits):
    swap: int = 0


class LaterSubmission(Submission):
    """As a later version may have it."""

    colour: str = "red"
    limits: LaterLimits = LaterLimits()


@given(bodies)
def test_a_field_that_a_later_version_adds_makes_no_other_body(body: dict[str, Any]) -> None:
    later = LaterSubmission.model_validate_json(orjson.dumps(body))
    assert Once.of("key", later, {}, Vault([])).body_sha256 == hash_of(orjson.dumps(body))


@given(bodies, bodies)
def test_what_is_asked_counts(one: dict[str, Any], other: dict[str, Any]) -> None:
    asked = [Submission.model_validate(body).model_dump_json() for body in (one, other)]
    same = orjson.dumps(orjson.loads(asked[0]), option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        orjson.loads(asked[1]), option=orjson.OPT_SORT_KEYS
    )
    assert (hash_of(orjson.dumps(one)) == hash_of(orjson.dumps(other))) == same
