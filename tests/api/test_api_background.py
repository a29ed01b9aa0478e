"""Work beside answers."""

import asyncio

import structlog

from app.background import Background


async def test_work_beside_an_answer_may_fail_without_a_word_to_the_client() -> None:
    background = Background()

    async def fail() -> None:
        raise RuntimeError("nobody hears this")

    with structlog.testing.capture_logs() as lines:
        background.start(fail(), what="test")
        await background.finish(1)
    assert [(line["event"], line["what"]) for line in lines] == [("background.failed", "test")]


async def test_who_asks_while_it_runs_is_served_by_one_more_run() -> None:
    background = Background()
    runs = 0
    may_end = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        await may_end.wait()

    for _ in range(5):
        background.start_once(work, what="test")
    await asyncio.sleep(0)
    assert runs == 1
    for _ in range(5):
        background.start_once(work, what="test")
    may_end.set()
    await background.finish(1)
    assert runs == 2
    background.start_once(work, what="test")
    await background.finish(1)
    assert runs == 3


async def test_a_failure_does_not_keep_it_from_running_again() -> None:
    background = Background()
    runs = 0

    async def fail() -> None:
        nonlocal runs
        runs += 1
        raise RuntimeError("nobody hears this")

    with structlog.testing.capture_logs():
        for _ in range(2):
            background.start_once(fail, what="test")
            await background.finish(1)
    assert runs == 2


async def test_what_does_not_end_is_canceled_at_the_end() -> None:
    background = Background()
    background.start(asyncio.Event().wait(), what="test")  # type: ignore[arg-type]
    await background.finish(0.01)
    assert not background._tasks
