import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "settings.md"
NAMES = {field.validation_alias or f"TAILRACE_{name.upper()}": name for name, field in Settings.model_fields.items()}


@pytest.mark.parametrize("variable", NAMES)
def test_every_setting_is_documented(variable: str) -> None:
    assert re.search(rf"\b{variable}\b", PAGE.read_text())


@pytest.mark.parametrize("variable", NAMES)
def test_every_setting_says_what_it_is_for(variable: str) -> None:
    assert Settings.model_fields[NAMES[variable]].description


def test_nothing_but_the_settings_reads_the_environment() -> None:
    """Our own variables are read in one place, so that the page can be whole."""
    readers = [
        str(path.relative_to(REPOSITORY))
        for root in ("app", "worker")
        for path in (REPOSITORY / root).rglob("*.py")
        if any(way in path.read_text() for way in ("os.environ", "os.getenv", "getenv("))
    ]
    assert readers == []


@pytest.mark.parametrize("program", [("app",), ("app", "token"), ("worker",)])
def test_what_is_wrong_with_the_settings_is_said_in_sentences(program: tuple[str, ...]) -> None:
    wrong = {"TAILRACE_PORT": "abc", "TAILRACE_DATABASE_URL": "ann:secret"}
    command = [sys.executable, "-m", *program]
    ended = subprocess.run(command, cwd=REPOSITORY, env=os.environ | wrong, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.splitlines() == [
        "tailrace: TAILRACE_DATABASE_URL: must be an address such as `postgresql://user:password@host/database`",
        "tailrace: TAILRACE_PORT: must be a whole number",
    ]
