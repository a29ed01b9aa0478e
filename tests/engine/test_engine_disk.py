"""What a container takes on disk, wherever its image lets it write."""

import asyncio
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from harbour import Harbour

from stack.engine import ensure_engine
from stack.images import build_image
from support.eventually import eventually
from support.hostile import dig
from worker.engine.disk import FILE_BYTES, Turns, count_by_engine, own_directories
from worker.workspace import remove_tree

MIB = 2**20


@pytest.fixture
def image_with_a_volume(engine_host: str) -> Iterator[str]:
    """One that asks for a directory outside of every layer."""
    name = f"tailrace-test-{uuid.uuid4().hex}:local"
    with ensure_engine().client() as client:
        build_image(client, name, {"Dockerfile": b"FROM busybox:local\nVOLUME /data\n"})
        yield name
        client.delete(f"/images/{name}", params={"force": "1"})


async def test_the_layer_the_volumes_and_our_directories_are_counted(
    harbour: Harbour, image_with_a_volume: str, tmp_path: Path
) -> None:
    (tmp_path / "output").write_bytes(os.urandom(MIB))
    write = "head -c 2097152 /dev/urandom > /own; head -c 4194304 /dev/urandom > /data/more; truncate -s 50M /holes"
    container = await harbour.start("sh", "-c", f"{write}; exec sleep 60", image=image_with_a_volume)

    async def all_counted() -> bool:
        return 7 * MIB <= await harbour.engine.weigh(container, [tmp_path]) < 8 * MIB

    await eventually(all_counted)
    # Where the engine's directories cannot be seen, it counts by itself; holes, too.
    counted = await count_by_engine(harbour.engine._http.json, f"/containers/{container}/json")
    assert 56 * MIB <= counted < 57 * MIB


async def test_files_without_content_count_and_holes_and_links_do_not(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(500):
        (tree / str(number)).touch()
    os.truncate(tree / "0", 2**33)
    (tree / "link").symlink_to("/usr")
    assert 500 * FILE_BYTES < await Turns().allocated([tree]) < 600 * FILE_BYTES


async def test_a_small_tree_does_not_wait_for_large_ones(tmp_path: Path) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    for each in (large, small):
        each.mkdir()
    for number in range(30_000):
        (large / str(number)).touch()
    turns, ended = Turns(turn=0.005), list[str]()

    async def look(name: str, tree: Path) -> None:
        assert await turns.allocated([tree]) >= FILE_BYTES
        ended.append(name)

    await asyncio.gather(*(look(f"large {each}", large) for each in range(4)), look("small", small))
    assert ended[0] == "small"


async def test_what_an_engine_takes_long_to_count_has_a_place_of_its_own() -> None:
    turns, counted = Turns(turn=0.0), asyncio.Event()
    for slow in ("a", "b"):
        async with turns.asking(slow):
            pass

    async def ask(container: str) -> None:
        async with turns.asking(container):
            await counted.wait()

    asking = [asyncio.create_task(ask(each)) for each in ("a", "b")]
    async with asyncio.timeout(10), turns.asking("c"):
        counted.set()
    await asyncio.gather(*asking)


async def test_what_is_deeper_than_any_path_counts(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    dig(outputs, 3000)
    counted = await Turns().allocated([outputs])
    remove_tree(outputs)
    assert counted >= 3000 * FILE_BYTES


async def test_what_is_gone_counts_nothing_and_no_sum_is_an_error(tmp_path: Path) -> None:
    assert await Turns().allocated([]) == 0
    assert await Turns().allocated([tmp_path / "gone", tmp_path]) < 10 * FILE_BYTES
    with pytest.raises(OSError, match="Argument list too long"):
        await Turns().allocated([Path("x" * 200_000)])


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"GraphDriver": None},
        {"GraphDriver": {"Data": None, "Name": "overlayfs"}},
        {"GraphDriver": {"Data": {"UpperDir": "/nowhere/at/all"}}},
        {"GraphDriver": {"Data": {"UpperDir": "/" + "x" * 300}}},
        {"GraphDriver": {"Data": {"UpperDir": "/"}}, "Mounts": [{"Type": "volume", "Source": "/nowhere"}]},
    ],
)
def test_directories_that_are_not_of_this_host_are_not_taken_for_it(found: dict[str, object]) -> None:
    assert own_directories(found) is None
