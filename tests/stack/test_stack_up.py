"""The whole stack, as `make up` and `make demo` start it."""

import os
import re
import signal
import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from process_probes import is_alive

from stack.engine import Engine
from stack.lock import RunningStack
from stack.ports import free_port
from support.eventually import eventually

START = 90.0
Python = Callable[..., subprocess.Popen[str]]

pytestmark = pytest.mark.usefixtures("images")


class Terminal:
    """A process and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self._lines.extend(iter(self.process.stdout.readline, ""))

    def text(self) -> str:
        return "".join(self._lines)

    def shows(self, pattern: str) -> str | None:
        """What the pattern found: its group, if it has one."""
        found = re.search(pattern, self.text())
        return found.group(found.lastindex or 0) if found else None

    async def ended(self) -> int:
        await eventually(lambda: self.process.poll() is not None, within=START)
        self._reader.join()
        return self.process.returncode


@pytest.fixture
def up(engine: Engine, data: Path, python: Python) -> Callable[[], Terminal]:
    """Start `make up` on the data directory of the test, and a port of its own."""
    environment = {"TAILRACE_DATA": str(data), "TAILRACE_PORT": str(free_port("127.0.0.1"))}
    environment["DOCKER_HOST"] = engine.docker_host
    return lambda: Terminal(python("-m", "stack", "up", env=environment))


async def until_up(terminal: Terminal) -> tuple[str, str]:
    """The URL and the token, once they are on the screen."""
    token = await eventually(lambda: terminal.shows(r"admin token +(\S+)"), within=START)
    return terminal.shows(r"monitor +(http\S+)") or "", token or ""


def children_of(pid: int) -> dict[str, int]:
    """The child processes by their last word: `app`, `worker`, …"""
    children = (Path("/proc") / str(pid) / "task" / str(pid) / "children").read_text().split()
    words = {child: (Path("/proc") / child / "cmdline").read_text().split("\0") for child in children}
    return {line[-2]: int(child) for child, line in words.items() if len(line) > 1}


async def test_up_serves_and_stops_in_order(up: Callable[[], Terminal], data: Path) -> None:
    terminal = up()
    url, token = await until_up(terminal)
    children = children_of(terminal.process.pid)
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/v1/executions")).status_code == 401
        answer = await client.get("/v1/executions", headers={"Authorization": f"Bearer {token}"})
        assert answer.json() == {"items": [], "next": None}
        assert (await client.get("/docs")).status_code == 200
        page, _, ticket = (terminal.shows(r"log in +(\S+)") or "").partition("#")
        assert (await client.get(page)).status_code == 200
        begun = await client.post("/v1/session", headers={"Authorization": f"Bearer {ticket}"})
        assert begun.status_code == 201
    assert (data / "token").read_text().strip() == token
    assert stat.S_IMODE((data / "token").stat().st_mode) == 0o600
    assert stat.S_IMODE((data / "run").stat().st_mode) == 0o700

    terminal.process.send_signal(signal.SIGINT)
    assert await terminal.ended() == 0, terminal.text()
    assert not any(is_alive(child) for child in children.values())
    assert len(children) == 4
    assert "Traceback" not in terminal.text()
    assert RunningStack.read(data / "run") is None


async def test_a_second_up_on_the_same_directory_is_refused_and_harms_nothing(up: Callable[[], Terminal]) -> None:
    first = up()
    url, _ = await until_up(first)
    second = up()
    assert await second.ended() == 1
    assert second.shows(rf"already running on .* \(process {first.process.pid}\)"), second.text()
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/readyz")).status_code == 200
    first.process.terminate()
    assert await first.ended() == 0


async def test_what_is_killed_comes_back_servers_included(up: Callable[[], Terminal]) -> None:
    terminal = up()
    url, token = await until_up(terminal)
    killed = set(children_of(terminal.process.pid).values())
    for child in killed:
        os.kill(child, signal.SIGKILL)

    def are_back() -> bool:
        now = set(children_of(terminal.process.pid).values())
        return len(now) == len(killed) == 4 and not now & killed

    await eventually(are_back, within=START)

    async def answers() -> bool:
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
            try:
                return (await client.get("/v1/executions")).is_success
            except httpx.TransportError:
                return False

    await eventually(answers, within=START)
    terminal.process.terminate()
    assert await terminal.ended() == 0


async def test_after_a_kill_of_everything_the_same_stack_comes_up_again(up: Callable[[], Terminal]) -> None:
    first = up()
    _, token = await until_up(first)
    children = children_of(first.process.pid)
    first.process.kill()
    await eventually(lambda: not any(is_alive(child) for child in children.values()))
    second = up()
    assert (await until_up(second))[1] == token
    second.process.terminate()
    assert await second.ended() == 0


@pytest.mark.slow
async def test_the_demonstration_keeps_its_promise(data: Path, python: Python) -> None:
    terminal = Terminal(python("-m", "stack", "demo", env={"TAILRACE_DATA": str(data)}))
    assert await terminal.ended() == 0, terminal.text()
    for number, file in ((1, "plot.svg"), (3, "plot.svg")):
        assert (data / "demo" / str(number) / file).stat().st_size > 0
    assert (data / "demo" / "1" / "result.json").read_text() == (data / "demo" / "3" / "result.json").read_text()
    assert terminal.shows("saving the checkpoint")
    assert terminal.shows("resuming after")


@pytest.mark.slow
async def test_the_demonstration_uses_a_stack_that_is_up(
    up: Callable[[], Terminal], data: Path, python: Python
) -> None:
    running = up()
    url, _ = await until_up(running)
    terminal = Terminal(python("-m", "stack", "demo", env={"TAILRACE_DATA": str(data)}))
    assert await terminal.ended() == 0, terminal.text()
    assert terminal.shows(f"using it \\({re.escape(url)}\\)")
    assert running.process.poll() is None
    running.process.terminate()
    assert await running.ended() == 0
