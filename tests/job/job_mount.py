"""What a container sees of Tailrace, made by hand in a temporary directory, and real programs running against it."""

import asyncio
import json
import os
import sys
import textwrap
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
KIT = REPOSITORY / "sdk" / "job"


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


@dataclass
class Mount:
    """The directory that `TAILRACE_DIR` names; `start` and `run` execute programs in an empty directory beside it."""

    path: Path
    home: Path
    _started: list[Process] = field(default_factory=list)

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    @property
    def outputs(self) -> Path:
        return self.path / "outputs"

    def put(self, name: str, content: str) -> None:
        """Write a file as the worker does: complete under another name, then renamed."""
        draft = self.path / f".{name}.new"
        draft.write_text(content)
        draft.replace(self.path / name)

    def stop(self, **notice: object) -> None:
        self.put("stop", json.dumps(notice))

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.path / "events").read_text().splitlines()]

    async def start(self, *argv: str | Path, mounted: bool = True, **env: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=self.home,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(KIT),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONUNBUFFERED": "1",
                "TAILRACE_DIR": str(self.path if mounted else self.path / "absent"),
                **env,
            },
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        self._started.append(process)
        return process

    async def start_python(self, program: str, *, mounted: bool = True, **env: str) -> Process:
        program = "import json, os, sys\nimport tailrace_job\n" + textwrap.dedent(program)
        return await self.start(sys.executable, "-c", program, mounted=mounted, **env)

    async def run(self, *argv: str | Path, mounted: bool = True, **env: str) -> Finished:
        return await finish(await self.start(*argv, mounted=mounted, **env))

    async def run_python(self, program: str, *, mounted: bool = True, **env: str) -> Finished:
        return await finish(await self.start_python(program, mounted=mounted, **env))

    async def close(self) -> None:
        for process in self._started:
            if process.returncode is None:
                process.kill()
                await process.communicate()


async def finish(process: Process) -> Finished:
    out, err = await process.communicate()
    assert process.returncode is not None
    return Finished(process.returncode, out.decode(), err.decode())


async def read_line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().rstrip("\n")


async def write_line(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    await process.stdin.drain()
