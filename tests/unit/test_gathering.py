import asyncio
from collections.abc import Sequence

import pytest
from structlog.contextvars import bound_contextvars, get_contextvars

from app.gathering import LARGE, MOST, MOST_BYTES, Gathering
from support.eventually import eventually


class Shop:
    """Doubles numbers, several at once, and takes as long as a test wants."""

    def __init__(self, *, refused: int | None = None) -> None:
        self.groups: list[list[int]] = []
        self.may_end = asyncio.Event()
        self.refused = refused

    async def serve(self, numbers: list[int]) -> Sequence[int]:
        self.groups.append(numbers)
        await self.may_end.wait()
        if self.refused in numbers:
            raise ValueError(self.refused)
        return [2 * number for number in numbers]


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def coming(gathering: Gathering, shop: Shop, *numbers: int, kind: str = "any") -> list[asyncio.Task[int]]:
    """Those who have come by now, and are served if their turn is now."""
    tasks = [asyncio.create_task(gathering.add(kind, number, shop.serve)) for number in numbers]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_who_come_together_are_served_together(shop: Shop) -> None:
    shop.may_end.set()
    assert await asyncio.gather(*await coming(Gathering(), shop, *range(50))) == [2 * number for number in range(50)]
    assert shop.groups == [[*range(50)]]


async def test_who_comes_alone_does_not_wait_and_who_comes_later_is_of_the_next_group(shop: Shop) -> None:
    gathering = Gathering()
    first = await coming(gathering, shop, 1)
    assert shop.groups == [[1]]
    later = [*await coming(gathering, shop, 2), *await coming(gathering, shop, 3, 2)]
    assert shop.groups == [[1]], "the second group began before the first was served"
    shop.may_end.set()
    assert await asyncio.gather(*first, *later) == [2, 4, 6, 4]
    assert shop.groups == [[1], [2, 3, 2]]


async def test_with_patience_who_comes_a_little_later_is_of_the_same_group(shop: Shop) -> None:
    gathering = Gathering()
    shop.may_end.set()
    first = asyncio.create_task(gathering.add("any", 1, shop.serve, patience=0.05))
    later = await coming(gathering, shop, 2)
    assert await asyncio.gather(first, *later) == [2, 4]
    assert shop.groups == [[1, 2]]


async def test_who_is_served_for_too_long_does_not_hold_up_the_others(shop: Shop) -> None:
    gathering = Gathering()
    stuck, next_ = *await coming(gathering, shop, 1), *await coming(gathering, shop, 2)
    await eventually(lambda: shop.groups == [[1], [2]])
    assert not stuck.done()
    shop.may_end.set()
    assert await asyncio.gather(stuck, next_) == [2, 4]


async def test_a_group_is_bounded(shop: Shop) -> None:
    shop.may_end.set()
    await asyncio.gather(*await coming(Gathering(), shop, *range(2 * MOST + 1)))
    assert [len(group) for group in shop.groups] == [MOST, MOST, 1]


async def test_a_group_is_bounded_by_bytes_and_who_has_little_does_not_wait_for_much(shop: Shop) -> None:
    gathering, half = Gathering(), MOST_BYTES // 8
    large = [asyncio.create_task(gathering.add("any", number, shop.serve, size=half)) for number in range(1, 21)]
    huge = asyncio.create_task(gathering.add("any", 21, shop.serve, size=2 * MOST_BYTES))
    await eventually(lambda: shop.groups[:1] == [[*range(1, 9)]])
    small = asyncio.create_task(gathering.add("any", 100, shop.serve, size=LARGE))
    await eventually(lambda: [100] in shop.groups)
    shop.may_end.set()
    assert await asyncio.gather(*large, huge, small) == [2 * number for number in (*range(1, 22), 100)]
    assert [group for group in shop.groups if group != [100]] == [
        [*range(1, 9)],
        [*range(9, 17)],
        [*range(17, 21)],
        [21],
    ]


async def test_what_is_done_for_several_is_of_nobodys_request() -> None:
    async def serve(numbers: list[int]) -> Sequence[int]:
        served_for.append(get_contextvars())
        return numbers

    async def ask(number: int) -> int:
        with bound_contextvars(request_id=str(number)):
            return await gathering.add("any", number, serve)

    served_for: list[dict[str, object]] = []
    gathering = Gathering()
    assert await asyncio.gather(*(ask(number) for number in range(3))) == [0, 1, 2]
    assert served_for == [{}]


async def test_other_kinds_do_not_wait(shop: Shop) -> None:
    gathering, quick = Gathering(), Shop()
    waiting = await coming(gathering, shop, 1)
    quick.may_end.set()
    assert await asyncio.gather(*await coming(gathering, quick, 2, kind="another")) == [4]
    assert not waiting[0].done()
    shop.may_end.set()
    await asyncio.gather(*waiting)


async def test_nobody_suffers_from_what_is_wrong_with_another() -> None:
    shop = Shop(refused=2)
    shop.may_end.set()
    first, second, third = await asyncio.gather(*await coming(Gathering(), shop, 1, 2, 3), return_exceptions=True)
    assert (first, third) == (2, 6)
    assert isinstance(second, ValueError)


async def test_an_outage_is_everybodys_and_nothing_is_tried_again() -> None:
    asked: list[list[int]] = []

    async def serve(numbers: list[int]) -> Sequence[int]:
        asked.append(numbers)
        raise ConnectionError("away")

    gathering = Gathering()
    tasks = [asyncio.create_task(gathering.add("any", number, serve)) for number in range(3)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionError] * 3
    assert asked == [[0, 1, 2]]


async def test_nobody_waits_for_an_answer_that_is_left_out() -> None:
    async def serve(numbers: list[int]) -> Sequence[int]:
        return numbers[1:]

    gathering = Gathering()
    tasks = [asyncio.create_task(gathering.add("any", number, serve)) for number in range(3)]
    done, waiting = await asyncio.wait(tasks, timeout=20)
    assert not waiting
    assert {type(task.exception()) for task in done} == {ValueError}


async def test_whoever_goes_away_takes_nothing_from_the_others(shop: Shop) -> None:
    gathering = Gathering()
    first, second = await coming(gathering, shop, 1, 2)
    third, fourth = await coming(gathering, shop, 3, 4)
    for gone in (first, third):
        gone.cancel()
    shop.may_end.set()
    outcomes = await asyncio.gather(first, second, third, fourth, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, int, asyncio.CancelledError, int]


async def test_nothing_is_kept_of_who_was_served(shop: Shop) -> None:
    gathering = Gathering()
    shop.may_end.set()
    for number in range(100):
        await asyncio.gather(*await coming(gathering, shop, 1, 2, kind=str(number)))
    await eventually(lambda: not gathering._tasks)
    assert not gathering._waiting
