import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.sharing import Sharing
from support.eventually import eventually


class World:
    """Something that changes, and takes as long to look at as a test wants."""

    def __init__(self) -> None:
        self.state = 0
        self.looks = 0
        self.may_end = asyncio.Event()

    async def look(self) -> int:
        self.looks += 1
        seen = self.state
        await self.may_end.wait()
        return seen


async def begun(world: World, looks: int) -> None:
    await eventually(lambda: world.looks >= looks)


async def asking(
    sharing: Sharing, count: int, answer: Callable[[], Awaitable[int]], question: str = "how is it?"
) -> list[asyncio.Task[int]]:
    """So many who have asked by now."""
    tasks = [asyncio.create_task(sharing.ask(question, answer)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_all_who_ask_at_once_share_one_look() -> None:
    sharing, world = Sharing(), World()
    world.may_end.set()
    assert await asyncio.gather(*await asking(sharing, 1000, world.look)) == [0] * 1000
    assert world.looks == 1


async def test_nobody_is_told_of_a_state_older_than_their_question() -> None:
    sharing, world = Sharing(), World()
    first = await asking(sharing, 2, world.look)
    await begun(world, 1)
    world.state = 1
    late = await asking(sharing, 2, world.look)
    world.state = 2
    later = await asking(sharing, 2, world.look)
    assert world.looks == 1, "the second look began before the first had ended"
    world.may_end.set()
    assert await asyncio.gather(*first) == [0, 0]
    assert await asyncio.gather(*late, *later) == [2] * 4
    assert world.looks == 2


async def test_other_questions_do_not_wait() -> None:
    sharing, slow, quick = Sharing(), World(), World()
    waiting = await asking(sharing, 1, slow.look)
    quick.may_end.set()
    assert await asyncio.gather(*await asking(sharing, 1, quick.look, "and that?")) == [0]
    assert not waiting[0].done()
    slow.may_end.set()
    await asyncio.gather(*waiting)


async def test_whoever_goes_away_takes_nothing_from_the_others() -> None:
    sharing, world = Sharing(), World()
    first, second = await asking(sharing, 2, world.look)
    await begun(world, 1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    world.may_end.set()
    assert await second == 0


async def test_a_failure_is_everybodys_and_the_next_look_is_a_new_one() -> None:
    sharing = Sharing()
    failing = True

    async def look() -> int:
        if failing:
            raise ConnectionError("away")
        return 1

    outcomes = await asyncio.gather(*await asking(sharing, 3, look), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionError] * 3
    failing = False
    assert await asyncio.gather(*await asking(sharing, 3, look)) == [1] * 3


async def test_nothing_is_kept_of_what_was_asked() -> None:
    sharing, world = Sharing(), World()
    world.may_end.set()
    for number in range(100):
        await asyncio.gather(*await asking(sharing, 2, world.look, str(number)))
    assert not sharing._next
    assert not sharing._current
