"""The code that is generated, run as a user would run it."""

from __future__ import annotations

import asyncio
import os
import sys
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import nbclient
import nbformat
import pytest

from app.code.languages import FORMS, Language
from stack.packages import ensure_program, install_packages, may_install
from stack.programs import has_program
from support.running import Json, Running

AWKWARD = {"text": 'it\'s ${x} $(y) `z` "quoted" \\n \n {{ x }} 100 %', "unicode": "żółw \U0001f30a", "number": 1.5}
# What a number of JavaScript cannot hold, a name that means something there, and more than one argument can be.
DIFFICULT = {**AWKWARD, "long": 2**63 + 1, "__proto__": {"a": 1}, "large": "x" * 150_000}
SECRET = 'a "secret" of $more \\ than one word'
# It prints what it got, leaves it as outputs, and fails where it is asked to.
PROGRAM = (
    'cat /tailrace/inputs.json > /tailrace/outputs/inputs.json; printf %s "$PASSWORD" > /tailrace/outputs/secret; '
    'for i in 1 2 3; do echo "line $i"; sleep 0.1; done; exit "$INPUT_CODE"'
)

Run = Callable[[Path], Awaitable[tuple[int, str]]]


async def _execute(program: list[str], directory: Path, environment: dict[str, str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *program,
        cwd=directory,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    return process.returncode or 0, out.decode() + error.decode()


@pytest.fixture(scope="module")
async def submitted(tailrace: Running) -> Json:
    """What the code is to submit again."""
    return await _original(tailrace, code=0)


async def _original(tailrace: Running, *, code: int) -> Json:
    execution = await tailrace.submit(
        "sh",
        "-c",
        PROGRAM,
        inputs={**DIFFICULT, "code": code},
        secrets={"PASSWORD": SECRET},
        name='An "awkward"\nname',
        limits={"timeout": 50},
    )
    return await tailrace.ended(execution)


async def _code(tailrace: Running, record: Json, language: Language, directory: Path) -> tuple[Path, dict[str, str]]:
    code = await (await tailrace.api.get(record["id"])).code(language)
    assert SECRET not in code
    path = directory / f"code{FORMS[language].suffix}"
    path.write_text(code)
    return path, {"TAILRACE_TOKEN": tailrace.token, "PASSWORD": SECRET}


async def _newest(tailrace: Running, than: Json) -> Json:
    newest = await tailrace.api.list(q="awkward").first()
    assert newest is not None
    assert newest.id != than["id"]
    return dict(newest)


async def _check(tailrace: Running, record: Json, said: str, directory: Path) -> None:
    """It was the same execution, its log was shown, and its outputs are here."""
    again = await _newest(tailrace, record)
    for same in ("name", "image", "command", "inputs", "limits", "secrets", "pool"):
        assert again[same] == record[same]
    for line in ("line 1", "line 2", "line 3"):
        assert line in said
    (outputs,) = await asyncio.to_thread(lambda: list(directory.glob("*outputs.zip")))
    with zipfile.ZipFile(outputs) as archive:
        assert archive.read("secret").decode() == SECRET
        assert sorted(archive.namelist()) == ["inputs.json", "secret"]


SCRIPTS = {
    Language.CURL: ["sh"],
    Language.BASH: ["bash"],
    Language.PYTHON: ["python3", "-W", "error"],
    Language.PYTHON_CLIENT: [sys.executable, "-W", "error"],
    Language.JAVASCRIPT: ["node"],
}


@pytest.mark.parametrize("language", SCRIPTS)
async def test_it_submits_the_same_and_shows_and_fetches_all(
    tailrace: Running, submitted: Json, language: Language, tmp_path: Path
) -> None:
    if language in {Language.CURL, Language.BASH}:
        ensure_program("jq")
    if not has_program(SCRIPTS[language][0]):
        pytest.skip(f"{SCRIPTS[language][0]} is not installed")
    path, environment = await _code(tailrace, submitted, language, tmp_path)
    status, said = await _execute([*SCRIPTS[language], str(path)], tmp_path, environment)
    assert status == 0, said
    await _check(tailrace, submitted, said, tmp_path)


@pytest.mark.parametrize("language", [Language.BASH, Language.PYTHON, Language.PYTHON_CLIENT, Language.JAVASCRIPT])
async def test_it_fails_where_the_execution_does(tailrace: Running, language: Language, tmp_path: Path) -> None:
    record = await _original(tailrace, code=3)
    path, environment = await _code(tailrace, record, language, tmp_path)
    status, said = await _execute([*SCRIPTS[language], str(path)], tmp_path, environment)
    assert status == 1, said
    assert "failed" in said


@pytest.mark.parametrize(
    ("language", "wrong"),
    [
        (Language.BASH, "not_authenticated"),
        (Language.PYTHON, "not_authenticated"),
        (Language.PYTHON_CLIENT, "Unauthorized"),
        (Language.JAVASCRIPT, "not_authenticated"),
    ],
)
async def test_it_says_what_is_wrong(
    tailrace: Running, submitted: Json, language: Language, wrong: str, tmp_path: Path
) -> None:
    path, environment = await _code(tailrace, submitted, language, tmp_path)
    status, said = await _execute([*SCRIPTS[language], str(path)], tmp_path, environment | {"TAILRACE_TOKEN": "wrong"})
    assert status == 1
    assert wrong in said


async def test_a_notebook_runs_in_jupyter(
    tailrace: Running, submitted: Json, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, environment = await _code(tailrace, submitted, Language.NOTEBOOK, tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    await client.async_execute()
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    await _check(tailrace, submitted, said, tmp_path)


@pytest.mark.slow
async def test_r_runs_it(tailrace: Running, submitted: Json, tmp_path: Path) -> None:
    if not has_program("Rscript"):
        if not may_install():
            pytest.skip("R is not installed")
        await asyncio.to_thread(install_packages, ["r-base-core", "r-cran-httr"])
    path, environment = await _code(tailrace, submitted, Language.R, tmp_path)
    status, said = await _execute(["Rscript", str(path)], tmp_path, environment)
    assert "EMPTY BODY" not in said
    assert status == 0, said
    await _check(tailrace, submitted, said, tmp_path)
