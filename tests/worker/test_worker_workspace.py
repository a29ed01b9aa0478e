import json
import os
import stat
import subprocess
import threading
from pathlib import Path
from uuid import uuid4

import pytest

from support.hostile import dig
from support.values import an_id
from worker.workspace import KIT, KIT_TARGET, TARGET, Workspace, input_environment, open_hostile


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "data", an_id(1), 1)
    workspace.create(inputs={"k": 3})
    return workspace


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def mounted(workspace: Workspace, target: str = TARGET) -> Path:
    """Where a path of the container lies."""
    (mount,) = [mount for mount in workspace.mounts() if mount.target == target]
    return Path(mount.source)


def test_the_program_finds_what_the_design_promises(workspace: Workspace) -> None:
    mounts = {mount.target: (Path(mount.source), mount.read_only) for mount in workspace.mounts()}
    assert {target: read_only for target, (_, read_only) in mounts.items()} == {
        "/tailrace": True,
        "/tailrace/outputs": False,
        "/tailrace/checkpoint": False,
        "/tailrace/events": False,
    }
    # A mount hides what is at its place, so the parent has to come first and to have the place.
    assert list(mounts) == sorted(mounts, key=lambda target: target.count("/"))
    inside = mounted(workspace)
    assert sorted(path.name for path in inside.iterdir()) == [
        "checkpoint",
        "events",
        "inputs",
        "inputs.json",
        "outputs",
        "python",
    ]
    assert json.loads((inside / "inputs.json").read_bytes()) == {"k": 3}
    assert (inside / "python" / "tailrace_job.py").read_bytes() == KIT.read_bytes()
    assert KIT_TARGET == "/tailrace/python"
    assert workspace.events.read_bytes() == b""
    assert list(workspace.outputs.iterdir()) == list(workspace.checkpoint.iterdir()) == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_any_user_id_may_write_where_it_should_and_read_the_rest_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        workspace = Workspace(tmp_path / "data", an_id(1), 1)
        (tmp_path / "data" / "work" / str(an_id(1))).mkdir(parents=True)
        workspace.create(inputs={})
        workspace.write_stop(reason="cancel", by="ann", deadline=1.0)
    finally:
        os.umask(before)
    assert (mode_of(workspace.outputs), mode_of(workspace.checkpoint), mode_of(workspace.events)) == (
        0o777,
        0o777,
        0o666,
    )
    places = {mounted(workspace) / name for name in ("outputs", "checkpoint", "events")}  # each is mounted over
    for path in set(mounted(workspace).rglob("*")) - places:
        wanted = 0o755 if path.is_dir() else 0o644
        assert mode_of(path) & 0o555 == wanted & 0o555, path
        assert not mode_of(path) & 0o022, path


def test_nobody_but_the_worker_gets_there_from_outside(workspace: Workspace) -> None:
    assert mode_of(workspace.root) == 0o700
    # Every way to the open directories leads through that one.
    for mount in workspace.mounts():
        assert workspace.root in Path(mount.source).parents


def test_the_stop_file_says_why_who_and_until_when(workspace: Workspace) -> None:
    workspace.write_stop(reason="cancel", by="ann", deadline=1_700_000_000.5)
    content = json.loads((mounted(workspace) / "stop").read_bytes())
    assert content == {"reason": "cancel", "by": "ann", "deadline": 1_700_000_000.5}


def test_the_deadline_is_rewritten_when_it_moves(workspace: Workspace) -> None:
    for deadline in (1_700_000_000.0, 1_800_000_000.25):
        workspace.write_deadline(deadline)
        assert float((mounted(workspace) / "deadline").read_text()) == deadline


def test_a_warning_stands_until_it_is_withdrawn_and_is_told_once(workspace: Workspace) -> None:
    file = mounted(workspace) / "warning"
    assert workspace.write_warning(deadline=1_700_000_000.123456, seconds=30)
    assert json.loads(file.read_bytes()) == {"deadline": 1_700_000_000.123456, "seconds": 30}
    # Whoever takes over finds it there.
    again = Workspace(workspace.root.parents[2], an_id(1), 1)
    assert not again.write_warning(deadline=1_700_000_000.123456, seconds=20)
    assert json.loads(file.read_bytes())["seconds"] == 30
    assert workspace.write_warning(deadline=1_700_000_010.0, seconds=25)
    for _ in range(2):
        workspace.withdraw_warning()
        assert not file.exists()


def test_a_reader_never_sees_half_a_file(workspace: Workspace) -> None:
    inside = mounted(workspace)
    by = "x" * 100_000
    workspace.write_stop(reason="cancel", by=by, deadline=0)
    done = threading.Event()
    seen: set[float] = set()

    def read() -> None:
        while not done.is_set():
            content = json.loads((inside / "stop").read_bytes())
            assert content["by"] == by
            seen.add(content["deadline"])

    reader = threading.Thread(target=read)
    reader.start()
    for deadline in range(300):
        workspace.write_stop(reason="cancel", by=by, deadline=deadline)
    done.set()
    reader.join()
    assert seen
    assert not [path for path in inside.iterdir() if path.name.endswith(".new")]


def test_what_a_dead_attempt_left_is_gone_before_the_next_begins(workspace: Workspace) -> None:
    workspace.write_stop(reason="cancel", by="ann", deadline=0)
    (workspace.outputs / "old").write_bytes(b"old")
    workspace.create(inputs={"k": 4})
    assert list(workspace.outputs.iterdir()) == []
    assert not (mounted(workspace) / "stop").exists()
    assert json.loads((mounted(workspace) / "inputs.json").read_bytes()) == {"k": 4}


def test_removing_takes_all_of_it_and_nothing_else(tmp_path: Path, workspace: Workspace) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"precious")
    (workspace.outputs / "link").symlink_to(outside)
    (workspace.outputs / "file link").symlink_to(outside / "precious")
    os.link(outside / "precious", workspace.outputs / "hard link")
    os.mkfifo(workspace.outputs / "fifo")
    (workspace.outputs / os.fsdecode(b"\xff\n")).mkdir()
    closed = workspace.outputs / "closed"
    closed.mkdir()
    (closed / "file").write_bytes(b"x")
    closed.chmod(0o000)
    workspace.remove()
    assert not workspace.root.exists()
    assert not workspace.root.parent.exists()
    assert (outside / "precious").read_bytes() == b"precious"


def test_another_attempt_stays(tmp_path: Path, workspace: Workspace) -> None:
    second = Workspace(tmp_path / "data", an_id(1), 2)
    second.create(inputs={})
    workspace.remove()
    assert second.root.exists()
    assert not workspace.root.exists()
    second.remove()
    assert not second.root.parent.exists()


def test_removing_what_is_not_there_is_fine(tmp_path: Path) -> None:
    Workspace(tmp_path / "data", uuid4(), 1).remove()


def test_a_depth_bomb_is_removed(workspace: Workspace) -> None:
    """Deeper than any path may be long, than recursion goes, and than there are files to be opened."""
    dig(workspace.outputs, 2_500)
    before = len(list(Path("/proc/self/fd").iterdir()))
    try:
        workspace.remove()
    finally:
        subprocess.run(["rm", "-rf", workspace.root], check=True)
    assert not workspace.root.exists()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_removal_that_was_broken_off_is_completed(workspace: Workspace) -> None:
    for number in range(3):
        (workspace.root / f".doomed-{number}" / "0" / "deep").mkdir(parents=True)
        (workspace.root / f".doomed-{number}" / "0" / "file").touch()
    workspace.remove()
    assert not workspace.root.exists()


def test_a_directory_with_many_names_is_removed(workspace: Workspace) -> None:
    for number in range(2_000):
        (workspace.outputs / f"{number}").touch()
        (workspace.checkpoint / f"{number}").mkdir()
    workspace.remove()
    assert not workspace.root.exists()


def test_inputs_are_in_the_environment_as_text_or_json() -> None:
    inputs = {"name": "wine", "k": 3, "ratio": 0.5, "deep": {"a": [1, None]}, "on": True, "none": None}
    assert input_environment(inputs) == {
        "INPUT_NAME": "wine",
        "INPUT_K": "3",
        "INPUT_RATIO": "0.5",
        "INPUT_DEEP": '{"a":[1,null]}',
        "INPUT_ON": "true",
        "INPUT_NONE": "null",
    }


def test_an_input_that_no_environment_can_hold_is_only_in_the_file() -> None:
    assert input_environment({"large": "x" * 200_000, "small": "x"}) == {"INPUT_SMALL": "x"}


def test_a_hostile_file_is_opened_without_following_or_waiting(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"secret")
    (tmp_path / "link").symlink_to("target")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="symbolic links"):
        open_hostile(str(tmp_path / "link"))
    descriptor = open_hostile(str(tmp_path / "fifo"))
    os.close(descriptor)
    directory = os.open(tmp_path, os.O_RDONLY)
    descriptor = open_hostile("target", directory)
    assert os.read(descriptor, 10) == b"secret"
    os.close(descriptor)
    os.close(directory)


@pytest.mark.parametrize("path", ["a", "a/n", "a/n/x"])
def test_an_input_takes_no_place_of_what_others_have_left(workspace: Workspace, path: str) -> None:
    (workspace.make_input("a") / "n").write_text("1")
    with pytest.raises((FileExistsError, NotADirectoryError)):
        workspace.open_input(path)


def test_an_input_that_was_fetched_in_vain_is_written_again(workspace: Workspace) -> None:
    workspace.make_input("a")
    for content in (b"half", b"all of it"):
        with workspace.open_input("a/m") as file:
            file.write(content)
    assert (mounted(workspace) / "inputs" / "a" / "m").read_bytes() == b"all of it"
