"""A point that programs do not get past while a test looks."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

    from tailrace.testing.world import World

# Longer than anything takes that is not broken.
WITHIN = 10.0


class Hold:
    """Made by `Server.hold`. Within it programs stand at a step, or in the queue; at its end they go on."""

    def __init__(self, world: World, step: str | None) -> None:
        self._world = world
        self._step = step
        self._arrived: set[str] = set()

    def arrive(self, execution: str) -> None:
        """A program stands here. The lock is held."""
        self._arrived.add(execution)
        self._world.changed.notify_all()

    def reached(self, times: int = 1, *, within: float = WITHIN) -> list[str]:
        """Wait until so many programs stand here; the ids of their executions.

        Raises:
            AssertionError: They do not come, within so many seconds.
        """
        ends = time.monotonic() + within
        with self._world.changed:
            while len(self._arrived) < times:
                if not self._world.changed.wait(ends - time.monotonic()) and time.monotonic() >= ends:
                    came = len(self._arrived)
                    raise AssertionError(f"{came} of {times} came to the step `{self._step}` within {within:g} s.")
            return sorted(self._arrived)

    def __enter__(self) -> Self:
        with self._world.changed:
            self._world.holds[self._step] = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._world.changed:
            self._world.holds.pop(self._step, None)
            self._world.changed.notify_all()
