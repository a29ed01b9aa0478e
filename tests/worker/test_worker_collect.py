"""Programs leave whatever they like; what is kept are regular files within the caps, and never anything else."""

import asyncio
import os
import shutil
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obstore.exceptions import BaseError

from app.artifacts.model import Artifact, ArtifactSet, Kind
from app.artifacts.store import PIECE_BYTES, ArtifactStore
from app.executions.model import DeclaredOutput, Limits, Spec
from support.hostile import dig
from support.values import a_record, an_id
from worker.collect import MAX_DEPTH, MAX_WARNINGS, Caps, Collected, collect, keep, restore
from worker.workspace import Workspace, remove_tree

GROUP = ArtifactSet(an_id(1), 1, Kind.OUTPUT)
PLENTY = Caps(files=10_000, bytes=2**30)
SECRET = b"root:$6$secret"
NO_LINKS = "links, devices, sockets and FIFOs are not kept"


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    directory = tmp_path / "outputs"
    directory.mkdir()
    return directory


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Something outside that a program would like to have collected."""
    file = tmp_path / "shadow"
    file.write_bytes(SECRET)
    return file


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore.open(tmp_path / "store")


def put(directory: Path, path: str, content: bytes = b"content") -> Path:
    file = directory / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


async def stored(store: ArtifactStore, path: str, group: ArtifactSet = GROUP) -> bytes:
    return b"".join([piece async for piece in store.read(group, path)])


def paths(collected: Collected) -> list[str]:
    return [file.path for file in collected.files]


def is_whole(collected: Collected) -> bool:
    return not collected.partial and not collected.warnings


def open_under(directory: Path) -> list[Path]:
    """What this process has open in there. (What the rest of it opens and closes meanwhile is not ours to count.)"""
    targets = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            targets.append(descriptor.readlink())
    return [target for target in targets if target.is_relative_to(directory)]


async def test_files_are_kept_with_their_content_and_a_manifest(outputs: Path, store: ArtifactStore) -> None:
    put(outputs, "plot.svg", b"<svg/>")
    put(outputs, "data/part 1.csv", b"a,b\n")
    put(outputs, "run", b"#!/bin/sh\n").chmod(0o755)
    put(outputs, "empty", b"")
    collected = await collect(store, GROUP, outputs, PLENTY)
    assert is_whole(collected)
    assert {file.path: (file.bytes, file.media_type, file.executable) for file in collected.files} == {
        "data/part 1.csv": (4, "text/csv", False),
        "empty": (0, "application/octet-stream", False),
        "plot.svg": (6, "image/svg+xml", False),
        "run": (10, "application/octet-stream", True),
    }
    for file in collected.files:
        content = (outputs / file.path).read_bytes()
        assert file.sha256 == sha256(content).hexdigest()
        assert await stored(store, file.path) == content
    assert collected.bytes == 20


async def test_nothing_is_kept_of_an_empty_tree(outputs: Path, store: ArtifactStore) -> None:
    put(outputs, "a/b/c/file").unlink()
    collected = await collect(store, GROUP, outputs, PLENTY)
    assert is_whole(collected)
    assert collected.files == []


async def test_a_directory_that_is_not_there_is_no_error(tmp_path: Path, store: ArtifactStore) -> None:
    collected = await collect(store, GROUP, tmp_path / "nowhere", PLENTY)
    assert (collected.files, collected.partial) == ([], True)


async def test_a_large_file_is_kept_in_pieces(outputs: Path, store: ArtifactStore) -> None:
    content = os.urandom(PIECE_BYTES * 3 + 17)
    put(outputs, "large", content)
    await collect(store, GROUP, outputs, PLENTY)
    assert await stored(store, "large") == content


@pytest.mark.parametrize(
    "name",
    [
        "-rf",
        "--help",
        "...",
        "..hidden",
        ".hidden",
        "a b",
        "a\\b",
        "C:",
        "*?",
        "ünï",
        "日本",
        "x" * 255,
        "%2e%2e",
    ],
)
async def test_an_odd_name_is_kept_as_it_is(outputs: Path, store: ArtifactStore, name: str) -> None:
    put(outputs, name, b"odd")
    put(outputs, f"{name[:250]}.d/{name}", b"odder")
    collected = await collect(store, GROUP, outputs, PLENTY)
    assert is_whole(collected)
    assert await stored(store, name) == b"odd"
    assert await stored(store, f"{name[:250]}.d/{name}") == b"odder"


@pytest.mark.parametrize(
    "name", [b"line\nfeed", b"\x1b[31mred", b"\xff\xfe", b"bell\x07", b"\x7f", "a\u202eb".encode()]
)
async def test_a_name_that_is_not_printable_text_is_left_out(outputs: Path, store: ArtifactStore, name: bytes) -> None:
    put(outputs, os.fsdecode(name))
    put(outputs, "plain")
    collected = await collect(store, GROUP, outputs, PLENTY)
    assert paths(collected) == ["plain"]
    assert collected.partial
    assert collected.warnings == ["a name is not printable text"]


async def test_links_are_never_followed(outputs: Path, store: ArtifactStore, secret: Path) -> None:
    (outputs / "file").symlink_to(secret)
    (outputs / "directory").symlink_to(secret.parent)
    (outputs / "dangling").symlink_to("/nowhere")
    (outputs / "itself").symlink_to("itself")
    (outputs / "up").symlink_to("..")
    put(outputs, "real")
    collected = await collect(store, GROUP, outputs, PLENTY)
    assert paths(collected) == ["real"]
    assert (collected.partial, collected.warnings) == (True, [NO_LINKS])


async def test_a_second_name_of_somebody_elses_file_is_not_kept(
    outputs: Path, store: ArtifactStore, secret: Path
) -> None:
    os.link(secret, outputs / "mine")
    put(outputs, "one")
    os.link(outputs / "one", outputs / "two")
    collected = await collect(store, GROUP, outputs, PLENTY)
    assert collected.files == []
    assert collected.warnings == ["files with several names (hard links) are not kept"]


async def test_fifos_sockets_and_devices_are_not_opened(outputs: Path, store: ArtifactStore) -> None:
    os.mkfifo(outputs / "fifo")
    with suppress(PermissionError):  # some hosts of tests allow no devices
        os.mknod(outputs / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(outputs / "disk", stat.S_IFBLK | 0o666, os.makedev(7, 0))
    listener = socket.socket(socket.AF_UNIX)
    with chdir(outputs):  # the address of a socket has to be short
        listener.bind("socket")
    put(outputs, "real")
    async with asyncio.timeout(30):
        collected = await collect(store, GROUP, outputs, PLENTY)
    listener.close()
    assert paths(collected) == ["real"]
    assert collected.warnings == [NO_LINKS]


async def test_files_beyond_the_cap_are_left_out_and_counted_no_further(outputs: Path, store: ArtifactStore) -> None:
    for number in range(20_000):
        (outputs / f"{number:05d}").touch()
    collected = await collect(store, GROUP, outputs, Caps(files=10, bytes=2**20))
    assert paths(collected) == [f"{number:05d}" for number in range(10)]
    assert collected.warnings == ["there are more than 10 files"]


async def test_exactly_as_many_files_as_allowed_are_whole(outputs: Path, store: ArtifactStore) -> None:
    for number in range(10):
        put(outputs, f"{number}")
    assert is_whole(await collect(store, GROUP, outputs, Caps(files=10, bytes=2**20)))
    assert (await collect(store, GROUP, outputs, Caps(files=0, bytes=2**20))).files == []


async def test_files_that_do_not_fit_are_left_out_and_smaller_ones_after_them_kept(
    outputs: Path, store: ArtifactStore
) -> None:
    put(outputs, "a", b"x" * 60)
    put(outputs, "b", b"x" * 50)
    put(outputs, "c", b"x" * 40)
    put(outputs, "d", b"")
    collected = await collect(store, GROUP, outputs, Caps(files=10, bytes=100))
    assert (paths(collected), collected.bytes) == (["a", "c", "d"], 100)
    assert collected.warnings == ["a file does not fit into the limit on bytes"]


async def test_a_sparse_file_counts_with_its_size_and_is_not_read(outputs: Path, store: ArtifactStore) -> None:
    with put(outputs, "sparse", b"").open("wb") as file:
        file.truncate(10 * 2**30)
    collected = await collect(store, GROUP, outputs, Caps(files=10, bytes=2**20))
    assert collected.files == []
    assert collected.partial


async def test_a_tree_that_is_too_deep_is_left_out_below_the_limit(outputs: Path, store: ArtifactStore) -> None:
    put(outputs, "/".join(["d"] * (MAX_DEPTH - 1)) + "/kept")
    put(outputs, "/".join(["e"] * MAX_DEPTH) + "/lost")
    put(outputs, "/".join(["x" * 250] * 5) + "/lost")
    collected = await collect(store, GROUP, outputs, PLENTY)
    assert [path.rpartition("/")[2] for path in paths(collected)] == ["kept"]
    assert collected.warnings == ["a path is too long or too deep"]


async def test_a_depth_bomb_costs_nothing(outputs: Path, store: ArtifactStore) -> None:
    dig(outputs, 3000)
    before = open_under(outputs)
    try:
        collected = await collect(store, GROUP, outputs, PLENTY)
    finally:
        remove_tree(outputs)
    assert collected.files == []
    assert collected.partial
    assert open_under(outputs) == before


async def test_a_wide_tree_does_not_use_up_the_open_files_of_the_worker(outputs: Path, store: ArtifactStore) -> None:
    for number in range(3000):
        put(outputs, f"{number}/file", b"x")
    most = len(open_under(outputs))
    watching = threading.Event()

    def watch() -> None:
        nonlocal most
        while not watching.wait(0.001):
            most = max(most, len(open_under(outputs)))

    before = most
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        collected = await collect(store, GROUP, outputs, PLENTY)
    finally:
        watching.set()
        watcher.join()
    assert (len(collected.files), is_whole(collected)) == (3000, True)
    assert most < before + 50


@pytest.mark.parametrize("mode", [0o000, 0o111, 0o444])
async def test_what_the_program_closed_to_others_is_kept_all_the_same(
    outputs: Path, store: ArtifactStore, mode: int
) -> None:
    put(outputs, "closed/file", b"x").chmod(mode)
    (outputs / "closed").chmod(mode)
    collected = await collect(store, GROUP, outputs, PLENTY)
    assert paths(collected) == ["closed/file"]


async def test_warnings_are_few_however_much_is_wrong(outputs: Path, store: ArtifactStore) -> None:
    for number in range(100):
        (outputs / f"link{number}").symlink_to("/etc/passwd")
        os.mkfifo(outputs / f"fifo{number}")
    collected = await collect(store, GROUP, outputs, PLENTY)
    assert len(collected.warnings) <= MAX_WARNINGS
    assert collected.warnings == [NO_LINKS]


def make(form: str, at: Path, secret: Path) -> None:
    match form:
        case "file":
            at.write_bytes(b"harmless")
        case "symlink":
            at.symlink_to(secret)
        case "fifo":
            os.mkfifo(at)
        case "directory":
            at.mkdir()
            (at / "inside").write_bytes(b"harmless")
        case "link to directory":
            at.symlink_to(secret.parent)


def discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def swapping(path: Path, *forms: str, secret: Path) -> Iterator[None]:
    """Replaces a file by something else and back, all the time, as if a process of the program were left."""
    stop = threading.Event()
    fresh, old = path.with_name("fresh"), secret.with_name("old")

    def swap() -> None:
        while not stop.is_set():
            for form in forms:
                make(form, fresh, secret)
                with suppress(FileNotFoundError):
                    path.rename(old)
                fresh.rename(path)
                discard(old)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("rounds", [100, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "forms", [("file", "symlink"), ("file", "fifo"), ("file", "directory"), ("directory", "link to directory")]
)
async def test_a_file_that_is_swapped_all_the_time_is_never_taken_for_another(
    outputs: Path, store: ArtifactStore, secret: Path, forms: tuple[str, ...], rounds: int
) -> None:
    before = open_under(outputs)
    with swapping(outputs / "target", *forms, secret=secret):
        for number in range(rounds):
            group = ArtifactSet(an_id(number + 1), 1, Kind.OUTPUT)
            async with asyncio.timeout(60):
                collected = await collect(store, group, outputs, Caps(files=50, bytes=2**20))
            for file in collected.files:
                # Empty if it was caught while it was being written.
                assert await stored(store, file.path, group) in {b"harmless", b""}
    assert open_under(outputs) == before


async def test_a_file_that_grows_is_kept_as_long_as_it_was(outputs: Path, store: ArtifactStore) -> None:
    file = put(outputs, "growing", b"x" * PIECE_BYTES)
    done = threading.Event()

    def grow() -> None:
        with file.open("ab") as end:
            while not done.is_set():
                end.write(b"x" * 1000)
                end.flush()

    growing = threading.Thread(target=grow)
    growing.start()
    try:
        collected = await collect(store, GROUP, outputs, PLENTY)
    finally:
        done.set()
        growing.join()
    (kept,) = collected.files
    content = await stored(store, "growing")
    assert kept.bytes == len(content) == collected.bytes
    assert kept.sha256 == sha256(content).hexdigest()


async def test_a_store_that_fails_makes_it_partial_and_no_error(outputs: Path, tmp_path: Path) -> None:
    put(outputs, "a")
    broken = tmp_path / "broken"
    store = ArtifactStore.open(broken)
    broken.rmdir()
    broken.write_bytes(b"no directory any more")
    store.patience = 0
    collected = await collect(store, GROUP, outputs, PLENTY)
    assert collected.files == []
    assert collected.partial
    assert "the artifact store failed" in collected.warnings[0]


async def test_required_outputs_wait_for_the_disk_of_the_store_and_are_lost_by_no_fault_of_the_program(
    tmp_path: Path, store: ArtifactStore
) -> None:
    workspace = a_workspace(tmp_path)
    put(workspace.outputs, "a.txt")
    put(workspace.outputs, "b/c.txt")
    required = [DeclaredOutput(path=path) for path in ("a.txt", "b/*", "never/*")]
    record = a_record(id=an_id(5), attempt=1, spec=Spec(image="i", outputs=tuple(required)))
    directory = tmp_path / "store"
    directory.rename(tmp_path / "away")
    store.patience = 0
    kept = await keep(store, record, workspace, log_complete=True)
    assert (kept.outputs, kept.lost, kept.missing) == ([], ("a.txt", "b/*"), ("never/*",))
    assert not directory.exists()
    with pytest.raises(BaseError):
        await stored(store, "a.txt")
    with pytest.raises(BaseError):
        await store.clear("anything")
    store.patience = 60
    keeping = asyncio.create_task(keep(store, record, workspace, log_complete=True))
    done, _ = await asyncio.wait({keeping}, timeout=0.3)
    (tmp_path / "away").rename(directory)
    assert not done
    kept = await keeping
    assert ([file.path for file in kept.outputs], kept.lost, kept.missing) == (["a.txt", "b/c.txt"], (), ("never/*",))
    assert await stored(store, "b/c.txt", ArtifactSet(an_id(5), 1, Kind.OUTPUT)) == b"content"


def a_workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "data", an_id(5), 1)
    workspace.create(inputs={})
    return workspace


async def test_outputs_and_checkpoint_are_kept_apart(tmp_path: Path, store: ArtifactStore) -> None:
    workspace = a_workspace(tmp_path)
    put(workspace.outputs, "result.txt")
    put(workspace.checkpoint, "state")
    record = a_record(id=an_id(5), attempt=1)
    kept = await keep(store, record, workspace, log_complete=True)
    assert [file.path for file in kept.outputs] == ["result.txt"]
    assert [file.path for file in kept.checkpoint] == ["state"]
    assert (kept.outputs_partial, kept.log_complete, kept.warnings) == (False, True, [])
    assert await stored(store, "state", ArtifactSet(an_id(5), 1, Kind.CHECKPOINT)) == b"content"


async def test_half_a_checkpoint_is_none(tmp_path: Path, store: ArtifactStore) -> None:
    workspace = a_workspace(tmp_path)
    put(workspace.checkpoint, "small", b"x")
    put(workspace.checkpoint, "too large", b"x" * 2000)
    put(workspace.outputs, "result")
    record = a_record(id=an_id(5), attempt=1, limits=Limits(checkpoint_bytes=1000))
    kept = await keep(store, record, workspace, log_complete=False)
    assert kept.checkpoint == []
    assert [file.path for file in kept.outputs] == ["result"]
    assert not kept.outputs_partial
    assert kept.warnings == [
        {
            "code": "checkpoint_not_kept",
            "message": "The checkpoint is not kept: a file does not fit into the limit on bytes.",
        }
    ]


async def test_outputs_that_are_left_out_are_warned_of(tmp_path: Path, store: ArtifactStore) -> None:
    workspace = a_workspace(tmp_path)
    (workspace.outputs / "link").symlink_to("/etc/shadow")
    kept = await keep(store, a_record(id=an_id(5), attempt=1), workspace, log_complete=True)
    assert kept.outputs_partial
    assert kept.warnings == [{"code": "output_left_out", "message": f"Outputs: {NO_LINKS}."}]


async def test_what_was_declared_is_of_the_media_type_that_was_said_and_may_be_missing(
    tmp_path: Path, store: ArtifactStore
) -> None:
    workspace = a_workspace(tmp_path)
    put(workspace.outputs, "plots/a.dat")
    put(workspace.outputs, "b.csv")
    (workspace.outputs / "link.txt").symlink_to("b.csv")
    declared = (
        DeclaredOutput(path="plots/*.dat", media_type="text/x-own"),
        DeclaredOutput(path="*.csv"),
        DeclaredOutput(path="link.txt"),
        DeclaredOutput(path="nothing", required=False),
    )
    record = a_record(id=an_id(5), attempt=1, spec=Spec(image="i", outputs=declared))
    kept = await keep(store, record, workspace, log_complete=True)
    assert {file.path: file.media_type for file in kept.outputs} == {"plots/a.dat": "text/x-own", "b.csv": "text/csv"}
    assert kept.missing == ("link.txt",)


names = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="/"), min_size=1, max_size=12
)
components = names.filter(lambda name: name not in {".", ".."} and name.isprintable() and len(name.encode()) < 200)
trees = st.dictionaries(
    st.lists(components, min_size=1, max_size=4).map(tuple),
    st.tuples(st.binary(max_size=40), st.booleans()),
    max_size=8,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees)
async def test_a_tree_is_restored_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[tuple[str, ...], tuple[bytes, bool]]
) -> None:
    tmp_path = tmp_path_factory.mktemp("restore")
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    written: dict[str, tuple[bytes, bool]] = {}
    for parts, (content, executable) in tree.items():
        with suppress(OSError):  # one of them is a directory of another
            put(source, "/".join(parts), content).chmod(0o755 if executable else 0o644)
            written["/".join(parts)] = (content, executable)
    store = ArtifactStore.open(tmp_path / "store")
    collected = await collect(store, GROUP, source, PLENTY)
    assert sorted(paths(collected)) == sorted(written)
    await restore(store, GROUP, collected.files, target)
    restored = {
        str(file.relative_to(target)): (file.read_bytes(), os.access(file, os.X_OK))
        for file in target.rglob("*")
        if file.is_file()
    }
    assert restored == written


async def test_what_is_restored_is_open_to_any_user_inside(tmp_path: Path, store: ArtifactStore) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    target.mkdir()
    put(source, "a/b/state").chmod(0o600)
    put(source, "a/run.sh").chmod(0o700)
    files = (await collect(store, GROUP, source, PLENTY)).files
    await restore(store, GROUP, files, target)
    modes = {str(path.relative_to(target)): stat.S_IMODE(path.stat().st_mode) for path in target.rglob("*")}
    assert modes == {"a": 0o777, "a/b": 0o777, "a/b/state": 0o666, "a/run.sh": 0o777}


async def test_a_checkpoint_that_is_gone_from_the_store_is_an_error_and_not_an_empty_one(
    tmp_path: Path, store: ArtifactStore
) -> None:
    gone = Artifact(path="state", bytes=5, sha256="", media_type="", executable=False)
    with pytest.raises(FileNotFoundError):
        await restore(store, GROUP, [gone], tmp_path)
