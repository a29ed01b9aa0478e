"""The example of docs/methods.md does what the page says."""

import re
from pathlib import Path

import httpx
from methods import BATCHES, METHODS, publish, published, wrong

from app.methods.document import Document
from app.methods.requests import read_document

PAGE = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()


def example(language: str, containing: str) -> str:
    (found,) = [each for each in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if containing in each]
    return found


async def test_the_whole_method_of_the_page_is_taken_in_published_and_submitted(client: httpx.AsyncClient) -> None:
    file = example("yaml", "name: word-count")
    made = await client.post("/v1/methods:import", content=file, headers={"Content-Type": "application/yaml"})
    assert made.status_code == 201, made.text
    await publish(client, "word-count")
    inputs = {"text": {"text": "the cat and the hat", "name": "cat.txt"}, "word": "hat"}
    body = {"method": "word-count", "profile": "experiment", "inputs": inputs}
    record = (await client.post("/v1/executions", json=body)).json()
    assert record["command"][3:] == ["word-count", "/tailrace/inputs/text/cat.txt", "hat", "--top=1"]
    assert (record["limits"]["timeout"], record["max_attempts"], record["exit_codes"]) == (30, 2, {"3": "retry"})
    refused = await client.post(
        "/v1/executions", json={"method": "word-count", "inputs": {"word": "a b", "speed": 1}, "command": ["sh"]}
    )
    assert set(wrong(refused)) == {"command", "inputs.word", "inputs.speed", "inputs.text"}
    said = re.search(r'"detail":"(4 fields are wrong: .*)", …', PAGE)
    assert said is not None
    assert refused.json()["detail"] == said[1]


async def test_the_steps_of_the_page_are_submitted(client: httpx.AsyncClient) -> None:
    body = read_document(Document.model_validate_json(example("json", '"nightly"')).kept())
    train = await published(client)
    document = {**body.kept(), "name": f"{train}-nightly"}
    document["steps"]["train"]["method"] = f"{train}@1.0.0"
    assert (await client.post(METHODS, json=document)).status_code == 201
    await publish(client, document["name"])
    batch = await client.post(BATCHES, json={"method": document["name"], "inputs": {"rate": 0.5}})
    assert batch.json()["progress"]["total"] == 2


def test_every_field_of_a_document_is_described() -> None:
    table = PAGE.partition("## The document")[2].partition("### Placeholders")[0]
    described = {
        name for row in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE) for name in re.findall(r"\w+", row)
    }
    assert described == set(Document.model_fields)
