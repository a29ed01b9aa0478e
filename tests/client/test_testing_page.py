"""The code of docs/testing.md, as it stands there, run by pytest as users have it."""

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from support.running import REPOSITORY
from tailrace.testing import Job, Server

BLOCKS = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs/testing.md").read_text(), re.DOTALL)


def test_its_tests_pass(tmp_path: Path) -> None:
    for number, block in enumerate(BLOCKS):
        (tmp_path / f"test_block_{number}.py").write_text(block)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    # An installation that was made before there was a plugin does not know of it.
    known = any(point.value == "tailrace._pytest" for point in entry_points(group="pytest11"))
    plugin = [] if known else ["-p", "tailrace._pytest"]
    others = ["-p", "no:schemathesis", "-p", "no:asyncio", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *others, *plugin, "."]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TAILRACE_", "PYTEST_"))}
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{sum(block.count('def test_') for block in BLOCKS)} passed" in done.stdout


def test_there_is_enough_of_it() -> None:
    assert sum(block.count("def test_") for block in BLOCKS) >= 4


def test_the_page_names_everything_public() -> None:
    page = (REPOSITORY / "docs/testing.md").read_text()
    public = [name for kind in (Job, Server) for name in vars(kind) if not name.startswith("_")]
    told = [name for name in public if re.search(rf"\b{name}\b", page)]
    # `close` and `run` are for who is no context manager; `outputs` and the rest of a job are what `write` wrote.
    assert set(public) - set(told) <= {"close", "run"}
