"""Methods with real containers: arguments stay one, steps hand on, failures in a row stop it all."""

from typing import Any
from uuid import uuid4

from support.running import Running

# Each argument on a line of its own, and what the environment has of it.
SHOW = 'for each; do echo "[$each]"; done; echo "$INPUT_WORD"; cat /tailrace/inputs.json; cat "$2"'


async def publish(tailrace: Running, **document: Any) -> str:
    name = f"m-{uuid4().hex[:12]}"
    await tailrace.api.methods.create(name=name, version="1.0.0", **document)
    await tailrace.api.methods.publish(name, "1.0.0")
    return name


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
    execution = await tailrace.api.run(method=name, inputs=inputs)
    ended = await execution.wait(90)
    assert (ended["status"], ended["outputs"]["files"]) == ("succeeded", 0)
    log = (await tailrace.log_text(execution.id)).splitlines()
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
    batch = await tailrace.api.batch({"method": whole, "inputs": {"start": 40}})
    _, second = await batch.handles()
    assert second.record.lineage.batch["key"] == "second"
    ended = await second.wait(90)
    assert (ended["status"], ended["method"]["name"]) == ("succeeded", add)
    assert await second.outputs.read("sum") == b"42\n"


async def test_a_method_that_fails_again_and_again_is_disabled(tailrace: Running) -> None:
    name = await publish(tailrace, image="busybox:local", command=["false"])
    guarded = {"pause_after_failures": 2, "max_running": 1}
    await tailrace.api.methods.update(name, **guarded)
    failing = [await tailrace.api.run(method=name) for _ in range(4)]
    for execution in failing[:2]:
        assert (await execution.wait(90)).status == "failed"
    method = await tailrace.api.methods.get(name)
    assert (method["runnable"], method["disabled"]["by"]) == (False, "system")
    assert failing[1].id in method["disabled"]["reason"]
    waiting = [(await each.refresh()).waiting_on for each in failing[2:]]
    assert waiting == ["hold", "hold"]
    refused = await tailrace.request("POST", "/v1/executions", json={"method": name})
    assert refused.status_code == 409
    await tailrace.api.methods.enable(name)
    for execution in failing[2:]:
        assert (await execution.wait(90)).status == "failed"
