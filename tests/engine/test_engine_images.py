"""Images on a real engine, pulled from a registry that lives in the test."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from harbour import IMAGE, Harbour

from support.eventually import eventually
from support.registry import MISSING, Registry, serving
from worker.engine.docker import DockerRuntime
from worker.engine.port import EngineError, ImageNotFound, ImagePullFailed


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with serving() as made:
        yield made


async def test_an_image_is_found_by_name_and_by_id(engine: DockerRuntime) -> None:
    by_name = await engine.find_image(IMAGE)
    assert by_name is not None
    assert by_name.id.startswith("sha256:")
    assert by_name.digest is None
    assert await engine.find_image(by_name.id) == by_name


async def test_a_container_can_be_made_from_an_image_id(harbour: Harbour) -> None:
    image = await harbour.engine.find_image(IMAGE)
    assert image is not None
    ended = await harbour.run("echo", "hi", image=image.id)
    assert ended.out == b"hi\n"


async def test_the_beginning_of_an_id_is_no_name(harbour: Harbour) -> None:
    image = await harbour.engine.find_image(IMAGE)
    assert image is not None
    beginning = image.id.removeprefix("sha256:")[:12]
    assert await harbour.engine.find_image(beginning) is None
    with pytest.raises(ImageNotFound):
        await harbour.engine.create(harbour.spec("true", image=beginning))


@pytest.mark.parametrize("name", ["tailrace/nothing:1", "Not A Name", "../../info", "busybox:local?x=1", ""])
async def test_what_is_not_here_is_not_found(engine: DockerRuntime, name: str) -> None:
    assert await engine.find_image(name) is None


async def test_a_pulled_image_has_its_registry_s_digest(engine: DockerRuntime, registry: Registry) -> None:
    name = f"{registry.host}/whole:1"
    assert await engine.find_image(name) is None
    await engine.pull_image(name)
    image = await engine.find_image(name)
    assert image is not None
    assert image.digest == registry.digest("whole")
    assert image.env == {"PATH": "/bin", "A": "b=c"}
    assert image.entrypoint + image.command


async def test_an_image_is_pulled_by_digest(engine: DockerRuntime, registry: Registry) -> None:
    name = f"{registry.host}/whole@{registry.digest('whole')}"
    await engine.pull_image(name)
    image = await engine.find_image(name)
    assert image is not None
    assert image.digest == registry.digest("whole")


async def test_without_a_tag_the_latest_is_pulled_and_nothing_else(engine: DockerRuntime, registry: Registry) -> None:
    await engine.pull_image(f"{registry.host}/whole")
    assert await engine.find_image(f"{registry.host}/whole:latest") is not None
    assert await engine.find_image(f"{registry.host}/whole:1") is None


async def test_one_pull_serves_everyone_who_wants_the_image(engine: DockerRuntime, registry: Registry) -> None:
    registry.gate.clear()
    pulls = [asyncio.create_task(engine.pull_image(f"{registry.host}/whole:1")) for _ in range(5)]
    await eventually(lambda: registry.asked)
    registry.gate.set()
    await asyncio.gather(*pulls)
    assert registry.asked.count("HEAD whole manifests") == 1


async def test_a_pull_tells_how_far_it_is_to_everyone_who_waits_for_it(
    engine: DockerRuntime, registry: Registry
) -> None:
    name = f"{registry.host}/layered:1"
    registry.last_gate.clear()
    first = asyncio.create_task(engine.pull_image(name))
    await eventually(lambda: (progress := engine.pull_progress(name)) and progress.layers == 3)
    later = asyncio.create_task(engine.pull_image(name))
    await eventually(lambda: (progress := engine.pull_progress(name)) and progress.done == 2)
    assert not later.done()
    registry.last_gate.set()
    one, other = await asyncio.gather(first, later)
    assert one is other
    assert (one.done, one.layers) == (3, 3)
    # Layers of random bytes cannot be made smaller, and are little larger with their headers.
    assert 3 * 2**20 + 30_000 <= one.loaded == one.size < 3 * 2**20 + 100_000
    del one, other, first, later
    await eventually(lambda: engine.pull_progress(name) is None)


async def test_a_pull_that_nobody_waits_for_any_more_ends(engine: DockerRuntime, registry: Registry) -> None:
    registry.gate.clear()
    pull = asyncio.create_task(engine.pull_image(f"{registry.host}/whole:1"))
    await eventually(lambda: registry.asked)
    pull.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pull
    registry.gate.set()
    await engine.pull_image(f"{registry.host}/whole:1")
    assert await engine.find_image(f"{registry.host}/whole:1") is not None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("unknown", ImageNotFound),
        ("nameless", ImageNotFound),
        ("denied", ImageNotFound),
        ("private", ImageNotFound),
        ("bare-unknown", ImageNotFound),
        ("bare-nameless", ImageNotFound),
        ("bare-denied", ImageNotFound),
        ("bare-private", ImageNotFound),
        ("whole:2", ImageNotFound),
        (f"whole@{MISSING}", ImageNotFound),
        ("foreign:1", ImageNotFound),
        ("Not A Name", ImageNotFound),
        ("limited", ImagePullFailed),
        ("bare-limited", ImagePullFailed),
        ("broken", ImagePullFailed),
        ("busy", ImagePullFailed),
        ("dropped", ImagePullFailed),
        ("hollow:1", ImagePullFailed),
    ],
)
async def test_a_missing_image_is_told_from_a_registry_in_trouble(
    engine: DockerRuntime, registry: Registry, name: str, kind: type[EngineError]
) -> None:
    with pytest.raises(EngineError, match=name.partition("@")[0].partition(":")[0]) as failure:
        await engine.pull_image(f"{registry.host}/{name}")
    assert type(failure.value) is kind


async def test_a_registry_that_is_not_there_fails_the_pull(engine: DockerRuntime) -> None:
    with pytest.raises(ImagePullFailed, match="connection refused"):
        await engine.pull_image("127.0.0.1:1/app:1")


async def test_an_image_id_cannot_be_pulled(engine: DockerRuntime) -> None:
    with pytest.raises(ImageNotFound, match="the id of an image"):
        await engine.pull_image(MISSING)
