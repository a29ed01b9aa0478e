"""The package as its users get it."""

import asyncio
import json
import shutil
import tomllib
from pathlib import Path

import pytest

from support.running import REPOSITORY, Running

PROGRAM = """
import json, sys, tailrace
with tailrace.Client() as client:
    handle = client.run("busybox:local", ["echo", "hi"])
    lines = [line.text for line in handle.logs(follow=True)]
    print(json.dumps([handle.wait(60).status, lines, "." .join(map(str, sys.version_info[:2]))]))
"""


async def _run(*command: str | Path, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment or None
    )
    said, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
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


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
async def test_the_wheel_works_in_a_clean_environment(version: str, tailrace: Running, tmp_path: Path) -> None:
    uv, python = _uv(), await _python(version)
    await _run(uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path / "dist", REPOSITORY / "sdk/client")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    environment = tmp_path / "environment"
    await _run(uv, "venv", "--quiet", "--no-project", "--python", python, environment)
    await _run(uv, "pip", "install", "--quiet", "--python", environment / "bin/python", wheel)
    known = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "TAILRACE_URL": tailrace.url,
        "TAILRACE_TOKEN": tailrace.token,
    }
    said = json.loads(await _run(environment / "bin/python", "-W", "error", "-c", PROGRAM, **known))
    assert said == ["succeeded", ["hi"], version]
    assert "--help" in await _run(environment / "bin/tailrace", "--help", **known)


def test_it_needs_few_others() -> None:
    project = tomllib.loads((REPOSITORY / "sdk/client/pyproject.toml").read_text())["project"]
    assert len(project["dependencies"]) <= 8
