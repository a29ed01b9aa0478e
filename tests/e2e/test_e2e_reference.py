"""The reference of the API: every example of it, sent as it stands to an installation where there is nothing yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from support.own import StartOwn
from support.running import Json, Running

# What other examples refer to; all else is sent from the top of the page to its bottom.
FIRST = ("put_secret", "add_method", "replace_method_version", "change_method_version", "import_method")
SLEEPS = {"image": "busybox:local", "command": ["sleep", "600"]}
FAILS = {"image": "busybox:local", "command": ["false"]}
SAVES = {"image": "busybox:local", "command": ["sh", "-c", "echo 1 > /tailrace/checkpoint/n"]}
# No test asks another host.
ELSEWHERE = {
    "https://example.com": "http://127.0.0.1:9999",
    "mailtos://ann:password@smtp.example.com?": "mailto://127.0.0.1:9999?from=tailrace@example.com&",
}
# Of a record, what another installation, or another day, says otherwise.
VARYING = {"id", "image_id", "image_digest", "expires_at", "deadline", "links", "retention", "log", "revision"}
VARYING_ENDS = ("_at", "_seconds")


@dataclass(frozen=True)
class Operation:
    """One of the document."""

    id: str
    method: str
    path: str
    said: Json

    @property
    def names(self) -> list[str]:
        return [each["name"] for each in self.said.get("parameters", []) if each["in"] == "path"]

    def filled_in(self, name: str) -> str | None:
        """What the page has there already."""
        (parameter,) = (each for each in self.said["parameters"] if each["name"] == name and each["in"] == "path")
        return parameter.get("example")

    @property
    def query(self) -> dict[str, str]:
        """The same of what is asked for."""
        parameters = self.said.get("parameters", [])
        return {each["name"]: each["example"] for each in parameters if each["in"] == "query" and "example" in each}

    def bodies(self, document: Json) -> Iterator[tuple[str, Any]]:
        """The examples, with their media types."""
        for media_type, content in self.said.get("requestBody", {}).get("content", {}).items():
            name = content["schema"].get("$ref", "").rpartition("/")[2]
            named = [example["value"] for example in content.get("examples", {}).values()]
            alone = [content["example"]] if "example" in content else []
            for example in named or alone or document["components"]["schemas"].get(name, {}).get("examples", []):
                yield media_type, example


@dataclass
class Reader:
    """Somebody who sends what they see on the page, and fills in ids of what came of it."""

    installation: Running
    document: Json
    # The first of each noun.
    made: dict[str, Json] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    @property
    def operations(self) -> list[Operation]:
        found = [
            Operation(said["operationId"], method, path, said)
            for path, item in self.document["paths"].items()
            for method, said in item.items()
            if method in {"get", "post", "put", "patch"}
        ]
        order = {name: number for number, name in enumerate(FIRST)}
        return sorted(found, key=lambda operation: order.get(operation.id, len(FIRST)))

    async def post(self, path: str, body: Any = None) -> Json:
        """Beside the examples."""
        answer = await self.installation.request("POST", f"/v1/{path}", json=body)
        assert answer.is_success, answer.text
        made: Json = answer.json()
        return made

    async def send(self, operation: Operation, media_type: str, example: Any) -> None:
        path = await self.path_of(operation)
        if path is None:
            self.refused.append(f"{operation.id} needs what no example makes")
            return
        body = orjson.dumps(example).decode()
        for shown, ours in ((self.shown_id, await self.saved()), *ELSEWHERE.items()):
            body = body.replace(shown, ours)
        answer = await self.installation.request(
            operation.method, path, content=body, headers={"Content-Type": media_type}
        )
        if not answer.is_success:
            self.refused.append(f"{operation.id} {body}: {answer.status_code} {answer.text}")
            return
        if operation.method == "post" and not operation.names:
            self.made.setdefault(operation.path.rpartition("/")[2], answer.json())

    async def path_of(self, operation: Operation) -> str | None:
        """With everything filled in; None if it is about something that nobody has made."""
        if operation.id == "post_to_trigger":
            target = {"execution": {"image": "busybox:local", "command": ["sh", "-c", "echo building $INPUT_REF"]}}
            return str((await self.post("triggers", {"name": "posted", "target": target}))["address"])
        filled = operation.path
        for name in operation.names:
            value = operation.filled_in(name) or (await self.id_for(operation) if name == "id" else None)
            if value is None:
                return None
            filled = filled.replace(f"{{{name}}}", value)
        return filled

    async def id_for(self, operation: Operation) -> str | None:
        noun = operation.path.split("/")[2]
        match operation.id:
            case "change_execution" | "pause_execution" | "cancel_execution":
                running = await self.installation.submit(**SLEEPS)
                await self.installation.reaches(running, "running")
                return running
            case "rerun_execution":
                return await self.saved()
            case "cancel_batch":
                return str((await self.post("batches", {"items": [SLEEPS]}))["id"])
            case "rerun_batch":
                batch = await self.post("batches", {"items": [FAILS]})
                async for child in self.installation.api.list(batch=batch["id"]):
                    await self.installation.ended(child.id)
                return str(batch["id"])
        made = self.made.get(noun)
        return str(made["id"]) if made and "id" in made else None

    async def compare_with_what_is_shown(self) -> None:
        """The record of the first submission, against the one that the document has as an example."""
        shown = self.document["components"]["schemas"]["Execution"]["examples"][0]
        record = await self.installation.ended(self.made["executions"]["id"])
        assert comparable(record) == comparable(shown)

    async def look_at_everything(self) -> None:
        """What there is a GET for, as the page asks for it."""
        for operation in self.operations:
            # What a share shows of itself, only who has one may ask.
            asked = operation.method == "get" and operation.id != "get_share"
            path = await self.path_of(operation) if asked else None
            if path is not None:
                answer = await self.installation.request("GET", path, params=operation.query)
                if not answer.is_success:
                    self.refused.append(f"{operation.id}: {answer.status_code} {answer.text}")

    async def ends(self) -> set[str]:
        """How all ended that could end well."""
        submitted = [each async for each in self.installation.api.list(archived="any")]
        could = [each.id for each in submitted if each["command"] not in (SLEEPS["command"], FAILS["command"])]
        return {(await self.installation.ended(id_))["status"] for id_ in could}

    async def saved(self) -> str:
        """An execution with a checkpoint."""
        if "saved" not in self.made:
            execution = await self.installation.submit(**SAVES)
            self.made["saved"] = await self.installation.ended(execution)
        return str(self.made["saved"]["id"])

    @property
    def shown_id(self) -> str:
        """Of the execution that answers are shown of."""
        return str(self.document["components"]["schemas"]["Execution"]["examples"][0]["id"])


def comparable(record: Json) -> Json:
    """What two installations say alike of the same submission."""
    return {name: value for name, value in record.items() if name not in VARYING and not name.endswith(VARYING_ENDS)}


@pytest.fixture
async def reader(own: StartOwn) -> Reader:
    installation = await own(TAILRACE_OUTBOUND_ALLOW="127.0.0.1")
    return Reader(installation, (await installation.request("GET", "/openapi.json")).json())


async def test_every_example_is_accepted_and_what_it_submits_succeeds(reader: Reader) -> None:
    sent = 0
    for operation in reader.operations:
        for media_type, example in operation.bodies(reader.document):
            await reader.send(operation, media_type, example)
            sent += 1
        match operation.id:
            case "import_method":
                await reader.post("methods/train/versions/1.0.0/publish")
                await reader.post("methods/nightly/versions/2.0.0/publish")
            case "submit_execution":
                await reader.compare_with_what_is_shown()
            case "disable_method":
                await reader.post("methods/train/enable")
            case "add_schedule":
                await reader.post(f"schedules/{reader.made['schedules']['id']}/fire")
    assert reader.refused == []
    assert sent >= 55
    await reader.look_at_everything()
    assert reader.refused == []
    assert await reader.ends() == {"succeeded"}
