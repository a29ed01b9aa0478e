"""The package as its users get it."""

import asyncio
import json
import os
import shutil
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from bench.client import import_seconds
from support.running import REPOSITORY, Running

VERSIONS = ["3.10", "3.11", "3.12", "3.13"]
SOURCE = REPOSITORY / "sdk/client"
PROGRAM = """
import json, sys, tailrace, tailrace.testing
said = [".".join(map(str, sys.version_info[:2]))]
with tailrace.Client() as real, tailrace.testing.Server() as fake:
    fake.program("busybox:local", lambda job: job.say("hi"))
    for client in (real, fake.client()):
        handle = client.run("busybox:local", ["echo", "hi"])
        said += [line.text for line in handle.logs(follow=True)] + [handle.wait(60).status]
print(json.dumps(said))
"""
# What a type checker has to find, and what it must complain of.
TYPED = """
import tailrace
from tailrace.testing import Server

handle = Server().client().run("busybox", ["true"], limits={"timeout": 1})
code: int | None = handle.wait().exit_code
client: tailrace.Client = Server().client()
"""
WRONG = """
import tailrace

code: str = tailrace.Client().run("busybox", colour="red").record.attempt
"""


async def _run(*command: str | Path, code: int = 0, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment or None
    )
    said, complaint = await process.communicate()
    assert process.returncode == code, said.decode() + complaint.decode()
    return said.decode()


def _uv() -> str:
    return shutil.which("uv") or str(REPOSITORY / ".tools/bin/uv")


async def _python(version: str) -> Path:
    """One of this version, installed or of pyenv."""
    found = shutil.which(f"python{version}")
    for path in [*([Path(found)] if found else []), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]:
        trying = await asyncio.create_subprocess_exec(path, "-c", "", stderr=asyncio.subprocess.DEVNULL)
        if await trying.wait() == 0:
            return path
    pytest.skip(f"no Python {version} here")


@pytest.fixture(scope="module")
async def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    await _run(_uv(), "build", "--quiet", "--wheel", "--out-dir", directory, SOURCE)
    (wheel,) = directory.glob("*.whl")
    return wheel


async def _installed(wheel: Path, version: str, directory: Path) -> Path:
    """The programs of a new environment with nothing but the wheel and what it needs."""
    await _run(_uv(), "venv", "--quiet", "--no-project", "--python", await _python(version), directory)
    await _run(_uv(), "pip", "install", "--quiet", "--python", directory / "bin/python", wheel)
    return directory / "bin"


def test_the_wheel_has_all_of_the_package_and_needs_few_others(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        told = HeaderParser().parsestr(archive.read(metadata).decode())
    sources = {str(path.relative_to(SOURCE)) for path in (SOURCE / "tailrace").rglob("*.py")}
    assert sources | {"tailrace/py.typed"} == {
        name for name in names if name.startswith("tailrace/") and not name.endswith("/")
    }
    needed = [each for each in told.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert 1 <= len(needed) <= 8
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    assert (told["Version"], told["Requires-Python"]) == (project["version"], project["requires-python"])


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
async def test_the_wheel_works_in_a_clean_environment(
    version: str, wheel: Path, tailrace: Running, tmp_path: Path
) -> None:
    programs = await _installed(wheel, version, tmp_path / "environment")
    known = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "TAILRACE_URL": tailrace.url,
        "TAILRACE_TOKEN": tailrace.token,
    }
    said = json.loads(await _run(programs / "python", "-W", "error", "-c", PROGRAM, **known))
    assert said == [version, "hi", "succeeded", "hi", "succeeded"]
    assert "--help" in await _run(programs / "tailrace", "--help", **known)
    assert await _run(programs / "tailrace", "run", "busybox:local", "--", "echo", "hello", **known) == "hello\n"


@pytest.mark.slow
async def test_a_type_checker_sees_the_types_of_the_wheel(wheel: Path, tmp_path: Path) -> None:
    programs = await _installed(wheel, f"{sys.version_info.major}.{sys.version_info.minor}", tmp_path / "environment")
    typed, wrong = tmp_path / "typed.py", tmp_path / "wrong.py"
    typed.write_text(TYPED)
    wrong.write_text(WRONG)
    options = ("--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", "--python-executable")
    known = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    mypy = (sys.executable, "-m", "mypy", *options, programs / "python")
    await _run(*mypy, typed, **known)
    complaints = await _run(*mypy, wrong, code=1, **known)
    assert 'Extra argument "colour"' in complaints or 'Unexpected keyword argument "colour"' in complaints
    assert "Incompatible types in assignment" in complaints


async def test_the_command_says_its_version_and_completes(tmp_path: Path) -> None:
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    program = Path(sys.executable).with_name("tailrace")
    known = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    assert await _run(program, "--version", **known) == f"tailrace {project['version']}\n"
    for shell, word in {"bash": "complete ", "zsh": "#compdef tailrace", "fish": "complete --command tailrace"}.items():
        assert word in await _run(program, _TAILRACE_COMPLETE=f"source_{shell}", **known)


def test_importing_it_takes_less_than_importing_the_http_client_that_it_uses() -> None:
    client, httpx = import_seconds("tailrace", "httpx")
    assert client < httpx
