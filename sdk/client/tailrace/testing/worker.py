"""What a worker does with an execution: its program runs in one thread, and another watches it."""

from __future__ import annotations

import re
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace.testing.execution import IMAGE_ID, SYSTEM, Execution, written
from tailrace.testing.program import KILLED, Exit, Program
from tailrace.testing.states import CAUSES

if TYPE_CHECKING:
    from tailrace.testing.world import World

SAVED, ON_PURPOSE = 85, 86
WORKER = "00000000-0000-7000-8000-00000000face"
NAME = f"worker tailrace.testing/{WORKER[-4:]}"
_OWN_EXITS = frozenset({"exit_nonzero", "signaled", "oom_killed"})


class Outcome(NamedTuple):
    """How an attempt ended."""

    cause: str
    message: str
    saved: bool = False


def work(world: World, execution: Execution) -> None:
    """One attempt that has been started, to its end."""
    with world.changed:
        program = Program(execution, world.behaviour(execution))
    Thread(target=program.run, name=f"tailrace program {execution.id}", daemon=True).start()
    with world.changed:
        ended = _watch(world, execution, program)
        execution.outputs = program.outputs
        _finish(world, execution, ended)


def start(execution: Execution) -> None:
    """It is claimed, prepared and started in one moment: nothing is ever pulled here. The lock is held."""
    execution.attempt += 1
    execution.move("preparing", actor=NAME)
    execution.tell(f"Attempt {execution.attempt} is prepared by {NAME}.")
    execution.attempts.append(_attempt(execution))
    execution.started_at = execution.now()
    execution.attempts[-1]["started_at"] = written(execution.started_at)
    execution.move("running", actor=NAME)
    execution.tell(f"Started from {execution.spec['image']} ({IMAGE_ID[:19]}).")


def _attempt(execution: Execution) -> dict[str, Any]:
    before = execution.attempts[-1]["log"]["last"] if execution.attempts else 0
    return {
        "number": execution.attempt,
        "worker_id": WORKER,
        "engine_id": "tailrace.testing",
        "container_name": f"tailrace-{execution.id}-{execution.attempt}-1",
        "container_id": None,
        "claimed_at": written(execution.now()),
        "started_at": None,
        "stop_written_at": None,
        "signaled_at": None,
        "killed_at": None,
        "exited_at": None,
        "finished_at": None,
        "exit_code": None,
        "oom_killed": None,
        "cause": None,
        "message": None,
        "may_have_run": None,
        "log": {"after": before, "last": None},
        "checkpoint_files": 0,
        "checkpoint_bytes": 0,
    }


def _watch(world: World, execution: Execution, program: Program) -> Exit:
    """Do what is asked of it, until it has ended, or has to be killed."""
    while True:
        _obey_pause(execution)
        # It may stand still, and then nothing of it ends.
        if program.exit is not None and execution.status != "paused":
            return program.exit
        wait = execution.look_at_clocks()
        if execution.forced or world.closed:
            program.kill()
            return Exit(KILLED)
        world.changed.wait(wait)


def _obey_pause(execution: Execution) -> None:
    pause = execution.pause
    if pause is None or pause["mode"] != "freeze":
        return
    if execution.status == "running" and pause["resume_by"] is None:
        pause["paused_at"] = written(execution.now())
        execution.move("paused", message=f"{pause['by']} asked to pause.")
        execution.tell(f"Paused: {pause['by']} asked to pause.")
    elif execution.status == "paused" and pause["resume_by"] is not None:
        execution.pause = None
        execution.move("running", message=f"{pause['resume_by']} asked to resume.")
        execution.tell(f"Resumed: {pause['resume_by']} asked to resume.")


def _finish(world: World, execution: Execution, ended: Exit) -> None:
    outcome = _read(execution, ended)
    execution.exit_code = ended.code
    execution.oom_killed = ended.oom_killed
    if execution.outputs:
        count = len(execution.outputs)
        execution.tell(f"Collected {count} {'output' if count == 1 else 'outputs'}.")
    execution.tell(f"Ended: {outcome.message}" if outcome.saved else f"Ended, {outcome.cause}: {outcome.message}")
    _close_attempt(execution, ended, outcome)
    if outcome.saved and execution.pause is not None:
        execution.pause["paused_at"] = written(execution.now())
        execution.move("paused", message=outcome.message)
    elif _is_tried_again(execution, outcome, ended.code):
        execution.move("queued", message=outcome.message)
        execution.stop, execution.forced, execution.pause = None, False, None
        execution.queued_at = execution.now()
        execution.tell(f"Queued again after {outcome.cause}, for attempt {execution.attempt + 1}.")
        world.queue.append(execution)
    else:
        execution.pause = None
        execution.move(CAUSES[outcome.cause][0], cause=outcome.cause, message=outcome.message)
        world.settle(execution)


def _close_attempt(execution: Execution, ended: Exit, outcome: Outcome) -> None:
    at = written(execution.now())
    attempt = execution.attempts[-1]
    attempt |= {
        "exited_at": at,
        "finished_at": at,
        "exit_code": ended.code,
        "oom_killed": ended.oom_killed,
        "cause": outcome.cause,
        "message": outcome.message,
        "may_have_run": True,
        "checkpoint_files": len(execution.checkpoint),
        "checkpoint_bytes": sum(map(len, execution.checkpoint.values())),
    }
    attempt["log"]["last"] = execution.lines[-1].seq


def _read(execution: Execution, ended: Exit) -> Outcome:
    """The cause: by who had asked it to stop, else by how it ended itself."""
    stop, well = execution.stop, _means(execution, ended, "success", 0)
    signaled = execution.forced or not execution.announced
    if stop is not None and well and not signaled and not _missing(execution):
        return Outcome("ok", "Finished by itself after it was asked to stop.")
    saved = _means(execution, ended, "checkpoint", SAVED if execution.announced else None)
    so_far = "; it saved a checkpoint first" if saved else ""
    if stop is not None and stop["reason"] == "timeout":
        return Outcome(
            "run_timeout", f"Ran longer than its timeout of {execution.spec['limits']['timeout']} s{so_far}."
        )
    if stop is not None:
        by = stop["by"]
        cause = "canceled_by_system" if by == SYSTEM else "canceled_by_user"
        return Outcome(cause, f"Canceled by {by}{so_far}.")
    if saved and execution.pause is not None and execution.pause["mode"] == "checkpoint":
        return Outcome("exit_nonzero", f"It saved a checkpoint and stopped (exit code {ended.code}).", saved=True)
    return _own_exit(execution, ended, well=well)


def _own_exit(execution: Execution, ended: Exit, *, well: bool) -> Outcome:
    code = ended.code
    if ended.cause is not None:
        return Outcome(ended.cause, ended.message or f"As the test has it: {ended.cause}.")
    if well and (missing := _missing(execution)):
        named = ", ".join(f"`{path}`" for path in missing)
        return Outcome("output_missing", f"Ended well, but left nothing for {named}, which it has to.")
    if well:
        said = ", which its `exit_codes` call a success" if code else ""
        return Outcome("ok", f"Finished with exit code {code}{said}.")
    if _means(execution, ended, "canceled", ON_PURPOSE if execution.announced else None):
        return Outcome("self_canceled", f"The program canceled itself (exit code {code}).")
    return _failure(execution, ended)


def _failure(execution: Execution, ended: Exit) -> Outcome:
    code = ended.code or 0
    if ended.oom_killed:
        return Outcome("oom_killed", f"Ran out of memory (limit {execution.spec['limits']['memory']} bytes).")
    if 129 <= code <= 192:
        return Outcome("signaled", f"Ended by signal {code - 128}.")
    return Outcome("exit_nonzero", f"Ended with exit code {code}.")


def _means(execution: Execution, ended: Exit, meaning: str, unless_said: int | None) -> bool:
    """What its submission says of the code, or else what such codes are."""
    if ended.code is None or ended.oom_killed:
        return False
    said = execution.spec["exit_codes"].get(str(ended.code))
    return said == meaning if said is not None else ended.code == unless_said


def _missing(execution: Execution) -> list[str]:
    """Declared outputs that it had to leave, and did not."""
    return [
        each["path"]
        for each in execution.spec["outputs"]
        if each["required"] and not any(fills(path, each["path"]) for path in execution.outputs)
    ]


def fills(path: str, pattern: str) -> bool:
    """Whether a file is meant by a declared output."""
    parts = re.split(r"(\*\*/?|\*|\?)", pattern)
    kinds = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.fullmatch("".join(kinds.get(part) or re.escape(part) for part in parts), path) is not None


def _is_tried_again(execution: Execution, outcome: Outcome, code: int | None) -> bool:
    spec, cause = execution.spec, outcome.cause
    if execution.attempt >= spec["max_attempts"] or execution.delete_requested_at is not None:
        return False
    meaning = spec["exit_codes"].get(str(code))
    if meaning == "fail" or CAUSES[cause][0] in {"succeeded", "canceled"}:
        return False
    return (
        cause in spec["retry_on"]
        or (cause in _OWN_EXITS and (code in spec["retry_on"] or meaning == "retry"))
        or (spec["on_timeout"] == "retry" and cause in {"run_timeout", "idle_timeout"})
        or (spec["on_interrupted"] == "retry" and cause in {"interrupted", "host_lost"})
    )
