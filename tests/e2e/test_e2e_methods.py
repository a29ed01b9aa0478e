"""Methods with real containers: arguments stay one, steps hand on, failures in a row stop it all."""

from typing import Any
from uuid import uuid4

from support.running import Json, Running

METHODS = "/v1/methods"
# Each argument on a line of its own, and what the environment has of it.
SHOW = 'for each; do echo "[$each]"; done; echo "$INPUT_WORD"; cat /tailrace/inputs.json; cat "$2"'


async def publish(tailrace: Running, **document: Any) -> str:
    name = f"m-{uuid4().hex[:12]}"
    made = await tailrace.request("POST", METHODS, json={"name": name, "version": "1.0.0", **document})
    assert made.status_code == 201, made.text
    done = await tailrace.request("POST", f"{METHODS}/{name}/versions/1.0.0/publish")
    assert done.status_code == 200, done.text
    return name


async def submit(tailrace: Running, path: str, **body: Any) -> Json:
    response = await tailrace.request("POST", path, json=body)
    assert response.status_code == 201, response.text
    record: Json = response.json()
    return record


async def test_an_input_reaches_the_program_as_one_argument_whatever_it_is(tailrace: Running) -> None:
    hostile = 'a b\'; touch /tailrace/outputs/owned; $(id) `id` "{{text}}" \\'
    name = await publish(
        tailrace,
        image="busybox:local",
        command=["sh", "-c", SHOW, "show", "--word={{word}}", "{{table}}", "{{none}}"],
        inputs={
            "properties": {
                "word": {"type": "string"},
                "none": {"type": "integer"},
                "table": {"type": "string", "format": "file"},
            }
        },
    )
    inputs = {"word": hostile, "table": {"text": "1,2\n", "name": "t.csv"}}
    execution = await submit(tailrace, "/v1/executions", method=name, inputs=inputs)
    ended = await tailrace.ended(execution["id"])
    assert (ended["status"], ended["outputs"]["files"]) == ("succeeded", 0)
    log = (await tailrace.log_text(execution["id"])).splitlines()
    assert log[:3] == [f"[--word={hostile}]", "[/tailrace/inputs/table/t.csv]", hostile]
    assert log[-1].endswith("1,2")


async def test_steps_hand_on_what_they_leave(tailrace: Running) -> None:
    add = await publish(
        tailrace,
        image="busybox:local",
        command=[
            "sh",
            "-c",
            "echo $(($(cat /tailrace/inputs/first/n) + $1)) > /tailrace/outputs/sum",
            "add",
            "{{more}}",
        ],
        inputs={"properties": {"more": {"type": "integer"}}, "required": ["more"]},
    )
    first = {"image": "busybox:local", "command": ["sh", "-c", 'echo "$1" > /tailrace/outputs/n', "first", "{{start}}"]}
    whole = await publish(
        tailrace,
        inputs={"properties": {"start": {"type": "integer"}, "more": {"type": "integer", "default": 2}}},
        steps={
            "first": first,
            "second": {"method": f"{add}@1.0.0", "inputs": {"more": "{{more}}"}, "needs": ["first"]},
        },
    )
    batch = await submit(tailrace, "/v1/batches", method=whole, inputs={"start": 40})
    listed = await tailrace.get(batch["links"]["executions"])
    (second,) = [item for item in listed["items"] if item["lineage"]["batch"]["key"] == "second"]
    ended = await tailrace.ended(second["id"])
    assert (ended["status"], ended["method"]["name"]) == ("succeeded", add)
    assert await tailrace.output(second["id"], "sum") == b"42\n"


async def test_a_method_that_fails_again_and_again_is_disabled(tailrace: Running) -> None:
    name = await publish(tailrace, image="busybox:local", command=["false"])
    guarded = {"pause_after_failures": 2, "max_running": 1}
    await tailrace.request("PATCH", f"{METHODS}/{name}", json=guarded)
    failing = [await submit(tailrace, "/v1/executions", method=name) for _ in range(4)]
    for execution in failing[:2]:
        assert (await tailrace.ended(execution["id"]))["status"] == "failed"
    method = await tailrace.get(f"{METHODS}/{name}")
    assert (method["runnable"], method["disabled"]["by"]) == (False, "system")
    assert failing[1]["id"] in method["disabled"]["reason"]
    waiting = [(await tailrace.get(f"/v1/executions/{each['id']}"))["waiting_on"] for each in failing[2:]]
    assert waiting == ["hold", "hold"]
    refused = await tailrace.request("POST", "/v1/executions", json={"method": name})
    assert refused.status_code == 409
    await tailrace.request("POST", f"{METHODS}/{name}/enable")
    for execution in failing[2:]:
        assert (await tailrace.ended(execution["id"]))["status"] == "failed"
