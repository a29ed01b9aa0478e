"""What a program of a test finds where a real one has its container."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tailrace._document import moment
from tailrace.testing.execution import written

if TYPE_CHECKING:
    from tailrace.testing.execution import Execution

Behaviour = Callable[["Job"], Any]
"""A program: a function that returns its exit code, or nothing for 0. What a generator yields are its lines."""


class Stopped(BaseException):
    """The program is asked to stop, by `reason`: `cancel` or `timeout`. Like a signal it comes once, wherever the
    program is by then, unless it has looked at `job.stopping`. Like a `KeyboardInterrupt` it is no `Exception`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Killed(BaseException):
    """Nobody waits for the program any more."""


class Ends(Exception):
    """Raised by a program to end for a cause that is not its own doing: `raise Ends("host_lost")`.

    `cause` is any of docs/api.md, "Causes"; `message` says more.
    """

    def __init__(self, cause: str, message: str | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        self.message = message


@dataclass
class Run:
    """What a job and whoever watches it share: files written, and whether nobody waits for it any more."""

    outputs: dict[str, bytes] = field(default_factory=dict)
    killed: bool = False


class Job:
    """One run of a program: what it was given, and what it can do."""

    def __init__(self, execution: Execution, run: Run) -> None:
        self._execution = execution
        self._world = execution.world
        self._run = run
        self._told = False

    @property
    def id(self) -> str:
        """Of its execution."""
        return self._execution.id

    @property
    def image(self) -> str:
        """As it was submitted."""
        return str(self._execution.spec["image"])

    @property
    def command(self) -> list[str]:
        """Its arguments; empty for the image's own."""
        return list(self._execution.spec["command"] or [])

    @property
    def env(self) -> Mapping[str, str]:
        """Its variables, with secrets and inputs as a container has them."""
        spec = self._execution.spec
        inputs = {
            f"INPUT_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in spec["inputs"].items()
        }
        place = self._execution.place or {}
        own = {
            "TAILRACE_EXECUTION_ID": self.id,
            "TAILRACE_ATTEMPT": str(self.attempt),
            **({"TAILRACE_BATCH_ID": place["id"], "TAILRACE_BATCH_INDEX": str(place["index"])} if place else {}),
        }
        return {**inputs, **spec["env"], **spec["secrets"], **own}

    @property
    def inputs(self) -> Mapping[str, Any]:
        """JSON by name."""
        return dict(self._execution.spec["inputs"])

    @property
    def files(self) -> Mapping[str, bytes]:
        """Input files by path."""
        return {path: self._content(source) for path, source in self._execution.spec["files"].items()}

    @property
    def labels(self) -> Mapping[str, str]:
        """As they are now."""
        return dict(self._execution.spec["labels"])

    @property
    def attempt(self) -> int:
        """1 is the first."""
        return self._execution.attempt

    @property
    def checkpoint(self) -> dict[str, bytes]:
        """The files of its checkpoint, to read and to write. To look at it is to say that it saves checkpoints."""
        with self._world.changed:
            self._execution.announced = True
            return self._execution.checkpoint

    def say(self, text: object = "", stream: str = "stdout") -> None:
        """Print a line, or several, to `stdout` or `stderr`."""
        with self._world.changed:
            self._go_on()
            for line in str(text).split("\n"):
                self._execution.tell(line, stream)

    def progress(self, percent: int | None = None, phase: str | None = None) -> None:
        """Say how far it is, 0 to 100, and what it does."""
        with self._world.changed:
            self._go_on()
            self._execution.updated_at = self._execution.now()
            at = written(self._execution.updated_at)
            self._execution.progress = {"percent": percent, "phase": phase, "at": at}
            self._world.changed.notify_all()

    def warn(self, text: str) -> None:
        """Add a warning to the record."""
        with self._world.changed:
            self._go_on()
            self._execution.warnings.append(text)
            self._world.changed.notify_all()

    def result(self, value: Any) -> None:
        """Say what its result is: JSON."""
        with self._world.changed:
            self._go_on()
            self._execution.result = json.loads(json.dumps(value))
            self._world.changed.notify_all()

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file to its outputs, which are collected when it ends."""
        with self._world.changed:
            self._go_on()
            self._run.outputs[path] = content.encode() if isinstance(content, str) else content

    @property
    def stopping(self) -> bool:
        """Whether it is asked to stop, or to save a checkpoint and stop: then save, and return 85."""
        with self._world.changed:
            asked = self._is_asked
            self._told = self._told or asked
            return asked

    def wait_for_stop(self) -> None:
        """Do nothing until it is asked to stop."""
        with self._world.changed:
            while not self._is_asked:
                self._go_on()
                self._world.changed.wait()
            self._told = True
            self._go_on()

    def step(self, name: str) -> None:
        """Come to a point where a test may hold it: `with server.hold(name)`. Without such a test it goes on.

        Who is asked to stop meanwhile finds out behind it.
        """
        with self._world.changed:
            self._go_on()
            while (hold := self._world.holds.get(name)) is not None:
                hold.arrive(self.id)
                self._world.changed.wait()
                self._stand_still()

    def sleep(self, seconds: float) -> None:
        """Let time pass for this execution, in which its clocks may run out. Nobody waits for that."""
        with self._world.changed:
            self._go_on()
            execution = self._execution
            until = execution.now() + timedelta(seconds=seconds)
            limit = moment(execution.stop["deadline"]) if execution.stop else execution.deadline
            until = until if limit is None else min(until, limit)
            execution.skipped += max(0.0, (until - execution.now()).total_seconds())
            execution.look_at_clocks()
            self._go_on()

    @property
    def _is_asked(self) -> bool:
        pause = self._execution.pause
        to_save = pause is not None and pause["mode"] == "checkpoint" and self._execution.announced
        return self._execution.stop is not None or to_save

    def _go_on(self) -> None:
        """Raises what a signal would do to it, and whatever `_stand_still` does. The lock is held."""
        self._stand_still()
        stop = self._execution.stop
        # What saves checkpoints finds a note first, and would be sent a signal later.
        if stop is not None and not self._told and not self._execution.announced:
            self._told = True
            raise Stopped(stop["reason"])

    def _stand_still(self) -> None:
        """While it is frozen. Raises `Killed`."""
        while True:
            if self._run.killed or self._execution.forced or self._world.closed:
                raise Killed
            if self._execution.status != "paused":
                return
            self._world.changed.wait()

    def _content(self, source: Mapping[str, str]) -> bytes:
        if "id" in source:
            return self._world.files[source["id"]].content
        if "base64" in source:
            try:
                return base64.b64decode(source["base64"])
            except binascii.Error:
                return b""
        return source.get("text", "").encode()
