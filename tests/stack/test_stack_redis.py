import asyncio
import stat
from pathlib import Path

from process_probes import needs_root, tcp_ports_of, uid_of
from redis.asyncio import Redis

from stack.accounts import server_account
from stack.redis import EmbeddedRedis


def running(data: Path) -> EmbeddedRedis:
    return EmbeddedRedis(data / "redis", data / "run")


async def test_a_client_is_served_and_nothing_is_ever_evicted(data: Path) -> None:
    async with running(data) as redis, Redis.from_url(redis.url, decode_responses=True) as client:
        await client.set("a", "1")
        assert await client.get("a") == "1"
        assert await client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


async def test_nothing_is_written_to_disk(data: Path) -> None:
    async with running(data) as redis, Redis.from_url(redis.url) as client:
        await client.set("a", "1")
    assert list((data / "redis").iterdir()) == []


async def test_it_listens_on_a_private_socket_and_no_port(data: Path) -> None:
    async with running(data) as redis:
        assert redis.pid is not None
        assert tcp_ports_of(redis.pid) == []
        assert stat.S_IMODE((redis.socket_dir / "redis.sock").stat().st_mode) == 0o700
        assert stat.S_IMODE(redis.socket_dir.stat().st_mode) == 0o700


@needs_root
async def test_as_root_it_runs_as_a_system_user(data: Path) -> None:
    async with running(data) as redis:
        assert redis.pid is not None
        assert uid_of(redis.pid) == server_account("tailrace-redis").uid != 0


async def test_it_starts_again_after_a_kill_at_the_same_address(data: Path) -> None:
    async with running(data) as redis:
        before = redis.url
        killed = asyncio.create_task(redis.wait())
        await redis.kill()
        assert await killed == -9
        await redis.start()
        assert redis.url == before
        async with Redis.from_url(redis.url) as client:
            assert await client.ping()


async def test_a_socket_path_that_is_too_long_is_replaced(data: Path) -> None:
    deep = data / ("d" * 100)
    async with running(deep) as redis, Redis.from_url(redis.url) as client:
        assert await client.ping()
    assert not redis.socket_dir.exists()
