import asyncio
import io
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

import pytest
from process_probes import is_alive
from rich.console import Console as Terminal

from stack.console import Console
from stack.errors import StackError
from stack.processes import Program
from stack.supervisor import Backoff, Service, Supervisor
from support.eventually import eventually

QUICK = Backoff(first=0.01, ceiling=0.02)


class Screen(Console):
    """A console whose lines can be read."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        super().__init__(Terminal(file=self._file, width=80))

    def lines(self) -> list[str]:
        return self._file.getvalue().splitlines()


@pytest.fixture
def screen() -> Screen:
    return Screen()


def shell(script: str, screen: Screen, *, name: str = "child", patience: float = 5.0) -> Program:
    return Program(name, ["sh", "-c", script], console=screen, env=os.environ, patience=patience)


@asynccontextmanager
async def supervised(screen: Screen, *services: Service) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(screen, QUICK)
    try:
        await supervisor.start(*services)
        yield supervisor
    finally:
        await supervisor.stop()


async def test_lines_come_whole_and_behind_a_name(screen: Screen) -> None:
    program = shell("printf 'one\\ntw'; printf 'o\\nthree' >&2; exit 3", screen)
    assert await program.run() == 3
    assert screen.lines() == ["child    | one", "child    | two", "child    | three"]


async def test_a_long_line_is_neither_wrapped_nor_waited_for_without_end(screen: Screen) -> None:
    await shell("head -c 200000 /dev/zero | tr '\\0' x", screen).run()
    assert sum(line.count("x") for line in screen.lines()) == 200_000


async def test_markup_and_broken_utf8_are_shown_as_they_come(screen: Screen) -> None:
    await shell("printf '[bold]a[/bold] \\377\\n'", screen).run()
    assert screen.lines() == ["child    | [bold]a[/bold] �"]


async def test_a_program_that_ignores_sigterm_is_killed_with_its_children(screen: Screen) -> None:
    program = shell("trap '' TERM; sleep 600 & echo $!; while :; do wait; done", screen, patience=0.1)
    await program.start()
    grandchild = int((await eventually(screen.lines))[0].rpartition(" ")[2])
    leader = program.pid
    assert leader is not None
    await program.stop()
    assert program.pid is None
    await eventually(lambda: not is_alive(leader) and not is_alive(grandchild))


async def test_a_program_that_obeys_sigterm_says_its_last_words(screen: Screen) -> None:
    program = shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done", screen)
    await program.start()
    await eventually(screen.lines)
    await program.stop()
    assert screen.lines() == ["child    | ready", "child    | bye"]


async def test_what_dies_is_started_again_until_it_stays(screen: Screen, tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f"echo x >> {count}; [ $(wc -l < {count}) -ge 4 ] || exit 7; echo steady; exec sleep 600"
    async with supervised(screen, shell(script, screen)):
        await eventually(lambda: "child    | steady" in screen.lines())
    assert len(count.read_text().split()) == 4
    assert sum("child ended with status 7; starting it again" in line for line in screen.lines()) == 3


async def test_what_is_killed_is_started_again(screen: Screen) -> None:
    program = shell("echo up; exec sleep 600", screen)
    async with supervised(screen, program):
        await eventually(lambda: "child    | up" in screen.lines())
        assert program.pid is not None
        os.kill(program.pid, signal.SIGKILL)
        await eventually(lambda: screen.lines().count("child    | up") == 2)
    assert any("child was ended by signal 9" in line for line in screen.lines())


def test_the_delay_grows_up_to_its_ceiling() -> None:
    backoff = Backoff(first=1.0, factor=2.0, ceiling=5.0)
    assert list(islice(backoff.delays(), 5)) == [1.0, 2.0, 4.0, 5.0, 5.0]


class Stage:
    """A service that keeps a diary."""

    def __init__(self, name: str, diary: list[str], *, refuses: bool = False) -> None:
        self.name = name
        self._diary = diary
        self._refuses = refuses

    async def start(self) -> None:
        if self._refuses:
            raise StackError(f"{self.name} refuses")
        self._diary.append(f"start {self.name}")

    async def wait(self) -> int:
        await asyncio.Event().wait()
        return 0

    async def stop(self) -> None:
        self._diary.append(f"stop {self.name}")


async def test_the_group_that_was_started_last_is_stopped_first(screen: Screen) -> None:
    diary: list[str] = []
    async with supervised(screen, Stage("servers", diary)) as supervisor:
        await supervisor.start(Stage("programs", diary))
    assert diary == ["start servers", "start programs", "stop programs", "stop servers"]


async def test_a_group_of_which_one_does_not_start_is_stopped_as_a_whole(screen: Screen) -> None:
    diary: list[str] = []
    with pytest.raises(StackError, match="bad refuses"):
        async with supervised(screen, Stage("good", diary), Stage("bad", diary, refuses=True)):
            pass
    assert diary == ["start good", "stop good", "stop bad"]


START_AND_WAIT = """
import asyncio, os
from stack.console import Console
from stack.processes import Program

async def main():
    await Program("child", ["sh", "-c", "echo $$; exec sleep 600"], console=Console(), env=os.environ).start()
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_programs_die_with_the_stack(python: Callable[..., subprocess.Popen[str]]) -> None:
    parent = python("-c", START_AND_WAIT)
    assert parent.stdout is not None
    child = int((await asyncio.to_thread(parent.stdout.readline)).rpartition("|")[2])
    assert is_alive(child)
    parent.kill()
    await eventually(lambda: not is_alive(child))


INTERRUPTIBLE = """
import asyncio
from stack.interrupts import until_interrupted

async def work():
    try:
        print("working")
        await asyncio.Event().wait()
    finally:
        for step in range(3):
            await asyncio.sleep(0.1)
        print("cleaned up")

print("finished" if until_interrupted(work()) else "interrupted")
"""


@pytest.mark.parametrize("interrupt", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_an_interrupt_ends_the_work_in_order_and_a_second_one_changes_nothing(
    interrupt: signal.Signals, python: Callable[..., subprocess.Popen[str]]
) -> None:
    worker = python("-c", INTERRUPTIBLE)
    assert worker.stdout is not None
    assert await asyncio.to_thread(worker.stdout.readline) == "working\n"
    worker.send_signal(interrupt)
    worker.send_signal(interrupt)
    assert await asyncio.to_thread(worker.stdout.read) == "cleaned up\ninterrupted\n"
    assert worker.wait() == 0
