"""The pure parts of methods: versions, templates, inputs, what a submission becomes, files, differences."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from app.errors import InvalidRequest
from app.executions.requests import Submission
from app.explaining import fields_of
from app.merging import merged
from app.methods import portable
from app.methods.comparing import differences
from app.methods.document import Document, check
from app.methods.inputs import InputsSchema
from app.methods.model import Version, Wanted
from app.methods.portable import FileFormat
from app.methods.requests import read_document
from app.methods.resolution import Refused, resolve
from app.methods.template import BadTemplate, Placeholder, fill, fill_all, parse, written

# What takes long to make, and is no deeper for being more.
few = settings(max_examples=30)

# Versions


def test_versions_are_in_the_order_of_semver_org() -> None:
    ordered = [
        "0.9.0",
        "1.0.0-1",
        "1.0.0-2",
        "1.0.0-10",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-beta",
        "1.0.0",
        "1.9.0",
    ]
    ordered += ["1.10.0", "2.0.0"]
    versions = [Version.parse(text) for text in ordered]
    assert sorted(versions, key=str) != versions
    backwards = list(reversed(versions))
    assert sorted(backwards) == versions
    assert [str(version) for version in versions] == ordered


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0+a", "1.0.0 ", "1.0.٣", "9" * 99],
)
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Version.parse(text)


def test_how_a_submission_names_a_method() -> None:
    assert Wanted.parse("a") == Wanted.parse("a@latest") == Wanted("a", None)
    assert Wanted.parse("a@1.2.3-rc.1") == Wanted("a", "1.2.3-rc.1")
    for text in ("", "@", "a@", "a@1", "A", "a@1.0.0@", "a b"):
        with pytest.raises(ValueError, match=r".*"):
            Wanted.parse(text)


# Templates

NAMES = st.from_regex(r"\A[a-z_][a-z0-9_]{0,5}\Z")
PLAIN = st.text(st.characters(exclude_characters="{", exclude_categories=["Cs"]), max_size=10)
VALUES = st.one_of(st.text(max_size=20), st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))


@given(st.lists(st.one_of(PLAIN, NAMES.map(Placeholder)), max_size=6), st.dictionaries(NAMES, VALUES, max_size=6))
def test_an_argument_stays_one_whatever_it_is_filled_with(parts: list[Any], values: dict[str, Any]) -> None:
    text = "".join(f"{{{{{part.name}}}}}" if isinstance(part, Placeholder) else part for part in parts)
    named = [part.name for part in parts if isinstance(part, Placeholder)]
    filled = fill(text, values)
    if set(named) <= values.keys():
        expected = "".join(written(values[part.name]) if isinstance(part, Placeholder) else part for part in parts)
        assert filled == expected
        assert fill_all([text, "x"], values) == [expected, "x"]
    else:
        assert filled is None
        assert fill_all([text, "x"], values) == ["x"]


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parts = parse(text)
    except BadTemplate:
        assert "{{" in text
    else:
        back = "".join(f"{{{{{part.name}}}}}" if isinstance(part, Placeholder) else part for part in parts)
        assert back == text.replace("{{{{", "{{") or Placeholder in {type(part) for part in parts}


def test_values_are_written_as_programs_expect_them() -> None:
    values = {"text": "a b; $(c)", "whole": 3, "part": 0.001, "yes": True, "list": ["a", "b"]}
    command = ["{{text}}", "-n={{whole}}", "{{part}}", "{{yes}}", "{{list}}", "{{none}}", "{{{{kept}}"]
    assert fill_all(command, values) == ["a b; $(c)", "-n=3", "0.001", "true", "a,b", "{{kept}}"]


# Inputs


def a_schema(**properties: Any) -> InputsSchema:
    return InputsSchema.model_validate({"properties": properties})


def codes(schema: InputsSchema, **values: Any) -> dict[tuple[Any, ...], str]:
    found = list(schema.check_all(values))
    assert [each.message for each in fields_of(found)] == [each["msg"] for each in found]
    return {each["loc"][2:]: each["type"] for each in found}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 3}, ["a", "äöü"], ["", "abcd", 1, None, True, []]),
        ({"type": "string", "pattern": "^a+$"}, ["a", "aaa"], ["b", "ab", ""]),
        ({"type": "string", "format": "date"}, ["2026-02-28"], ["2026-02-30", "20260228", "tomorrow", 3]),
        ({"type": "string", "enum": ["a", "b"]}, ["a"], ["c", "", 1]),
        ({"type": "integer", "minimum": 0, "multipleOf": 5}, [0, 5, 5.0], [-5, 3, 2.5, True, "5"]),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, [1, 0.5, 1.0], [0, 1.1, False, "1"]),
        ({"type": "boolean"}, [True, False], [0, 1, "true"]),
        (
            {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "uniqueItems": True, "minItems": 1},
            [["a"], ["a", "b"]],
            [[], ["a", "a"], ["c"], "a", [1], [["a"]]],
        ),
        (
            {"type": "array", "items": {"type": "number"}, "maxItems": 2},
            [[], [1, 2.5]],
            [[1, 2, 3], ["1"], {}, [0] * 1001],
        ),
    ],
)
def test_values_are_judged(schema: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    inputs = a_schema(value=schema)
    assert [codes(inputs, value=value) for value in good] == [{}] * len(good)
    assert all(codes(inputs, value=value) for value in bad)


@few
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=20))
def test_any_value_is_judged(value: Any) -> None:
    schema = a_schema(
        s={"type": "string", "pattern": "a"},
        n={"type": "number", "multipleOf": 0.1},
        e={"type": "integer", "enum": [1, 2]},
        a={"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    )
    assert codes(schema, n=float("inf")) == {("n",): "not_finite"}
    for name in "snea":
        for each in schema.check({name: value}):
            assert each["loc"][:3] == ("body", "inputs", name)
            assert len(each["msg"]) < 200


@pytest.mark.parametrize(
    "properties",
    [
        {"a": {"type": "object"}},
        {"a": {"$ref": "https://example.com/schema"}},
        {"a": {"type": "string", "$ref": "#"}},
        {"a": {"type": "string", "minimum": 1}},
        {"a": {"type": "string", "pattern": r"(a+)+\1"}},
        {"a": {"type": "string", "pattern": "(" * 400}},
        {"a": {"type": "string", "pattern": "((a{1000}){1000}){1000}"}},
        {"a": {"type": "array"}},
        {"a": {"type": "array", "items": {"type": "array"}}},
        {"a": {"type": "array", "items": {"type": "string", "format": "secret"}}},
        {"a": {"type": "number", "multipleOf": 0}},
        {"a": {"type": "number", "minimum": float("nan")}},
        {"a": {"type": "string", "enum": []}},
        {"lr": {"type": "string"}, "LR": {"type": "string"}},
        {"with space": {"type": "string"}},
        {str(number): {"type": "string"} for number in range(500)},
    ],
)
def test_a_schema_cannot_surprise(properties: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_schema(**properties)


def test_a_pattern_that_would_hang_others_does_not() -> None:
    schema = a_schema(value={"type": "string", "pattern": "^(a+)+$"})
    assert codes(schema, value="a" * 100_000 + "b") == {("value",): "pattern"}


def test_no_message_tells_a_secret() -> None:
    schema = a_schema(token={"type": "string", "format": "secret", "minLength": 99, "pattern": "^x", "enum": ["y"]})
    assert not any("hush" in each["msg"] for each in schema.check({"token": "hush"}))


# What a submission becomes

DOCUMENT: dict[str, Any] = {
    "name": "train",
    "version": "1.0.0",
    "image": "busybox:local",
    "command": ["run", "--n={{n}}", "{{flag}}"],
    "env": {"MODE": "x"},
    "inputs": {
        "properties": {
            "n": {"type": "integer", "default": 1},
            "flag": {"type": "boolean"},
            "token": {"type": "string", "format": "secret"},
        }
    },
    "limits": {"timeout": 60, "grace": 5},
    "max_attempts": 3,
    "profiles": {"p": {"inputs": {"n": 2}, "limits": {"timeout": 9}, "pool": "test"}},
}


def becomes(**said: Any) -> dict[str, Any]:
    body = Submission.model_validate({"method": "train", **said})
    return resolve(read_document(DOCUMENT), {name: getattr(body, name) for name in body.model_fields_set}).fields


def test_presets_lie_over_each_other() -> None:
    fields = becomes()
    assert (fields["command"], fields["inputs"], fields["limits"]) == (
        ["run", "--n=1"],
        {"n": 1},
        {"timeout": 60, "grace": 5},
    )
    assert (fields["max_attempts"], "pool" in fields) == (3, False)
    fields = becomes(profile="p", inputs={"flag": False}, limits={"grace": 7}, max_attempts=1)
    assert fields["command"] == ["run", "--n=2", "false"]
    assert (fields["limits"], fields["pool"], fields["max_attempts"]) == ({"timeout": 9, "grace": 7}, "test", 1)
    assert becomes(profile="p", pool="mine", inputs={"n": 5.0})["inputs"] == {"n": 5}


def test_a_secret_is_nowhere_but_among_secrets() -> None:
    fields = becomes(inputs={"token": "hush"})
    assert fields["secrets"] == {"INPUT_TOKEN": SecretStr("hush")}
    assert "hush" not in str(fields)
    assert becomes(secrets={"INPUT_TOKEN": "hush", "OTHER": "x"})["secrets"].keys() == {"INPUT_TOKEN", "OTHER"}


def test_what_does_not_fit_is_told_whole() -> None:
    with pytest.raises(Refused) as refused:
        becomes(image="a", env={"MODE": "y", "INPUT_N": "7"}, secrets={"INPUT_FLAG": "x"}, profile="q", inputs={"z": 1})
    fields = [each.field for each in refused.value.fields]
    assert fields == ["image", "env.INPUT_N", "env.MODE", "secrets.INPUT_FLAG", "profile", "inputs.z"]


@few
@given(st.sampled_from([*Document.model_fields]), st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_any_field_may_be_anything(field: str, value: Any) -> None:
    """It is refused as pydantic or we refuse, and breaks nothing."""
    try:
        document = Document.model_validate(DOCUMENT | {field: value})
    except ValidationError:
        return
    for each in check(document):
        assert each["loc"][0] == "body"


# Files and differences

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(SCALARS | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)


@few
@given(st.dictionaries(TEXTS, JSON, max_size=5), st.sampled_from(FileFormat))
def test_what_is_written_is_read_as_it_was(value: dict[str, Any], format_: FileFormat) -> None:
    assert portable.read(portable.written(value, format_), format_) == value


def test_a_file_begins_with_what_it_is_of() -> None:
    document = {"image": "busybox:local", "name": "count", "env": {}, "version": "1.0.0"}
    assert portable.written(document, FileFormat.YAML).decode().startswith("name: count\nversion: 1.0.0\nimage:")


@few
@given(JSON, JSON)
def test_differences_are_where_something_differs(one: Any, other: Any) -> None:
    assert list(differences(one, one)) == []
    found = list(differences(one, other))
    if one != other:
        assert found
    if orjson.dumps(one) == orjson.dumps(other):
        assert not found


# What is wrong with a document

SECRET = {"type": "string", "format": "secret"}
PIPELINE: dict[str, Any] = {
    "name": "pipeline",
    "version": "1.0.0",
    "inputs": {"properties": {"rate": {"type": "number"}}},
    "steps": {
        "fit": {"method": "train@1.0.0", "inputs": {"rate": "{{rate}}"}},
        "plot": {"image": "busybox", "command": ["plot", "{{rate}}"], "needs": ["fit"]},
    },
}
ALONE: dict[str, Any] = {
    "name": "alone",
    "version": "1.0.0",
    "image": "busybox",
    "command": ["{{rate}}"],
    "inputs": {"properties": {"rate": {"type": "number"}, "seed": {"type": "integer"}}},
    "profiles": {"quick": {"inputs": {"seed": 1}}},
}
ANYWHERE: list[tuple[dict[str, Any], str]] = [
    ({"title": 5}, "title"),
    ({"colour": 1}, "colour"),
    ({"name": "No Name"}, "name"),
    ({"version": None}, "version"),
    ({"inputs": {"properties": {"size": {"type": "huge"}}}}, "inputs.properties.size.type"),
    ({"inputs": {"properties": {"rows": {"type": "integer", "default": "x"}}}}, "inputs.properties.rows.default"),
    ({"inputs": {"properties": {"key": SECRET}}, "profiles": {"p": {"inputs": {"key": "x"}}}}, "profiles.p.inputs.key"),
]
OF_ONE = [
    *ANYWHERE,
    ({"image": "No Image"}, "image"),
    ({"setup": {"command": "echo"}}, "setup.command"),
    ({"limits": {"timeout": "x"}}, "limits.timeout"),
    ({"profiles": {"long": {"limits": {"grace": 3, "notice": 5}}}}, "profiles.long.limits.notice"),
    ({"profiles": {"quick": {"inputs": {"seed": "x"}}}}, "profiles.quick.inputs.seed"),
    ({"teardown": {"command": ["{{nothing}}"]}}, "teardown.command[0]"),
    ({"webhooks": [{"url": "http://127.0.0.1:8000/", "secret": "whsec_" + "A" * 32}]}, "webhooks[0].secret"),
]
OF_STEPS = [
    *ANYWHERE[:6],
    ({"image": "busybox"}, "image"),
    ({"steps": {"fit": {"method": "No Name"}}}, "steps.fit.method"),
    ({"steps": {"plot": {"command": ["plot", "{{speed}}"]}}}, "steps.plot.command[1]"),
    ({"steps": {"late": {"image": "busybox", "needs": ["nobody"]}}}, "steps.late.needs[0]"),
    ({"steps": {"bare": {}}}, "steps.bare"),
    ({"steps": {"half": {"image": "busybox", "pool": 5}}}, "steps.half.pool"),
]


@pytest.mark.parametrize(("base", "faults"), [(ALONE, OF_ONE), (PIPELINE, OF_STEPS)])
@given(data=st.data())
def test_everything_wrong_with_a_document_is_told_at_once(
    base: dict[str, Any], faults: list[tuple[dict[str, Any], str]], data: st.DataObject
) -> None:
    written, expected = base, set[str]()
    for patch, field in data.draw(st.lists(st.sampled_from(faults), min_size=1, unique_by=lambda fault: fault[1])):
        written, expected = merged(written, patch), expected | {field}
    with pytest.raises(InvalidRequest) as refused:
        read_document(written)
    fields = [each.field for each in refused.value.fields]
    assert (sorted(fields), len(fields)) == (sorted(expected), len(expected))
