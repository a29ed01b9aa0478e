"""The store of files on another machine, which may be away: nothing is lost without a word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
from obstore.exceptions import BaseError
from typing_extensions import override

from app.artifacts.address import Bucket
from app.artifacts.model import ArtifactSet, Kind, Span
from app.artifacts.store import PART_BYTES, ArtifactStore
from support.pieces import in_one
from support.s3 import S3, serving_s3
from worker.collect import Caps, collect, restore
from worker.storing import AT_ONCE, SMALL_BYTES, insist

PLENTY = Caps(files=100, bytes=10**9)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with serving_s3() as server:
        yield server


@pytest.fixture
def store(s3: S3, tmp_path: Path) -> ArtifactStore:
    """A store below a prefix that no other test uses."""
    return ArtifactStore.of(s3.setting(f"some/{uuid4().hex}"), tmp_path)


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    directory = tmp_path / "outputs"
    (directory / "d").mkdir(parents=True)
    (directory / "d" / "large.bin").write_bytes(bytes(range(256)) * (PART_BYTES // 100))
    (directory / "small.txt").write_bytes(b"small")
    (directory / "empty").write_bytes(b"")
    return directory


def a_set() -> ArtifactSet:
    return ArtifactSet(uuid4(), 1, Kind.OUTPUT)


async def whole(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def test_what_is_collected_comes_back_whole_and_in_parts(
    store: ArtifactStore, outputs: Path, tmp_path: Path
) -> None:
    group = a_set()
    collected = await collect(store, group, outputs, PLENTY)
    assert (collected.partial, collected.warnings) == (False, [])
    assert [file.path for file in collected.files] == ["empty", "small.txt", "d/large.bin"]
    for file in collected.files:
        content = (outputs / file.path).read_bytes()
        assert await whole(store.read(group, file.path)) == content
        assert file.sha256 == sha256(content).hexdigest()
    part = Span(PART_BYTES - 5, PART_BYTES + 5)
    assert (
        await whole(store.read(group, "d/large.bin", part))
        == (outputs / "d/large.bin").read_bytes()[part.start : part.end]
    )
    copies = tmp_path / "copies"
    copies.mkdir()
    await restore(store, group, collected.files, copies)
    assert (copies / "d/large.bin").read_bytes() == (outputs / "d/large.bin").read_bytes()


async def test_a_prefix_is_cleared_and_no_other(store: ArtifactStore) -> None:
    one, other = a_set(), a_set()
    for group in (one, other):
        await store.put(group, "a", in_one(b"a"))
        await store.put(group, "b", in_one(b"b"))
    await store.clear(one.prefix, but={one.key("b")})
    assert await whole(store.read(one, "b")) == b"b"
    with pytest.raises(FileNotFoundError):
        await whole(store.read(one, "a"))
    await store.delete(one)
    await store.delete(one)
    with pytest.raises(FileNotFoundError):
        await whole(store.read(one, "b"))
    assert await whole(store.read(other, "a")) == b"a"


async def test_nothing_is_left_of_what_breaks_off(store: ArtifactStore, s3: S3) -> None:
    class BreaksOff(Exception):
        pass

    async def half() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * PART_BYTES
        raise BreaksOff

    group = a_set()
    with pytest.raises(BreaksOff):
        await store.put(group, "a", half())
    assert b"<Upload>" not in await asyncio.to_thread(s3.ask, "GET", "?uploads")
    with pytest.raises(FileNotFoundError):
        await whole(store.read(group, "a"))


async def test_what_a_process_that_died_was_writing_goes_with_its_prefix(tmp_path: Path) -> None:
    store, group = ArtifactStore.of("", tmp_path), a_set()
    await store.put(group, "a", in_one(b"a"))
    directory = tmp_path / "artifacts" / group.prefix
    (directory / "half#1").write_bytes(b"half")
    await store.clear(group.prefix, but={group.key("a")})
    assert await whole(store.read(group, "a")) == b"a"
    await store.clear(group.prefix)
    assert not directory.exists()


async def test_a_store_that_is_away_is_waited_for(store: ArtifactStore, s3: S3, outputs: Path) -> None:
    group = a_set()
    await asyncio.to_thread(s3.stop)
    collecting = asyncio.create_task(collect(store, group, outputs, PLENTY))
    done, _ = await asyncio.wait({collecting}, timeout=1.0)
    s3.start()
    assert not done
    collected = await collecting
    assert (len(collected.files), collected.partial) == (3, False)
    assert await whole(store.read(group, "small.txt")) == b"small"


class Counting(ArtifactStore):
    """Our store, and how many files were on their way at once."""

    most, now = 0, 0

    @override
    async def put(self, group: ArtifactSet, path: str, pieces: AsyncIterator[bytes]) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await super().put(group, path, pieces)
        finally:
            self.now -= 1


def fill(directory: Path, count: int, content: bytes) -> list[str]:
    """Files of that content; their paths in the order in which they are kept."""
    directory.mkdir()
    names = [f"{number:03}" for number in range(count)]
    for name in names:
        (directory / name).write_bytes(content)
    return names


async def test_small_files_go_beside_each_other_and_keep_their_order(s3: S3, tmp_path: Path) -> None:
    store, group = Counting.of(s3.setting(f"some/{uuid4().hex}"), tmp_path), a_set()
    assert isinstance(store, Counting)
    names = fill(tmp_path / "many", 3 * AT_ONCE + 1, b"small")
    collected = await collect(store, group, tmp_path / "many", PLENTY)
    assert [file.path for file in collected.files] == names
    assert not collected.partial
    assert 1 < store.most <= AT_ONCE
    copies = tmp_path / "copies"
    copies.mkdir()
    await restore(store, group, collected.files, copies)
    assert {path.name: path.read_bytes() for path in copies.iterdir()} == dict.fromkeys(names, b"small")


async def test_large_files_go_one_by_one(s3: S3, tmp_path: Path) -> None:
    store = Counting.of(s3.setting(f"some/{uuid4().hex}"), tmp_path)
    assert isinstance(store, Counting)
    names = fill(tmp_path / "large", 4, bytes(SMALL_BYTES + 1))
    collected = await collect(store, a_set(), tmp_path / "large", PLENTY)
    assert [file.path for file in collected.files] == names
    assert store.most == 1


class Picky(ArtifactStore):
    """Our store, but for files of one name."""

    refuses: str

    @override
    async def put(self, group: ArtifactSet, path: str, pieces: AsyncIterator[bytes]) -> None:
        if path == self.refuses:
            raise BaseError(path)
        await super().put(group, path, pieces)


@pytest.mark.parametrize("count", [3, 2 * AT_ONCE])
async def test_what_went_beside_one_that_failed_is_kept(tmp_path: Path, count: int) -> None:
    store, group = Picky.of("", tmp_path), a_set()
    assert isinstance(store, Picky)
    store.patience, store.refuses = 0, "001"
    names = fill(tmp_path / "many", count, b"small")
    collected = await collect(store, group, tmp_path / "many", PLENTY)
    stored = [name for name in names[:AT_ONCE] if name != "001"]
    assert [file.path for file in collected.files] == stored
    assert (collected.partial, collected.pending) == (True, set(names) - set(stored))
    for name in stored:
        assert await whole(store.read(group, name)) == b"small"


async def test_what_could_not_be_stored_is_told(store: ArtifactStore, s3: S3, outputs: Path) -> None:
    store.patience = 0.5
    await asyncio.to_thread(s3.stop)
    try:
        collected = await collect(store, a_set(), outputs, PLENTY)
    finally:
        s3.start()
    assert (collected.files, collected.partial) == ([], True)
    assert collected.warnings == ["the artifact store failed: GenericError"]


async def test_patience_is_for_failures_of_the_store_only() -> None:
    tried: list[int] = []

    async def missing() -> None:
        tried.append(1)
        raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        await insist(missing, within=60)

    async def broken() -> None:
        tried.append(1)
        raise BaseError

    with pytest.raises(BaseError):
        await insist(broken, within=0)
    assert len(tried) == 2


@pytest.mark.parametrize(
    ("setting", "bucket"),
    [
        ("", None),
        ("s3://kept", Bucket("kept", "", None, None)),
        ("s3://kept/a/b/", Bucket("kept", "a/b", None, None)),
        (
            "s3://kept/a?endpoint=https://s3.example:9000&region=eu-1",
            Bucket("kept", "a", "https://s3.example:9000", "eu-1"),
        ),
    ],
)
def test_a_setting_names_a_bucket(setting: str, bucket: Bucket | None) -> None:
    assert Bucket.parse(setting) == bucket


@pytest.mark.parametrize(
    "setting",
    ["/srv/kept", "gs://kept", "s3:///a", "s3://key:secret@kept", "s3://kept?secret=1", "s3://kept?endpoint=ftp://a"],
)
def test_what_names_no_bucket_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=r"must|parameter"):
        Bucket.parse(setting)
