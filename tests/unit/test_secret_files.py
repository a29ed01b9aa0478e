"""Secrets of an attempt are files in memory, in a place that is the worker's alone."""

import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from worker.secret_files import NoMemory, SecretFiles, _is_in_memory

MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own below it


def test_they_are_written_replaced_and_removed() -> None:
    place, execution = MEMORY / f"tailrace-test-{uuid4().hex}", uuid4()
    try:
        first, second = SecretFiles(place, execution, 1), SecretFiles(place, execution, 2)
        first.write({"OLD": "a"})
        first.write({"TOKEN": "né"})
        second.write({"TOKEN": "b"})
        assert place.stat().st_mode & 0o777 == 0o700
        (file,) = first.directory.iterdir()
        assert (file.name, file.read_text(), file.stat().st_mode & 0o777) == ("TOKEN", "né", 0o444)
        first.remove()
        first.remove()
        assert (second.directory / "TOKEN").read_text() == "b"
        second.remove()
        assert list(place.iterdir()) == []
        place.chmod(0o755)
        first.write({"TOKEN": "a"})
        assert place.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(place)


def test_a_place_that_somebody_else_made_is_not_used(tmp_path: Path) -> None:
    place = MEMORY / f"tailrace-test-{uuid4().hex}"
    place.symlink_to(tmp_path)
    try:
        with pytest.raises(NoMemory, match="own"):
            SecretFiles(place, uuid4(), 1).write({"TOKEN": "a"})
    finally:
        place.unlink()


def test_where_nobody_may_look_there_is_nothing_to_remove() -> None:
    place = MEMORY / ("x" * 300)
    with pytest.raises(OSError, match="too long"):
        place.exists()
    SecretFiles(place, uuid4(), 1).remove()


def test_a_disk_is_no_memory() -> None:
    assert _is_in_memory(MEMORY / "below" / "it")
    assert not _is_in_memory(Path("/proc"))
