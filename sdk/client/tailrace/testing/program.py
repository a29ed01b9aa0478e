"""A program of a test while it runs, and how it ended."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from inspect import isgenerator
from typing import TYPE_CHECKING, Any, NamedTuple

from tailrace.testing.job import Behaviour, Ends, Job, Killed, Run, Stopped

if TYPE_CHECKING:
    from tailrace.testing.execution import Execution

TERMINATED, KILLED = 128 + 15, 128 + 9


class Exit(NamedTuple):
    """How a program ended: its code, or why it has none of its own."""

    code: int | None
    cause: str | None = None
    message: str | None = None
    oom_killed: bool = False


class Program:
    """One run of a function, in a thread of its own."""

    def __init__(self, execution: Execution, behaviour: Behaviour) -> None:
        self._execution = execution
        self._world = execution.world
        self._behaviour = behaviour
        self._run = Run()
        self._job = Job(execution, self._run)
        self.exit: Exit | None = None

    @property
    def outputs(self) -> dict[str, bytes]:
        """The files that it has written so far."""
        return dict(self._run.outputs)

    def kill(self) -> None:
        """Nobody waits for it any more; it finds out at its next word. The lock is held."""
        self._run.killed = True
        self._world.changed.notify_all()

    def run(self) -> None:
        """To its end, in a thread of its own."""
        exit = self._exit()  # noqa: A001  that is what it is
        with self._world.changed:
            # Who is killed has no last word.
            self.exit = Exit(KILLED) if self._execution.forced else exit
            self._world.changed.notify_all()

    def _exit(self) -> Exit:
        try:
            answer = self._behaviour(self._job)
            if isgenerator(answer):
                answer = self._say_all(answer)
        except (Stopped, Killed) as signal:
            return Exit(TERMINATED if isinstance(signal, Stopped) else KILLED)
        except Ends as end:
            return Exit(None, end.cause, end.message)
        except MemoryError:
            return Exit(KILLED, oom_killed=True)
        except SystemExit as error:
            return self._left(error.code)
        except BaseException:  # noqa: BLE001  a program may raise anything
            return self._crashed()
        return self._left(answer)

    def _say_all(self, lines: Any) -> Any:
        signal: BaseException | None = None
        while True:
            try:
                # A signal comes where the program is, so that it can be caught there.
                line = next(lines) if signal is None else lines.throw(signal)
            except StopIteration as end:
                return end.value
            signal = None
            try:
                self._job.say(line)
            except (Stopped, Killed) as raised:
                signal = raised

    def _left(self, answer: object) -> Exit:
        """As Python reads what a program leaves with."""
        if answer is None or isinstance(answer, int):
            return Exit(int(answer or 0) & 255)
        self._complain(str(answer).split("\n"))
        return Exit(1)

    def _crashed(self) -> Exit:
        self._complain(traceback.format_exc().rstrip("\n").split("\n"))
        return Exit(1)

    def _complain(self, lines: Iterable[str]) -> None:
        with self._world.changed:
            for line in lines:
                self._execution.tell(line, "stderr")
