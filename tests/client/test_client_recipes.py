"""The code of docs/client.md, as it stands there."""

import re
from asyncio import to_thread
from pathlib import Path

import pytest

from support.running import REPOSITORY, Running

PAGE = (REPOSITORY / "docs/client.md").read_text()
RECIPES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


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
