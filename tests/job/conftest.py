from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from job_mount import Mount


@pytest.fixture
async def mount(tmp_path: Path) -> AsyncIterator[Mount]:
    path, home = tmp_path / "tailrace", tmp_path / "home"
    for directory in (home, path / "inputs", path / "outputs", path / "checkpoint"):
        directory.mkdir(parents=True)
    (path / "inputs.json").write_text("{}")
    (path / "events").touch()
    mount = Mount(path, home)
    yield mount
    await mount.close()
