"""The monitor is built when it has to be, by what is there, and never half."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stack.errors import StackError
from stack.web import Web

BUILD = """
const fs = require("fs");
fs.mkdirSync("dist.new", {recursive: true});
fs.copyFileSync("page", "dist.new/index.html");
"""


@pytest.fixture
def web(tmp_path: Path) -> Web:
    """A page that is made by a program of one line, without any package."""
    (tmp_path / "build.cjs").write_text(BUILD)
    (tmp_path / "package.json").write_text(json.dumps({"name": "page", "scripts": {"build": "node build.cjs"}}))
    lock = {"name": "page", "lockfileVersion": 3, "requires": True, "packages": {"": {"name": "page"}}}
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    (tmp_path / "page").write_text("first")
    return Web(tmp_path)


def test_it_is_built_when_it_is_missing_or_old_and_only_then(web: Web) -> None:
    said: list[str] = []
    assert not web.is_fresh()
    web.build(said.append)
    assert (web.dist / "index.html").read_text() == "first"
    assert said[-1] == "building the monitor"
    # What is made there makes it no older.
    (web.directory / "node_modules" / "something").write_text("else")
    said.clear()
    web.build(said.append)
    assert said == []
    (web.directory / "page").write_text("second")
    assert not web.is_fresh()
    web.build(said.append)
    assert (web.dist / "index.html").read_text() == "second"
    # The packages are those that the lock file names: nothing was fetched again.
    assert said == ["building the monitor"]
    (web.directory / "page").rename(web.directory / "other")
    assert not web.is_fresh()


def test_what_cannot_be_built_leaves_what_was(web: Web) -> None:
    web.build(lambda _: None)
    (web.directory / "page").unlink()
    with pytest.raises(StackError, match="page"):
        web.build(lambda _: None)
    assert (web.dist / "index.html").read_text() == "first"
    assert not web.is_fresh()
