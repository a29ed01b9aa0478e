"""The code of docs/client.md, and of the package's README, as it stands there."""

import re
from asyncio import to_thread
from pathlib import Path

import pytest

from support.running import REPOSITORY, Running
from tailrace.testing import Server

PAGE = (REPOSITORY / "docs/client.md").read_text()
RECIPES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
README = re.findall(r"```python\n(.*?)```", (REPOSITORY / "sdk/client/README.md").read_text(), re.DOTALL)


@pytest.fixture
def configured(tailrace: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_URL", tailrace.url)
    monkeypatch.setenv("TAILRACE_TOKEN", tailrace.token)
    monkeypatch.setenv("TAILRACE_CONFIG", str(tmp_path / "none.toml"))


def test_there_are_at_least_ten() -> None:
    assert len(RECIPES) >= 12


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: str(RECIPES.index(recipe)))
async def test_a_recipe_works(recipe: str, configured: None) -> None:
    """In a thread: one of them has an event loop of its own."""
    await to_thread(exec, compile(recipe, "docs/client.md", "exec"), {"__name__": "recipe"})


async def test_the_readme_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no image is to be had: each of its programs is a function that says what it was told to."""
    monkeypatch.chdir(tmp_path)
    with Server() as server:
        server.program("python:3.12-slim", lambda job: job.say(job.command[-1]))
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        for block in README:
            told: dict[str, object] = {"__name__": "readme"}
            await to_thread(exec, compile(block, "README.md", "exec"), told)
            for name, test in told.items():
                if name.startswith("test_") and callable(test):
                    await to_thread(test, server)
        assert [record.status for record in server.executions()] == ["succeeded"] * 12
