"""A log that is followed: its frames, until the execution ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tailrace.testing.execution import Execution, written
from tailrace.testing.listener import Close
from tailrace.testing.log import LogQuery, frames_of

if TYPE_CHECKING:
    from tailrace.testing.world import World

# How soon it is noticed that a reader has gone; nobody waits for that.
LOOKS_EVERY = 0.5


def follow(
    world: World, execution: Execution, query: LogQuery, has_gone: Callable[[], bool]
) -> Iterator[Mapping[str, Any] | Close]:
    """As docs/logs.md has them."""
    with world.changed:
        query.after = query.start(execution.lines)
    yield {
        "type": "hello",
        "protocol": 1,
        "execution": execution.id,
        "status": execution.status,
        "after": query.after,
    }
    seen, status, progress = 0, execution.status, execution.progress
    while True:
        with world.changed:
            while _is_same(execution, seen, status, progress) and not execution.ended:
                world.changed.wait(LOOKS_EVERY)
                if has_gone() or world.closed:
                    return
            gone = execution.id not in world.executions
            lines = execution.lines[seen:]
            seen += len(lines)
            status, before = execution.status, status
            progress, progress_before = execution.progress, progress
            frames = list(frames_of(query.chosen(lines)))
            ended = execution.ended
        yield from frames
        if progress is not None and progress is not progress_before:
            yield {"type": "progress", **progress}
        if status != before:
            yield _status(execution)
        if gone:
            yield Close(4404, f"There is no execution {execution.id}.")
            return
        if ended:
            yield _end(execution)
            yield Close(1000)
            return


def _is_same(execution: Execution, seen: int, status: str, progress: Any) -> bool:
    there = execution.id in execution.world.executions
    return there and len(execution.lines) == seen and execution.status == status and execution.progress is progress


def _status(execution: Execution) -> dict[str, Any]:
    same = ("status", "cause", "message", "attempt")
    return {"type": "status", **{name: getattr(execution, name) for name in same}, "at": written(execution.updated_at)}


def _end(execution: Execution) -> dict[str, Any]:
    log = execution.record()["log"]
    return {
        "type": "end",
        "status": execution.status,
        "cause": execution.cause,
        "exit_code": execution.exit_code,
        "lines": log["lines"],
        "bytes": log["bytes"],
        "after": execution.lines[-1].seq,
    }
