import asyncio

import pytest

from worker.concurrency import beside, result_of, to_the_end


async def forever(ended: list[str], name: str = "helper") -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(name)


async def give(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def fail(error: Exception) -> None:
    await asyncio.sleep(0)
    raise error


async def test_helpers_end_with_the_main_one() -> None:
    ended: list[str] = []
    assert await beside(give(7), forever(ended), forever(ended)) == 7
    assert ended == ["helper", "helper"]


async def test_a_helper_that_is_done_ends_nothing() -> None:
    async def slow() -> int:
        for _ in range(5):
            await asyncio.sleep(0)
        return 7

    assert await beside(slow(), give(1), give(2)) == 7


async def test_a_helper_that_fails_ends_the_main_one_with_its_error() -> None:
    ended: list[str] = []
    with pytest.raises(LookupError):
        await beside(forever(ended, "main"), fail(LookupError()), forever(ended))
    assert sorted(ended) == ["helper", "main"]


async def test_the_main_ones_error_is_raised_and_the_helpers_end() -> None:
    ended: list[str] = []
    with pytest.raises(LookupError):
        await beside(fail(LookupError()), forever(ended))
    assert ended == ["helper"]


async def test_a_cancellation_ends_all_of_them() -> None:
    ended: list[str] = []
    task = asyncio.create_task(beside(forever(ended, "main"), forever(ended)))
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == ["helper", "main"]


async def test_whoever_waits_for_a_result_may_go_without_harm_to_the_task() -> None:
    released = asyncio.Event()

    async def work() -> int:
        await released.wait()
        return 7

    task = asyncio.ensure_future(work())
    waiting = asyncio.create_task(result_of(task))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    released.set()
    assert await result_of(task) == 7


async def test_work_is_seen_to_its_end_when_it_is_cancelled() -> None:
    done: list[str] = []
    released = asyncio.Event()

    async def work() -> None:
        await released.wait()
        done.append("work")

    task = asyncio.create_task(to_the_end(work(), within=30))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["work"]


async def test_work_that_takes_too_long_is_given_up() -> None:
    ended: list[str] = []
    task = asyncio.create_task(to_the_end(forever(ended, "work"), within=0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(3):
        await asyncio.sleep(0)
    assert ended == ["work"]


async def test_work_that_is_not_cancelled_gives_its_result_or_its_error() -> None:
    assert await to_the_end(give(7), within=0) == 7
    with pytest.raises(LookupError):
        await to_the_end(fail(LookupError()), within=0)
