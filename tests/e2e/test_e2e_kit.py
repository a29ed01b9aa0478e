"""Programs that use the in-container kit, in a Python image."""

import json

from support.history import check_history
from support.logs import Follower
from support.programs import the_attempt, until_it_says
from support.running import Running

TRAIN = """
import json, time, tailrace_job

@tailrace_job.stoppable()
def main():
    state = json.loads(tailrace_job.load("state.json") or '{"step": 0}')
    print("begins at", state["step"], flush=True)
    last = tailrace_job.inputs["last"]
    while state["step"] < last:
        state["step"] += 1
        tailrace_job.save("state.json", json.dumps(state))
        tailrace_job.progress(100 * state["step"] / last, phase="training")
        print("did", state["step"], flush=True)
        tailrace_job.checkpoint()
        time.sleep(0.05)
    (tailrace_job.outputs / "model.txt").write_text(f"after {state['step']} steps")
    tailrace_job.result({"steps": state["step"]})

main()
"""
PYTHON = {"image": "python:local", "limits": {"grace": 200}}


async def train(tailrace: Running, last: int, **fields: object) -> str:
    return await tailrace.submit("python3", "-c", TRAIN, inputs={"last": last}, **PYTHON, **fields)


async def test_a_program_with_the_kit_saves_when_asked_and_goes_on_later(tailrace: Running) -> None:
    first = await train(tailrace, 100_000)
    await until_it_says(tailrace, first, "did 3")
    await tailrace.cancel(first)
    record = await check_history(tailrace, first)
    said = await tailrace.log_text(first, streams="stdout,stderr,system")
    assert (record["status"], record["exit_code"]) == ("canceled", 85), said
    assert "saved a checkpoint" in record["message"]
    attempt = await the_attempt(tailrace, first)
    assert attempt["stop_written_at"] is not None
    assert attempt["signaled_at"] is None  # it was done long before
    done = len((await tailrace.log_text(first)).splitlines()) - 1

    second = await train(tailrace, done + 2, resume_from=first)
    record = await check_history(tailrace, second)
    assert (record["status"], record["result"]) == ("succeeded", {"steps": done + 2})
    assert await tailrace.log_text(second) == f"begins at {done}\ndid {done + 1}\ndid {done + 2}\n"
    assert await tailrace.output(second, "model.txt") == f"after {done + 2} steps".encode()


async def test_the_record_and_every_watcher_hear_of_progress(tailrace: Running) -> None:
    execution = await train(tailrace, 12)
    reader = Follower(tailrace, execution)
    await reader.read()
    record = await check_history(tailrace, execution)
    assert record["progress"] | {"at": None} == {"percent": 100, "phase": "training", "at": None}
    assert record["progress"]["at"] is not None
    percents = [frame["percent"] for frame in reader.progress]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert {frame["phase"] for frame in reader.progress} == {"training"}


async def test_a_program_may_cancel_itself(tailrace: Running) -> None:
    program = "import tailrace_job; tailrace_job.warn('nothing to do'); tailrace_job.exit_canceled()"
    execution = await tailrace.submit("python3", "-c", program, **PYTHON)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("canceled", "self_canceled", 86)
    assert record["warnings"] == ["nothing to do"]


async def test_a_stop_without_a_checkpoint_says_so(tailrace: Running) -> None:
    program = """if True:
        import time, tailrace_job
        @tailrace_job.stoppable()
        def main():
            print("ready", flush=True)
            while True:
                tailrace_job.checkpoint()
                time.sleep(0.05)
        main()
    """
    execution = await tailrace.submit("python3", "-c", program, **PYTHON)
    await until_it_says(tailrace, execution, "ready")
    await tailrace.cancel(execution)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["exit_code"]) == ("canceled", 143)
    assert record["message"] == "Canceled by admin."
    assert "no checkpoint was saved" in await tailrace.log_text(execution, streams="stderr")


async def test_the_request_carries_why_who_and_until_when(tailrace: Running) -> None:
    program = """if True:
        import json, time, tailrace_job
        try:
            while True:
                tailrace_job.checkpoint()
                time.sleep(0.05)
        except tailrace_job.TerminationRequested as stop:
            print(json.dumps([stop.reason, stop.by, stop.deadline > time.time()]))
            tailrace_job.save("late", b"saved when asked\\n")
            tailrace_job.exit_saved()
    """
    # It may take long until it can say that it saves checkpoints.
    limits = {"timeout": 1, "grace": 200, "notice": 150}
    execution = await tailrace.submit("python3", "-c", program, image="python:local", limits=limits)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["exit_code"]) == ("timed_out", 85)
    assert json.loads(await tailrace.log_text(execution)) == ["timeout", "system", True]
    resumed = await tailrace.submit("cat", "/tailrace/checkpoint/late", resume_from=execution)
    await check_history(tailrace, resumed)
    assert await tailrace.log_text(resumed) == "saved when asked\n"


async def test_inputs_reach_the_program_in_every_form(tailrace: Running) -> None:
    inputs = {"text": "ä 'quoted' $(id)", "number": 3, "nested": {"list": [1, None, True]}, "empty": ""}
    program = """if True:
        import json, os, tailrace_job
        assert json.load(open("/tailrace/inputs.json")) == dict(tailrace_job.inputs)
        environment = {name: value for name, value in os.environ.items() if name.startswith("INPUT_")}
        print(json.dumps([dict(tailrace_job.inputs), environment]))
    """
    execution = await tailrace.submit("python3", "-c", program, inputs=inputs, user="65534:65534", **PYTHON)
    assert (await check_history(tailrace, execution))["status"] == "succeeded"
    seen, environment = json.loads(await tailrace.log_text(execution))
    assert seen == inputs
    assert environment.keys() == {"INPUT_TEXT", "INPUT_NUMBER", "INPUT_NESTED", "INPUT_EMPTY"}
    assert (environment["INPUT_TEXT"], environment["INPUT_NUMBER"]) == (inputs["text"], "3")
    assert json.loads(environment["INPUT_NESTED"]) == inputs["nested"]


async def test_the_kit_works_beside_a_python_path_of_the_user(tailrace: Running) -> None:
    program = "import sys, tailrace_job; print('/srv/mine' in sys.path, tailrace_job.__file__)"
    execution = await tailrace.submit("python3", "-c", program, env={"PYTHONPATH": "/srv/mine"}, **PYTHON)
    await check_history(tailrace, execution)
    assert await tailrace.log_text(execution) == "True /tailrace/python/tailrace_job.py\n"


async def test_the_last_words_of_a_program_are_heard_however_much_it_said(tailrace: Running) -> None:
    program = """
        i=0; while [ $i -lt 20000 ]; do echo '{"progress": 50, "phase": "a phase of which there are many"}'; i=$((i+1))
        done >> /tailrace/events
        echo '{"warning": "careful"}' >> /tailrace/events; echo '{"result": [1, 2]}' >> /tailrace/events
    """
    execution = await tailrace.submit("sh", "-c", program)
    record = await check_history(tailrace, execution)
    assert (record["result"], record["warnings"]) == ([1, 2], ["careful"])


async def test_what_is_wrong_in_the_events_becomes_a_warning_that_does_not_repeat_it(tailrace: Running) -> None:
    program = """cd /tailrace
        echo 'my secret' >> events; echo '[1]' >> events; echo '{"progress": 400}' >> events
        head -c 500000 /dev/zero | tr '\\0' x >> events; echo >> events
        echo '{"result": "still heard"}' >> events
    """
    execution = await tailrace.submit("sh", "-c", program)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["result"]) == ("succeeded", "still heard")
    assert len(record["warnings"]) == 4
    assert record["warnings"][0] == "line 1 of events is not JSON"
    assert "secret" not in json.dumps(record["warnings"])


async def test_what_was_said_right_before_the_end_is_never_lost(tailrace: Running) -> None:
    program = """sleep 0.$0; echo "{\\"warning\\": \\"$0\\", \\"result\\": $0}" >> /tailrace/events"""
    numbers = range(100, 116)
    executions = [await tailrace.submit("sh", "-c", program, str(number)) for number in numbers]
    for number, execution in zip(numbers, executions, strict=True):
        record = await check_history(tailrace, execution)
        assert (record["result"], record["warnings"]) == (number, [str(number)])
