"""`make demo`: everything from nothing, then the example three times: to its end, stopped half-way, and resumed."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.settings import Settings
from stack.console import Console
from stack.credentials import read_or_make_token
from stack.demo_view import follow, show_records
from stack.engine import Engine, ensure_engine
from stack.errors import StackError, StackRunning
from stack.examples import IMAGE, build_examples
from stack.images import ensure_images
from stack.interrupts import until_interrupted
from stack.local import Stack, claimed, local_stack
from stack.lock import RunningStack
from stack.ports import free_port
from stack.web import ensure_web
from tailrace import AsyncClient, AsyncHandle, Conflict, TailraceError

COMMAND = ["python3", "/examples/kmeans/kmeans.py"]
# A few seconds of work, so that there is something to stop.
INPUTS = {"restarts": 160}
LIMITS = {"timeout": 120}
STOP_AT_PERCENT = 40
# Far more than it takes: only for what would otherwise never end.
EXECUTION_SECONDS = 180
CLEANUP_SECONDS = 20
EXPECTED = ["succeeded", "canceled", "succeeded"]


def demo(settings: Settings, console: Console) -> int:
    """Run it; the exit status. Raises `StackError` when something cannot be set up."""
    if "port" not in settings.model_fields_set:
        settings = settings.model_copy(update={"port": free_port(settings.host)})
    try:
        with claimed(settings):
            engine = _prepare_engine(settings, console)
            ensure_web(settings, console.say)
            verdict = _run(local_stack(settings, console), settings, console)
    except StackRunning as running:
        stack = _running_stack(settings, running)
        console.say(f"a stack is running on {settings.data} already: using it ({stack.url})")
        engine = _prepare_engine(settings, console)
        verdict = _run(nullcontext(stack), settings, console)
    console.say(engine.farewell or "nothing that was started here is left running")
    return verdict


def _prepare_engine(settings: Settings, console: Console) -> Engine:
    engine = ensure_engine(settings.docker_host, say=console.say)
    ensure_images(engine, say=console.say)
    with engine.client() as client:
        build_examples(client)
    return engine


def _running_stack(settings: Settings, running: StackRunning) -> Stack:
    record = RunningStack.read(settings.data / "run")
    if record is None or record.pid != running.pid:
        raise StackError(f"The stack of process {running.pid} is not ready yet: try again in a moment") from running
    return Stack(record.url, read_or_make_token(settings.data))


def _run(stack: AbstractAsyncContextManager[Stack], settings: Settings, console: Console) -> int:
    story = Story(console, settings.data / "demo")
    finished = until_interrupted(story.tell(stack))
    if not finished:
        console.say("interrupted")
    return 0 if finished and story.went_as_promised() else 1


@dataclass
class Story:
    """Three executions of the same program on the same input."""

    console: Console
    directory: Path
    handles: list[AsyncHandle] = field(default_factory=list)
    lines: list[list[str]] = field(default_factory=list)
    outputs: list[list[str]] = field(default_factory=list)

    async def tell(self, stack: AbstractAsyncContextManager[Stack]) -> None:
        """All of it. However it ends, no execution of it is left running."""
        async with stack as running, AsyncClient(running.url, running.token) as client:
            shutil.rmtree(self.directory, ignore_errors=True)
            try:
                await self._three_executions(client)
            except TailraceError as error:
                raise StackError(str(error)) from error
            finally:
                await self._leave_nothing_running()
            show_records(self.console, [handle.record for handle in self.handles])
            for number, files in enumerate(self.outputs, start=1):
                where = f"{self.directory / str(number)}: {', '.join(files)}" if files else "none"
                self.console.say(f"outputs of wine-{number}: {where}")
            self._say_what_is_wrong()

    async def _three_executions(self, client: AsyncClient) -> None:
        self.console.say("1: the program runs to its end")
        await self._execute(client)
        self.console.say(f"2: the same again, asked to stop at {STOP_AT_PERCENT} %")
        await self._execute(client, stop_at=STOP_AT_PERCENT)
        self.console.say("3: a new execution goes on from the checkpoint of the second")
        await self._execute(client, resume_from=self.handles[-1].id)

    async def _execute(
        self, client: AsyncClient, *, stop_at: int | None = None, resume_from: str | None = None
    ) -> None:
        number = len(self.handles) + 1
        name = f"wine-{number}"
        handle = await client.run(IMAGE, COMMAND, inputs=INPUTS, limits=LIMITS, name=name, resume_from=resume_from)
        self.handles.append(handle)
        try:
            async with asyncio.timeout(EXECUTION_SECONDS):
                self.lines.append(await follow(handle, self.console, name=name, stop_at=stop_at))
        except TimeoutError:
            raise StackError(f"{name} ({handle.id}) has not ended after {EXECUTION_SECONDS} s") from None
        directory = self.directory.resolve() / str(number)
        files = await handle.outputs.download(directory)
        self.outputs.append([str(file.relative_to(directory)) for file in files])

    async def _leave_nothing_running(self) -> None:
        try:
            async with asyncio.timeout(CLEANUP_SECONDS):
                for handle in self.handles:
                    if not handle.record.ended:
                        with suppress(Conflict):
                            await handle.kill()
                        await handle.wait()
        except (TimeoutError, TailraceError) as error:
            self.console.say(f"the last execution could not be stopped ({error!r}); the next `make up` takes it over")

    def went_as_promised(self) -> bool:
        """Whether everything happened that was to be shown."""
        return not self._what_is_wrong()

    def _say_what_is_wrong(self) -> None:
        for wrong in self._what_is_wrong():
            self.console.say(f"NOT AS IT SHOULD BE: {wrong}")

    def _what_is_wrong(self) -> list[str]:
        records = [handle.record for handle in self.handles]
        statuses = [record.status for record in records]
        if statuses != EXPECTED:
            return [f"the statuses are {statuses}, not {EXPECTED}"]
        first, second, third = records
        checks = {
            "the second did not say that it saved a checkpoint": _says(self.lines[1], "saving the checkpoint"),
            "the third does not name the second as its origin": third.lineage.resumed_from == second.id,
            "the third did not say that it resumed": _says(self.lines[2], "resuming after"),
            "the third found something else than the first": first.result == third.result,
        }
        return [wrong for wrong, holds in checks.items() if not holds]


def _says(lines: list[str], what: str) -> bool:
    return any(what in line for line in lines)
