"""Who gets code for what: it says what was submitted, and no more."""

import ast
from typing import Any

import httpx
import pytest
from methods import published
from served import Api, Submit

from app.auth.tokens import Scope
from app.code.languages import FORMS, Language

GIVEN: dict[str, Any] = {
    "image": "busybox:local",
    "command": ["sh", "-c", "echo hi"],
    "env": {"A": "1"},
    "inputs": {"rows": 100, "nothing": None, "deep": {"none": None}},
    "name": "first",
    "labels": {"team": "a"},
    "limits": {"timeout": 60, "memory": 64 * 1024 * 1024},
    "max_attempts": 3,
    "retry_on": ["oom_killed", 7],
}


def body_in(code: str) -> Any:
    """The submission in a Python program."""
    (value,) = [
        node.value
        for node in ast.parse(code).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "submission"
    ]
    return ast.literal_eval(value)


@pytest.mark.parametrize("given", [GIVEN, {"image": "busybox:local"}])
async def test_it_has_what_was_given_and_no_defaults(
    given: dict[str, Any], client: httpx.AsyncClient, submit: Submit
) -> None:
    response = await client.get(f"/v1/executions/{await submit(**given)}/code", params={"language": "python"})
    assert body_in(response.text) == given


async def test_it_names_secrets_and_forgets_what_concerned_that_one_alone(
    client: httpx.AsyncClient, submit: Submit
) -> None:
    execution = await submit(**GIVEN, secrets={"TOKEN": "very-secret"}, hold=True, priority=3)
    response = await client.get(f"/v1/executions/{execution}/code", params={"language": "python"})
    assert body_in(response.text) == GIVEN | {"priority": 3}
    assert "very-secret" not in response.text
    assert "['TOKEN']" in response.text


async def test_of_a_method_it_names_that_and_not_what_is_its_own(client: httpx.AsyncClient) -> None:
    name = await published(client, env={"MODE": "train"})
    said = {"method": name, "inputs": {"rate": 0.25}, "env": {"DEBUG": "1"}, "limits": {"timeout": 30}}
    record = (await client.post("/v1/executions", json=said)).json()
    code = (await client.get(f"/v1/executions/{record['id']}/code", params={"language": "python"})).text
    body = body_in(code)
    assert body == said | {"method": f"{name}@1.0.0", "inputs": {"rate": 0.25, "epochs": 10}}
    again = (await client.post("/v1/executions", json=body)).json()
    assert {each: again[each] for each in ("method", "command", "inputs", "env", "limits")} == {
        each: record[each] for each in ("method", "command", "inputs", "env", "limits")
    }


@pytest.mark.parametrize("language", Language)
async def test_it_is_a_file_of_its_language(language: Language, client: httpx.AsyncClient, submit: Submit) -> None:
    execution = await submit(name="Grüße, or/and ../x", command=["sh", "-c", "</script>"])
    response = await client.get(f"/v1/executions/{execution}/code", params={"language": language})
    assert response.headers["content-type"].partition(";")[0] == FORMS[language].media_type
    assert response.headers["content-disposition"].startswith('attachment; filename="Gr-e-or-and-x')
    assert response.headers["x-content-type-options"] == "nosniff"
    assert str(client.base_url) in response.text


async def test_others_cannot_see_it_and_who_only_reads_not_either(
    api: Api, stranger: httpx.AsyncClient, submit: Submit
) -> None:
    path = f"/v1/executions/{await submit(env={'PASSWORD': 'x'})}/code"
    assert (await stranger.get(path)).status_code == 404
    reader = await api.client("reader", Scope.READ)
    assert (await reader.get(path)).status_code == 403


async def test_a_language_that_nobody_wrote_is_refused_with_those_there_are(
    client: httpx.AsyncClient, submit: Submit
) -> None:
    response = await client.get(f"/v1/executions/{await submit()}/code", params={"language": "cobol"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "language"
    assert all(language in response.text for language in Language)
