import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.bootstrap import Process
from app.listener import BACKLOG_BYTES, Heard, Listener, Missed, Subscription
from stack.redis import EmbeddedRedis
from support.eventually import eventually


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        yield redis


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedRedis]:
    """A server of the test's own, to be broken."""
    async with EmbeddedRedis(tmp_path / "redis", tmp_path / "run") as server:
        yield server


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Listener]:
    """A listener that has just begun to connect."""
    async with Redis.from_url(url, socket_connect_timeout=2) as redis:
        listener = Listener(redis, f"keepalive-{uuid4().hex}")
        listener.start()
        try:
            yield listener
        finally:
            await listener.stop()


def a_channel() -> str:
    return f"channel-{uuid4().hex}"


async def until_heard(messages: Subscription, wanted: bytes) -> None:
    """Skips what may have been lost, and what came before."""
    while True:
        try:
            if await messages.get(10.0) == wanted:
                return
        except Missed:
            continue


async def until_missed(messages: Subscription) -> None:
    """Until it is told that something was lost."""
    try:
        while await messages.get(10.0) is not None:
            pass
    except Missed:
        return
    raise AssertionError("nothing was missed")


async def test_whoever_has_entered_hears_everything_from_then_on(process: Process, redis: Redis) -> None:
    await eventually(lambda: process.listener.connected)
    for number in range(50):
        channel = a_channel()
        async with process.listener.subscribe(channel) as messages:
            await redis.publish(channel, b"%d" % number)
            assert await messages.get(10.0) == b"%d" % number


async def test_messages_come_whole_and_in_order(process: Process, redis: Redis) -> None:
    channel = a_channel()
    sent = [bytes([number]) * (number * 100) for number in range(200)]
    async with process.listener.subscribe(channel) as messages:
        for message in sent:
            await redis.publish(channel, message)
        assert [await messages.get(10.0) for _ in sent] == sent
        assert await messages.get(0.01) is None


async def test_a_channel_is_left_when_its_last_subscriber_leaves(process: Process, redis: Redis) -> None:
    channel = a_channel()
    async with process.listener.subscribe(channel) as first:
        async with process.listener.subscribe(channel) as second:
            assert await redis.publish(channel, b"both") == 1
            assert await first.get(10.0) == await second.get(10.0) == b"both"
        await redis.publish(channel, b"one")
        assert await first.get(10.0) == b"one"

    async def nobody_listens() -> bool:
        return bool(await redis.publish(channel, b"none") == 0)

    await eventually(nobody_listens)


async def test_a_channel_that_is_left_and_joined_again_is_heard(process: Process, redis: Redis) -> None:
    channel = a_channel()
    for number in range(100):
        async with process.listener.subscribe(channel) as messages:
            await redis.publish(channel, b"%d" % number)
            assert await messages.get(10.0) == b"%d" % number


async def test_many_come_and_go_and_everybody_hears(process: Process, redis: Redis) -> None:
    channels = [a_channel() for _ in range(5)]

    async def visit(number: int) -> None:
        channel = channels[number % 5]
        for _ in range(10):
            async with process.listener.subscribe(channel) as messages:
                wanted = uuid4().bytes
                await redis.publish(channel, wanted)
                while await messages.get(10.0) != wanted:
                    pass

    await asyncio.gather(*(visit(number) for number in range(25)))


@pytest.mark.parametrize("steps", range(0, 60, 3))
async def test_whoever_comes_while_the_connection_is_made_is_heard_too(
    redis_url: str, redis: Redis, steps: int
) -> None:
    """At whatever moment between the start and the first answer: a channel must not be forgotten."""
    channel = a_channel()
    async with listening(redis_url) as listener:
        for _ in range(steps):
            await asyncio.sleep(0)
        async with listener.subscribe(channel) as messages:
            await eventually(lambda: listener.connected)

            async def is_subscribed() -> bool:
                return bool(await redis.publish(channel, b"hello") == 1)

            await eventually(is_subscribed)
            await until_heard(messages, b"hello")


async def test_a_visitor_who_is_cancelled_at_the_door_leaves_no_trace(process: Process, redis: Redis) -> None:
    channel = a_channel()
    for steps in range(8):

        async def visit() -> None:
            async with process.listener.subscribe(channel):
                await asyncio.Event().wait()

        visitor = asyncio.create_task(visit())
        for _ in range(steps):
            await asyncio.sleep(0)
        visitor.cancel()
        await asyncio.gather(visitor, return_exceptions=True)
        async with process.listener.subscribe(channel) as messages:
            await redis.publish(channel, b"%d" % steps)
            assert await messages.get(10.0) == b"%d" % steps
    assert channel not in process.listener._channels


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
async def test_whoever_stays_hears_on_when_the_first_one_is_cancelled_at_the_door(
    process: Process, redis: Redis, steps: int
) -> None:
    channel = a_channel()

    async def visit() -> None:
        async with process.listener.subscribe(channel):
            await asyncio.Event().wait()

    first = asyncio.create_task(visit())
    await asyncio.sleep(0)
    async with process.listener.subscribe(channel) as messages:
        for _ in range(steps):
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await redis.publish(channel, b"still here")
        assert await messages.get(10.0) == b"still here"


async def test_a_connection_that_was_cut_is_told_and_made_again(server: EmbeddedRedis) -> None:
    channels = [a_channel() for _ in range(3)]
    async with (
        Redis.from_url(server.url) as redis,
        listening(server.url) as listener,
        listener.subscribe(channels[0]) as first,
        listener.subscribe(channels[1]) as second,
    ):
        for _ in range(5):
            await eventually(lambda: listener.connected)
            for messages, channel in ((first, channels[0]), (second, channels[1])):
                await heard_through(redis, messages, channel)
            assert await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub") == 1
            for messages in (first, second):
                await until_missed(messages)
            async with listener.subscribe(channels[2]) as late:
                await heard_through(redis, late, channels[2])


async def heard_through(redis: Redis, messages: Subscription, channel: str) -> None:
    """Whatever was lost: what is sent now arrives in the end."""
    wanted = uuid4().bytes

    async def is_subscribed() -> bool:
        return bool(await redis.publish(channel, wanted))

    await eventually(is_subscribed)
    await until_heard(messages, wanted)


async def test_redis_may_be_away_at_the_start_and_in_the_middle(server: EmbeddedRedis) -> None:
    channel = a_channel()
    url = server.url
    await server.stop()
    async with listening(url) as listener, listener.subscribe(channel) as messages:
        assert not listener.connected
        for _ in range(2):
            await server.start()
            await eventually(lambda: listener.connected)
            async with Redis.from_url(url) as redis:
                await heard_through(redis, messages, channel)
            await server.kill()
            await until_missed(messages)
            assert not listener.connected
        await server.start()


async def test_a_subscriber_that_is_too_slow_is_told_so_and_hears_the_newest(process: Process, redis: Redis) -> None:
    channel = a_channel()
    piece = b"x" * 2**20
    async with process.listener.subscribe(channel) as slow, process.listener.subscribe(channel) as quick:
        for number in range(BACKLOG_BYTES // len(piece) + 2):
            await redis.publish(channel, b"%d" % number + piece)
            assert await quick.get(10.0) == b"%d" % number + piece
        with pytest.raises(Missed):
            await slow.get(10.0)
        await redis.publish(channel, b"newest")
        await until_heard(slow, b"newest")


async def test_a_listener_that_was_stopped_is_silent(redis_url: str, redis: Redis) -> None:
    channel = a_channel()
    async with listening(redis_url) as listener:
        await eventually(lambda: listener.connected)
        async with listener.subscribe(channel) as messages:
            await listener.stop()
            assert not listener.connected
            await redis.publish(channel, b"unheard")
            assert await messages.get(0.05) is None


async def test_a_backlog_is_read_in_order_and_then_empty() -> None:
    subscription = Subscription()
    for number in range(3):
        subscription.put(Heard(b"%d" % number))
    assert [await subscription.get(0) for _ in range(4)] == [b"0", b"1", b"2", None]


async def test_what_was_missed_is_told_once_and_what_came_after_it_is_kept() -> None:
    subscription = Subscription()
    subscription.put(Heard(b"before"))
    subscription.miss()
    subscription.put(Heard(b"after"))
    with pytest.raises(Missed):
        await subscription.get(0)
    assert await subscription.get(0) == b"after"
    assert await subscription.get(0) is None


async def test_a_message_that_alone_is_too_much_is_missed() -> None:
    subscription = Subscription()
    subscription.put(Heard(b"x" * (BACKLOG_BYTES + 1)))
    with pytest.raises(Missed):
        await subscription.get(0)
    subscription.put(Heard(b"x" * BACKLOG_BYTES))
    assert len(await subscription.get(0) or b"") == BACKLOG_BYTES


async def test_a_reader_that_waits_is_woken() -> None:
    subscription = Subscription()
    reading = asyncio.create_task(subscription.get(10.0))
    await asyncio.sleep(0)
    subscription.put(Heard(b"now"))
    assert await reading == b"now"


async def test_each_wait_has_its_own_time_however_long_the_one_before_was() -> None:
    """One timer serves them all: neither may a wait end with the time of an earlier one, nor wait for it."""
    subscription = Subscription()
    now = asyncio.get_running_loop().time
    subscription.put(Heard(b"at once"))
    assert await subscription.get(0.05) == b"at once"
    putting = asyncio.create_task(subscription.get(0.1))
    await asyncio.sleep(0)
    subscription.put(Heard(b"soon"))
    assert await putting == b"soon"
    began = now()
    assert await subscription.get(0.5) is None
    assert now() - began >= 0.49
    waiting = asyncio.create_task(subscription.get(600.0))
    await asyncio.sleep(0)
    subscription.put(Heard(b"long before"))
    assert await waiting == b"long before"
    async with asyncio.timeout(60):
        assert await subscription.get(0.01) is None
    subscription.close()


async def test_what_waits_is_taken_together_up_to_a_size() -> None:
    subscription = Subscription()
    for data in (b"xxx", b"yyy", b"zzz"):
        subscription.put(Heard(data))
    assert [heard.data for heard in await subscription.take(0, most=6)] == [b"xxx", b"yyy"]
    assert [heard.data for heard in await subscription.take(0, most=0)] == [b"zzz"]
    assert await subscription.take(0, most=6) == []


async def test_all_who_hear_a_message_share_what_is_made_of_it(process: Process, redis: Redis) -> None:
    channel = a_channel()
    async with process.listener.subscribe(channel) as first, process.listener.subscribe(channel) as second:
        await redis.publish(channel, b"one for both")
        (mine,), (yours,) = await first.take(10.0, most=0), await second.take(10.0, most=0)
    assert mine is yours
    assert mine.made(bytearray) is yours.made(bytearray)
