"""Methods for tests: made, published, submitted."""

import uuid
from typing import Any

import httpx

METHODS = "/v1/methods"
EXECUTIONS = "/v1/executions"
BATCHES = "/v1/batches"
INPUTS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "rate": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "epochs": {"type": "integer", "minimum": 1, "default": 10},
        "seed": {"type": "integer"},
    },
    "required": ["rate"],
}
TRAIN: dict[str, Any] = {
    "image": "busybox:local",
    "command": ["echo", "--rate={{rate}}", "--epochs={{epochs}}", "--seed={{seed}}"],
    "inputs": INPUTS,
}


def a_name() -> str:
    return f"m-{uuid.uuid4().hex[:12]}"


async def draft(client: httpx.AsyncClient, name: str | None = None, **fields: Any) -> dict[str, Any]:
    """A new method; its document."""
    document = {"name": name or a_name(), "version": "1.0.0", **TRAIN, **fields}
    response = await client.post(METHODS, json={key: value for key, value in document.items() if value is not None})
    assert response.status_code == 201, response.text
    kept: dict[str, Any] = response.json()["document"]
    return kept


async def publish(client: httpx.AsyncClient, name: str, version: str = "1.0.0") -> None:
    response = await client.post(f"{METHODS}/{name}/versions/{version}/publish")
    assert response.status_code == 200, response.text


async def published(client: httpx.AsyncClient, name: str | None = None, **fields: Any) -> str:
    """A method that can be submitted; its name."""
    document = await draft(client, name, **fields)
    await publish(client, document["name"], document["version"])
    made: str = document["name"]
    return made


async def submit(client: httpx.AsyncClient, method: str, **fields: Any) -> dict[str, Any]:
    """The record of an execution by method."""
    body = {"method": method, "inputs": {"rate": 0.5}, **fields}
    response = await client.post(EXECUTIONS, json=body)
    assert response.status_code == 201, response.text
    record: dict[str, Any] = response.json()
    return record


def wrong(response: httpx.Response) -> dict[str, str]:
    """What was refused, by field: the code."""
    assert response.status_code == 422, response.text
    return {error["field"]: error["code"] for error in response.json()["errors"]}
