"""A setup before and a teardown after the main command: in real containers, with programs that help and that do not."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stack.engine import ensure_engine
from stack.images import build_image
from support.eventually import eventually
from support.history import check_history
from support.own import StartOwn
from support.programs import ANNOUNCE, until_it_says
from support.running import Json, Running
from support.witness import Witness

WITHIN = 90.0
BEGINNINGS = ["The setup begins.", "The main command begins.", "The teardown begins."]


def sh(text: str, **more: Any) -> Json:
    return {"command": ["sh", "-c", text], **more}


def until(file: str) -> str:
    """Shell: wait for a file of the container."""
    return f"while [ ! -e {file} ]; do sleep 0.1; done; "


async def told(tailrace: Running, execution: str) -> list[str]:
    """What the log tells of the stages, in order."""
    lines = (await tailrace.log_text(execution, streams="system")).splitlines()
    return [line for line in lines if line in BEGINNINGS]


async def reaches_phase(tailrace: Running, execution: str, phase: str) -> None:
    async def is_in_it() -> bool:
        return bool((await tailrace.execution(execution))["phase"] == phase)

    await eventually(is_in_it, within=WITHIN)


@pytest.mark.parametrize("image", ["busybox:local", pytest.param("python:local", marks=pytest.mark.slow)])
async def test_the_three_run_in_one_container_and_each_is_a_phase(tailrace: Running, image: str) -> None:
    stages = ("setup", "main", "teardown")
    # Each goes on until it has been seen.
    seen = {stage: until(f"/tailrace/outputs/{stage}") for stage in stages}
    execution = await tailrace.submit(
        *("sh", "-c", f"cat /tmp/made; {seen['main']}exit 3"),
        image=image,
        setup=sh(f"echo preparing; echo prepared > /tmp/made; {seen['setup']}"),
        teardown=sh(f"echo clearing up after $TAILRACE_EXIT_CODE; rm /tmp/made; {seen['teardown']}"),
    )
    for stage in stages:
        await reaches_phase(tailrace, execution, stage)
        (tailrace.data / "work" / execution / "1" / "outputs" / stage).touch()
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("failed", "exit_nonzero", 3)
    assert record["warnings"] == []
    assert await tailrace.log_text(execution) == "preparing\nprepared\nclearing up after 3\n"
    assert await told(tailrace, execution) == BEGINNINGS


FAILURES: dict[str, tuple[Json, tuple[str, int], str]] = {
    "fails": (
        sh("exit 4"),
        ("exit_nonzero", 4),
        "The setup failed, and the main command was not started: exit code 4.",
    ),
    "takes too long": (
        {"command": ["sleep", "600"], "timeout": 1},
        ("exit_nonzero", 143),
        "The setup took longer than its timeout of 1 s; the main command was not started.",
    ),
    "is not there": (
        {"command": ["no-such-program"]},
        ("command_not_found", 127),
        "The setup's command is not in the image: exec no-such-program failed: No such file or directory",
    ),
}


async def test_a_setup_that_fails_keeps_the_main_command_from_being_started(tailrace: Running) -> None:
    executions = [
        await tailrace.submit("sh", "-c", "echo main", setup=setup, teardown=sh("echo teardown"))
        for setup, *_ in FAILURES.values()
    ]
    for execution, (_, (cause, code), message) in zip(executions, FAILURES.values(), strict=True):
        record = await check_history(tailrace, execution)
        assert (record["status"], record["cause"], record["exit_code"]) == ("failed", cause, code)
        assert record["message"] == message
        assert await tailrace.log_text(execution) == "teardown\n"


async def test_a_teardown_that_fails_is_a_warning(tailrace: Running) -> None:
    record = await check_history(tailrace, await tailrace.submit("true", teardown=sh("exit 9")))
    assert (record["status"], record["exit_code"]) == ("succeeded", 0)
    assert record["warnings"] == [{"code": "teardown_failed", "message": "The teardown ended with exit code 9."}]


async def test_a_main_command_that_leaves_no_room_for_the_teardown_ended_as_it_did(tailrace: Running) -> None:
    program = """
import os, signal
while True:
    try:
        if os.fork() == 0:
            signal.pause()
    except OSError:
        os._exit(0)
"""
    execution = await tailrace.submit(
        "python3", "-c", program, image="python:local", teardown=sh("true"), limits={"pids": 16}
    )
    record = await check_history(tailrace, execution)
    assert (record["status"], record["exit_code"]) == ("succeeded", 0)
    assert [warning["code"] for warning in record["warnings"]] == ["teardown_failed"]


async def test_no_secret_gets_onto_the_record_by_way_of_the_stages(tailrace: Running) -> None:
    secret = "b7c1-not-a-real-one"
    lie = 'for stage in main teardown; do echo "$stage 127 missing $TOKEN" >> /tailrace/stages; done; kill -9 $PPID'
    execution = await tailrace.submit("true", teardown=sh(lie), secrets={"TOKEN": secret})
    record = await check_history(tailrace, execution)
    assert (record["cause"], record["exit_code"]) == ("command_not_found", 127)
    assert record["message"].endswith("exec *** failed: No such file or directory")
    assert "exec *** failed" in record["warnings"][0]["message"]
    assert secret not in str(record) + await tailrace.log_text(execution, streams="system")


async def test_a_stop_reaches_the_main_command_and_the_teardown_has_the_rest_of_the_grace(tailrace: Running) -> None:
    # A child of its own is not told, as without stages.
    program = """
        sh -c 'trap "echo child heard" TERM; while :; do sleep 0.1; done' &
        trap 'echo heard; exit 7' TERM; echo ready; while :; do sleep 0.1; done
    """
    execution = await tailrace.submit("sh", "-c", program, teardown=sh("sleep 0.5; echo done"), limits={"grace": 60})
    await until_it_says(tailrace, execution, "ready")
    await tailrace.cancel(execution)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("canceled", "canceled_by_user", 7)
    assert await tailrace.log_text(execution) == "ready\nheard\ndone\n"
    assert record["warnings"] == []


async def test_who_ignores_all_of_it_is_killed_in_time(tailrace: Running, witness: Witness) -> None:
    program = "trap '' TERM INT HUP; (trap '' TERM; while :; do sleep 1; done) & echo ready; while :; do sleep 1; done"
    execution = await tailrace.submit("sh", "-c", program, teardown=sh("echo teardown"), limits={"grace": 2})
    await until_it_says(tailrace, execution, "ready")
    await tailrace.cancel(execution)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["exit_code"]) == ("canceled", 137)
    why = "The teardown was not run: the container was stopped before."
    assert record["warnings"] == [{"code": "teardown_failed", "message": why}]
    await witness.nothing_left(execution)


async def test_a_stop_while_it_clears_up_changes_nothing_of_how_it_ended(tailrace: Running) -> None:
    teardown = sh("echo clearing; sleep 600")
    execution = await tailrace.submit("sh", "-c", "exit 5", teardown=teardown, limits={"grace": 1})
    await until_it_says(tailrace, execution, "clearing")
    await tailrace.cancel(execution)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("failed", "exit_nonzero", 5)
    assert record["warnings"][0]["message"] == "The teardown was not finished: the container was stopped before."


async def test_a_program_that_says_it_is_over_and_is_killed_is_no_success(tailrace: Running) -> None:
    lie = "echo main 0 free >> /tailrace/stages; "
    stubborn = f"trap '' TERM; {lie}sleep 1; {lie}while :; do sleep 1; done"
    hidden = f"(trap '' TERM; sleep 3; {lie}) & trap 'exit 0' TERM; while :; do sleep 0.1; done"
    programs = {
        stubborn: ("timed_out", "run_timeout", 137),
        hidden: ("timed_out", "run_timeout", 0),
        f"{lie}kill -9 $PPID": ("failed", "signaled", 137),
    }
    limits = {"timeout": 1, "grace": 6}
    teardown = sh("sleep 3")
    executions = [await tailrace.submit("sh", "-c", each, teardown=teardown, limits=limits) for each in programs]
    for execution, (status, cause, code) in zip(executions, programs.values(), strict=True):
        record = await check_history(tailrace, execution)
        assert (record["status"], record["cause"], record["exit_code"]) == (status, cause, code)


async def test_a_teardown_has_the_grace_for_itself(tailrace: Running) -> None:
    execution = await tailrace.submit("true", teardown=sh("sleep 2.5"), limits={"timeout": 1, "grace": 60})
    record = await check_history(tailrace, execution)
    assert (record["status"], record["warnings"]) == ("succeeded", [])
    assert "SIGTERM" not in await tailrace.log_text(execution, streams="system")


async def test_a_stop_during_the_setup_prevents_the_main_command(tailrace: Running) -> None:
    setup = sh("trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done")
    execution = await tailrace.submit("echo", "main", setup=setup, limits={"grace": 60})
    await until_it_says(tailrace, execution, "ready")
    await tailrace.cancel(execution)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["message"]) == ("canceled", "Canceled by admin during its setup.")
    assert await tailrace.log_text(execution) == "ready\n"


async def test_at_its_timeout_too_the_teardown_runs(tailrace: Running) -> None:
    limits = {"timeout": 1, "grace": 60}
    execution = await tailrace.submit("sleep", "600", teardown=sh("echo cleared"), limits=limits)
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"], record["exit_code"]) == ("timed_out", "run_timeout", 143)
    assert await tailrace.log_text(execution) == "cleared\n"


async def test_what_the_background_still_writes_is_kept_until_the_teardown_ends(
    tailrace: Running, witness: Witness
) -> None:
    program = f"({until('/over')}echo late; touch /said; sleep 600; echo never) & exec echo main"
    teardown = sh(f"touch /over; {until('/said')}echo teardown")
    execution = await tailrace.submit("sh", "-c", program, teardown=teardown)
    record = await check_history(tailrace, execution)
    assert record["status"] == "succeeded"
    assert (await tailrace.log_text(execution)).splitlines() == ["main", "late", "teardown"]
    await witness.nothing_left(execution)


async def test_every_attempt_is_set_up_anew_and_a_checkpoint_is_gone_on_from(tailrace: Running) -> None:
    program = f"""
        [ -f /tailrace/checkpoint/n ] && {{ echo resumed; exit 0; }}
        {ANNOUNCE} echo ready; {until("/tailrace/stop")}touch /tailrace/checkpoint/n; exit 85
    """
    stages = {"setup": sh("echo setup"), "teardown": sh("echo teardown")}
    execution = await tailrace.submit("sh", "-c", program, **stages, limits={"grace": 60})
    await until_it_says(tailrace, execution, "ready")
    handle = await tailrace.api.get(execution)

    async def can_be_asked() -> bool:
        return bool((await handle.refresh())["saves_checkpoints"])

    await eventually(can_be_asked, within=WITHIN)
    await handle.pause()
    await tailrace.reaches(execution, "paused")
    await handle.resume()
    record = await check_history(tailrace, execution)
    assert (record["status"], record["attempt"]) == ("succeeded", 2)
    lines = (await tailrace.log_text(execution)).splitlines()
    assert lines == ["setup", "ready", "teardown", "setup", "resumed", "teardown"]
    assert await told(tailrace, execution) == BEGINNINGS * 2


async def test_frozen_and_thawed_it_is_in_the_same_stage(tailrace: Running) -> None:
    setup = sh(f"echo ready; {until('/tailrace/deadline.never')}", timeout=600)
    execution = await tailrace.submit("echo", "main", setup=setup, limits={"grace": 2})
    await until_it_says(tailrace, execution, "ready")
    await reaches_phase(tailrace, execution, "setup")
    handle = await tailrace.api.get(execution)
    await handle.pause("freeze")
    await tailrace.reaches(execution, "paused")
    await handle.resume()
    await reaches_phase(tailrace, execution, "setup")
    await tailrace.cancel(execution)
    assert (await check_history(tailrace, execution))["status"] == "canceled"


async def test_whoever_takes_over_goes_on_with_the_stages(own: StartOwn) -> None:
    installation = await own(slots=2)
    program = f"echo ready; {until('/tailrace/stop')}exit 7"
    stages = {"setup": sh("echo setup"), "teardown": sh("echo teardown; exit 2")}
    execution = await installation.submit("sh", "-c", program, **stages, limits={"grace": 60, "notice": 59})
    await until_it_says(installation, execution, "ready")
    await installation.stop("worker", signal.SIGKILL)
    await installation.cancel(execution)
    await installation.start("worker", "worker")
    record = await check_history(installation, execution)
    assert (record["status"], record["exit_code"], record["attempt"]) == ("canceled", 7, 1)
    assert record["warnings"] == [{"code": "teardown_failed", "message": "The teardown ended with exit code 2."}]
    assert await told(installation, execution) == BEGINNINGS
    assert await installation.log_text(execution) == "setup\nready\nteardown\n"


@pytest.fixture(scope="module")
async def built(images: None) -> AsyncIterator[dict[str, str]]:
    """An image with an entrypoint, and one with nothing to run and no shell."""
    files = {
        "entrypoint": b'FROM busybox:local\nENTRYPOINT ["echo", "from the entrypoint:"]\nCMD ["the", "command"]\n',
        "bare": b"FROM scratch\nCOPY Dockerfile /Dockerfile\n",
    }
    tags = {name: f"tailrace-tests-stages-{name}:local" for name in files}
    engine = await asyncio.to_thread(ensure_engine)
    with engine.client() as client:
        for name, dockerfile in files.items():
            await asyncio.to_thread(build_image, client, tags[name], {"Dockerfile": dockerfile})
        yield tags
        for tag in tags.values():
            client.delete(f"/images/{tag}")


async def test_the_images_own_entrypoint_is_kept(tailrace: Running, built: dict[str, str]) -> None:
    asked: dict[str, Json] = {
        "from the entrypoint: the command\n": {},
        "from the entrypoint: a  b\n": {"command": ["a  b"]},
        "own a\n": {"command": ["a"], "entrypoint": ["echo", "own"]},
        "own\n": {"entrypoint": ["echo", "own"]},
    }
    for wanted, fields in asked.items():
        execution = await tailrace.submit(image=built["entrypoint"], setup={"command": ["true"]}, **fields)
        assert (await check_history(tailrace, execution))["status"] == "succeeded"
        assert await tailrace.log_text(execution) == wanted


async def test_an_image_without_a_shell_says_so(tailrace: Running, built: dict[str, str]) -> None:
    execution = await tailrace.submit("/Dockerfile", image=built["bare"], teardown={"command": ["/Dockerfile"]})
    record = await check_history(tailrace, execution)
    assert (record["status"], record["cause"]) == ("failed", "command_not_found")
    assert record["message"].startswith("The shell `/bin/sh`, which `setup` and `teardown` need, is not in the image: ")
    assert "`/bin/sh` in the image" in record["hint"]
    nothing = await check_history(tailrace, await tailrace.submit(image=built["bare"], setup={"command": ["true"]}))
    assert (nothing["status"], nothing["cause"]) == ("failed", "spec_rejected")
    assert nothing["message"] == "There is nothing to run: no command was given, and the image has none."
