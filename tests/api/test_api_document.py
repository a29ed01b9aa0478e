"""The OpenAPI document: whole, true, and useful without the Internet."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from served import Api, Submit

from app.auth.cookies import cookie_name
from app.code.languages import FORMS, Language
from app.events.protocol import FRAMES as EVENT_FRAMES
from app.events.query import EventsQuery
from app.executions.causes import EXPLANATIONS
from app.executions.states import Cause
from app.logs.protocol import FRAMES

# Of JSON, but of which others say how they are.
OTHER_FORMATS = {"application/x-ndjson", FORMS[Language.NOTEBOOK].media_type}
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    return api.app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in item.keys() & METHODS:
            yield f"{method} {path}", item[method]


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """Whether a value fits a schema of the document."""
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from operation.get("requestBody", {}).get("content", {}).items()
    for response in operation["responses"].values():
        yield from response.get("content", {}).items()


def resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in schema:  # an optional body
        schema = next(option for option in schema["anyOf"] if "$ref" in option)
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def test_every_schema_is_a_schema(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for name in re.findall(r"#/components/schemas/(\w+)", str(document)):
        assert name in document["components"]["schemas"]


def test_every_json_body_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    checked = 0
    for name, operation in operations(document):
        for media_type, content in bodies(operation):
            if "json" not in media_type or media_type in OTHER_FORMATS:
                continue
            schema = resolve(document, content["schema"])
            examples = schema.get("examples", []) + ([content["example"]] if "example" in content else [])
            examples += [example["value"] for example in content.get("examples", {}).values()]
            assert examples, f"{name} {media_type} has no example"
            for example in examples:
                check(document, content["schema"], example)
                checked += 1
    assert checked >= 30


def test_operations_are_named_tagged_and_summed_up(document: dict[str, Any]) -> None:
    identifiers = [operation["operationId"] for _, operation in operations(document)]
    assert len(identifiers) == len(set(identifiers))
    known = {tag["name"] for tag in document["tags"]}
    for name, operation in operations(document):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation["operationId"]), name
        assert operation["summary"], name
        assert set(operation["tags"]) <= known, name
        for parameter in operation.get("parameters", []):
            ours = {"execution"} if parameter["in"] == "path" else {"args", "kwargs"}
            assert parameter["name"] not in ours, name


def test_schemas_have_names_of_their_own_and_nothing_is_null_that_can_only_be_left_out(
    document: dict[str, Any],
) -> None:
    assert [name for name in document["components"]["schemas"] if "__" in name or "-" in name] == []
    for name, operation in operations(document):
        parts = [*operation.get("parameters", []), *operation.get("requestBody", {}).get("content", {}).values()]
        assert [part for part in parts if {"type": "null"} in part["schema"].get("anyOf", [])] == [], name
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), f"{name} {parameter['name']}"
    change = document["components"]["schemas"]["ChangeRequest"]
    assert [name for name, content in change["properties"].items() if "default" in content] == []


def test_everything_with_a_token_takes_a_session_too(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert (schemes["session"]["in"], schemes["session"]["name"]) == ("cookie", cookie_name(secure=False))
    secured = [operation["security"] for _, operation in operations(document) if "security" in operation]
    assert secured
    assert all(each == [{"bearer": []}, {"session": []}] for each in secured)


def test_every_error_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if status.startswith("4") or (status == "503" and "security" in operation):
                assert list(response["content"]) == ["application/problem+json"], f"{name} {status}"
        if "security" in operation:
            assert {"401", "403", "503"} <= operation["responses"].keys(), name
        if "{id}" in name:
            assert {"404", "422"} <= operation["responses"].keys(), name
    submit = document["paths"]["/v1/executions"]["post"]["responses"]
    assert {"200", "201", "400", "401", "403", "413", "415", "422", "503"} <= submit.keys()
    assert "409" in document["paths"]["/v1/executions/{id}/cancel"]["post"]["responses"]


async def test_real_answers_fit_the_document(
    document: dict[str, Any], client: httpx.AsyncClient, submit: Submit
) -> None:
    own = f"/v1/executions/{await submit(name='real')}"
    asked = {
        "/v1/executions": "/v1/executions",
        "/v1/executions/{id}": own,
        "/v1/executions/{id}/events": f"{own}/events",
        "/v1/executions/{id}/attempts": f"{own}/attempts",
        "/v1/executions/{id}/outputs": f"{own}/outputs",
        "/v1/pools": "/v1/pools",
        "/v1/pools/{name}": "/v1/pools/default",
        "/v1/workers": "/v1/workers",
        "/readyz": "/readyz",
        "/healthz": "/healthz",
    }
    for path, url in asked.items():
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        check(document, schema, (await client.get(url)).json())
    problem = (await client.get(f"{own}?wait=-1")).json()
    check(document, {"$ref": "#/components/schemas/Problem"}, problem)


async def test_every_path_says_which_methods_it_has(document: dict[str, Any], anonymous: httpx.AsyncClient) -> None:
    for path, item in document["paths"].items():
        if methods := {method.upper() for method in item.keys() & METHODS}:
            methods |= {"HEAD"} if "GET" in methods else set()
            response = await anonymous.options(re.sub(r"\{\w+\}", "1", path))
            assert response.status_code == 405, path
            assert set(response.headers["allow"].split(", ")) == methods, path


async def test_media_types_are_documented_and_so_is_that_none_will_do(
    document: dict[str, Any], client: httpx.AsyncClient, submit: Submit
) -> None:
    own = f"/v1/executions/{await submit()}"
    code = document["paths"]["/v1/executions/{id}/code"]["get"]["responses"]["200"]["content"]
    for language in Language:
        answer = await client.get(f"{own}/code", params={"language": language})
        assert answer.headers["content-type"].partition(";")[0] in code
    refused = await client.get(f"{own}/logs", headers={"Accept": "image/png"})
    assert refused.status_code == 406
    assert "406" in document["paths"]["/v1/executions/{id}/logs"]["get"]["responses"]


def test_the_websockets_are_documented_beside_it(document: dict[str, Any]) -> None:
    socket = document["paths"]["/v1/executions/{id}/tail"]["x-websocket"]
    assert socket["frames"].keys() == FRAMES.keys()
    events = document["paths"]["/v1/events"]
    assert events["x-websocket"]["frames"].keys() == EVENT_FRAMES.keys()
    assert {each["name"] for each in events["parameters"]} == EventsQuery.model_fields.keys()
    happened = {"type": "resync", "cursor": 7}
    check(document, events["x-websocket"]["frames"]["resync"], happened)
    for each in ("/v1/events", "/v1/executions/{id}/tail"):
        assert f"`WS {each}`" in document["info"]["description"]
    assert {"4401", "4404", "1000"} <= socket["closeCodes"].keys()
    frame = {"type": "lines", "first": 1, "lines": [[1700000000000, "o", "hi"], [1700000000001, "e", "part", "+"]]}
    check(document, socket["frames"]["lines"], frame)
    check(document, socket["frames"]["gap"], {"type": "gap", "from": 1, "to": 2, "reason": "log_limit"})


async def test_the_documentation_needs_no_other_host(anonymous: httpx.AsyncClient) -> None:
    page = await anonymous.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.findall(r"(?:https?:)?//[\w.]+", page.text)
    for asset in re.findall(r'(?:src|href)="\.(/[^"]+)"', page.text):
        response = await anonymous.get(asset)
        assert response.status_code == 200, asset
        assert len(response.content) > 100
    assert "url: 'openapi.json'" in page.text
    assert '"docExpansion": "none"' in page.text


def test_every_cause_is_explained() -> None:
    assert EXPLANATIONS.keys() == set(Cause)
    for cause, explanation in EXPLANATIONS.items():
        assert explanation.sentence.endswith(".")
        assert bool(explanation.hint) is (cause is not Cause.OK)
