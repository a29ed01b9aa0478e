"""The host's side of `/tailrace`: what a program finds in its container, and how we read what it leaves.

<data>/work/<execution>/<attempt>/     only the worker may enter
    mount/          → /tailrace              read-only in the container; only the worker writes here
    outputs/        → /tailrace/outputs      the program writes: hostile
    checkpoint/     → /tailrace/checkpoint   the program writes: hostile
    events          → /tailrace/events       the program writes: hostile
                    → /tailrace/secrets      in memory, see `worker/secret_files.py`; read-only in the container
    stages          → /tailrace/stages       our script in the container writes, and the program may: hostile
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID, uuid4

import orjson

from worker.engine.port import Mount
from worker.secret_files import SecretFiles

TARGET = "/tailrace"
KIT = Path(__file__).resolve().parent.parent / "sdk" / "job" / "tailrace_job.py"
KIT_TARGET = f"{TARGET}/python"
STAGES_SCRIPT = "stages.sh"
STAGES_SOURCE = Path(__file__).resolve().parent / STAGES_SCRIPT
# Linux's limit on one argument or environment string, its closing NUL included.
ENVIRONMENT_STRING_BYTES = 131_071
OPEN_DIRECTORY = 0o777
OPEN_FILE = 0o666


class Workspace:
    """The directory of one attempt. Every write is a temporary file and a rename, in the part that only we write."""

    def __init__(self, data: Path, execution: UUID, attempt: int, *, secrets: Path | None = None) -> None:
        self.root = data / "work" / str(execution) / str(attempt)
        self.outputs = self.root / "outputs"
        self.checkpoint = self.root / "checkpoint"
        self.events = self.root / "events"
        self.stages = self.root / "stages"
        # Elsewhere: they are in memory.
        self._secrets = SecretFiles(secrets, execution, attempt) if secrets is not None else None
        self._mount = self.root / "mount"
        # Those that are ours: they may be written again, others are what it needs.
        self._inputs: set[Path] = set()

    def create(self, *, inputs: Mapping[str, Any]) -> None:
        """Make it, empty but for the inputs and the kit; what a dead attempt of this number left is removed."""
        self.remove()
        self.root.mkdir(parents=True, mode=0o700)
        # Any user id of an image may look and write, but gets here only through its own container's mounts.
        for directory in (self._mount, self._mount / "inputs", self._mount / "python"):
            _make(directory, 0o755)
        for directory in (self._mount / "outputs", self._mount / "checkpoint"):
            _make(directory, 0o755)
        for directory in (self.outputs, self.checkpoint):
            _make(directory, OPEN_DIRECTORY)
        self.events.touch()
        self.events.chmod(OPEN_FILE)
        (self._mount / "events").touch()
        self._write("inputs.json", orjson.dumps(dict(inputs), option=orjson.OPT_INDENT_2))
        self._write("python/tailrace_job.py", KIT.read_bytes())

    def make_stages(self) -> None:
        """The script that runs the stages, and the file in which it notes how far they have come."""
        self.stages.touch()
        self.stages.chmod(OPEN_FILE)
        (self._mount / "stages").touch()
        self._write(STAGES_SCRIPT, STAGES_SOURCE.read_bytes())

    def make_secrets(self, values: Mapping[str, str]) -> None:
        """Files in memory, by their names. Raises `NoMemory`, `OSError`."""
        if self._secrets is not None:
            self._secrets.write(values)
        _make(self._mount / "secrets", 0o755)

    def forget_secrets(self) -> None:
        """They go, whatever else stays."""
        if self._secrets is not None:
            self._secrets.remove()

    def mounts(self, *, stages: bool = False, secrets: bool = False) -> tuple[Mount, ...]:
        """What the engine mounts, parents first; with `stages` also the file of these, with `secrets` those files."""
        of_stages = (Mount(str(self.stages), f"{TARGET}/stages", read_only=False),) if stages else ()
        of_secrets: tuple[Mount, ...] = ()
        if secrets and self._secrets is not None:
            of_secrets = (Mount(str(self._secrets.directory), f"{TARGET}/secrets", read_only=True),)
        return (
            Mount(str(self._mount), TARGET, read_only=True),
            Mount(str(self.outputs), f"{TARGET}/outputs", read_only=False),
            Mount(str(self.checkpoint), f"{TARGET}/checkpoint", read_only=False),
            Mount(str(self.events), f"{TARGET}/events", read_only=False),
            *of_stages,
            *of_secrets,
        )

    def written(self) -> tuple[Path, ...]:
        """All that the program writes on this host."""
        return tuple(path for path in (self.outputs, self.checkpoint, self.events, self.stages) if path.exists())

    def make_input(self, name: str) -> Path:
        """A new directory of `inputs/`, empty; `name` is one that a batch takes for a key."""
        directory = self._mount / "inputs" / name
        _make(directory, 0o755)
        return directory

    def open_input(self, path: str) -> BinaryIO:
        """A file of `inputs/` to write into, with the directories that it lies in. `path` is one that a submission may
        name. Raises `FileExistsError` and `NotADirectoryError` if something else is there.
        """
        target, folder = self._mount / "inputs" / path, self._mount / "inputs"
        for part in path.split("/")[:-1]:
            folder /= part
            if not folder.is_dir():
                _make(folder, 0o755)
        if target.exists() and target not in self._inputs:
            raise FileExistsError(path)
        opened = target.open("wb")
        self._inputs.add(target)
        target.chmod(0o644)
        return opened

    def write_stop(self, *, reason: str, by: str, deadline: float) -> None:
        """Ask the program to stop; `deadline` is when it is killed, unix seconds."""
        self._write("stop", orjson.dumps({"reason": reason, "by": by, "deadline": deadline}))

    def withdraw_stop(self) -> None:
        """Take back what `write_stop` asked."""
        (self._mount / "stop").unlink(missing_ok=True)

    def write_deadline(self, deadline: float) -> None:
        """When the program's time is over, unix seconds."""
        self._write("deadline", f"{deadline:.3f}\n".encode())

    def write_warning(self, *, deadline: float, seconds: int) -> bool:
        """Warn the program, so many seconds ahead, of when its time is over. False if it is warned of that already."""
        warned = self._mount / "warning"
        if warned.exists() and orjson.loads(warned.read_bytes())["deadline"] == deadline:
            return False
        self._write(warned.name, orjson.dumps({"deadline": deadline, "seconds": seconds}))
        return True

    def withdraw_warning(self) -> None:
        """Its time is not over so soon."""
        (self._mount / "warning").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all of it. Never follows a link; a file that cannot be removed is an error."""
        self.forget_secrets()
        if self.root.exists():
            remove_tree(self.root)
        # Another attempt may still be there.
        try:
            self.root.parent.rmdir()
        except OSError:
            return

    def _write(self, name: str, content: bytes) -> None:
        path = self._mount / name
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(content)
        temporary.chmod(0o644)
        temporary.replace(path)


def list_workspaces(data: Path) -> list[tuple[UUID, int]]:
    """Execution and attempt of every workspace there is; whatever else lies there is not ours to know."""
    found = []
    for root in (data / "work").glob("*/*"):
        with suppress(ValueError):
            found.append((UUID(root.parent.name), int(root.name)))
    return found


def remove_tree(root: Path) -> None:
    """Remove a tree however deep a program made it: no recursion, no long path, and few files open.

    Each directory is moved up, next to the others, before it is emptied.
    """
    doomed = root / f".doomed-{uuid4().hex}"
    doomed.mkdir(mode=0o700)
    with _opened(doomed) as beside:
        moved = _empty(root, beside, 0, spare=doomed.name)
        for number in itertools.count():
            if number == moved:
                break
            moved = _empty(doomed / str(number), beside, moved)
            os.rmdir(str(number), dir_fd=beside)
    doomed.rmdir()
    root.rmdir()


def _empty(directory: Path, beside: int, moved: int, *, spare: str | None = None) -> int:
    """Unlink what is in a directory, and move directories to `beside` under the next numbers; how many that are now."""
    with _opened(directory) as descriptor:
        while True:
            # What is removed while it is listed may hide something else from this listing.
            with os.scandir(descriptor) as entries:
                left = 0
                for entry in entries:
                    if entry.name == spare:
                        continue
                    left += 1
                    if entry.is_dir(follow_symlinks=False):
                        os.rename(entry.name, str(moved), src_dir_fd=descriptor, dst_dir_fd=beside)
                        moved += 1
                    else:
                        os.unlink(entry.name, dir_fd=descriptor)
            if left == 0:
                return moved


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _make(directory: Path, mode: int) -> None:
    directory.mkdir()
    # mkdir's mode is cut by the umask.
    directory.chmod(mode)


def input_environment(inputs: Mapping[str, Any]) -> dict[str, str]:
    """`INPUT_<NAME>` per input: strings as they are, everything else as JSON.

    What no environment can hold is left out; `inputs.json` has everything.
    """
    texts = {
        f"INPUT_{name.upper()}": value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in inputs.items()
    }
    return {name: text for name, text in texts.items() if len(f"{name}={text}".encode()) <= ENVIRONMENT_STRING_BYTES}


def open_hostile(name: str, directory: int | None = None) -> int:
    """Open a file that the program may have replaced: never a link, never waiting on a FIFO. Raises `OSError`."""
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
