"""Makes a site of what is read on a git host as well: the same files, with the same links.

Some pages are files outside docs/, and links may lead to any file of the repository. Both get a page here, and links
are made to lead there. `mkdocs.yml` names this file among its hooks.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "examples/README.md": "examples.md",
    "sdk/job/README.md": "job.md",
}
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=(?:#[^)\s]*)?\))")
FOREIGN = re.compile(r"<(?:script|img|iframe|source)[^>]+src=.?https?:[^>]*>|<link[^>]+href=.?https?:[^>]*>")

# Every file and directory that has a page, and where that is among the sources of the site.
pages: dict[Path, str] = {}


def on_config(config: MkDocsConfig) -> None:
    """The decisions have their places in the navigation by their numbers."""
    decisions = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.glob("adr/*.md"))
    for section in config.nav or []:
        if "Decisions" in section:
            section["Decisions"] = decisions


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Pages for files elsewhere, and for whatever a page links to."""
    pages.clear()
    pages.update({DOCS / file.src_uri: file.src_uri for file in files.documentation_pages()})
    pages.update({ROOT / path: page for path, page in OUTSIDE.items()})
    for path, page in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    files.append(File.generated(config, "reference/cli.md", content=_told_by_the_program()))
    # All of them first: a directory links to what is in it and has a page.
    for found in list(_reached(list(pages))):
        content = found.read_text() if found.suffix == ".md" else _listing(found) if found.is_dir() else _code(found)
        files.append(File.generated(config, pages[found], content=content, inclusion=InclusionLevel.NOT_IN_NAV))


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let links lead to pages."""
    here = next((path for path, uri in pages.items() if uri == page.file.src_uri), None)
    if here is None:
        return markdown
    folder = Path(page.file.src_uri).parent

    def page_of(link: re.Match[str]) -> str:
        uri = pages.get(_target(here, link[0]))
        return os.path.relpath(uri, folder) if uri else link[0]

    return LINK.sub(page_of, markdown)


def on_post_page(output: str, page: Page, **_: Any) -> None:
    """A page asks nobody else for anything: it has to work where there is nobody else."""
    if foreign := FOREIGN.search(output):
        raise PluginError(f"{page.file.src_uri} would load something from elsewhere: {foreign[0]}")


def _target(here: Path, link: str) -> Path:
    """The file that a link means: of a page in its own directory, of a listing in the one that it lists."""
    return Path(os.path.normpath((here if here.is_dir() else here.parent) / link))


def _reached(found: list[Path]) -> Iterator[Path]:
    """What is linked to and has no page yet, directly or by a page of these."""
    while found:
        here = found.pop()
        if here.suffix != ".md":
            continue
        for link in LINK.findall(here.read_text()):
            path = _target(here, link)
            if path in pages or not path.exists() or not path.is_relative_to(ROOT):
                continue
            name = path.relative_to(ROOT).as_posix()
            pages[path] = f"source/{name}" + ("/index.md" if path.is_dir() else "" if path.suffix == ".md" else ".md")
            found.append(path)
            yield path


def _code(path: Path) -> str:
    """A source file. The search has enough to do without it."""
    fence = "`" * 8
    title = path.relative_to(ROOT).as_posix()
    return (
        f"---\nsearch: {{exclude: true}}\n---\n# `{title}`\n\n{fence} {path.suffix[1:]}\n{path.read_text()}\n{fence}\n"
    )


def _listing(path: Path) -> str:
    """What git has in a directory, with links to what has a page."""
    known = subprocess.run(["git", "ls-files", "-z", "."], cwd=path, capture_output=True, check=False, text=True).stdout
    names = sorted({name.partition("/")[0] for name in known.split("\0") if name})
    items = [f"- [`{name}`]({name})" if path / name in pages else f"- `{name}`" for name in names]
    title = path.relative_to(ROOT).as_posix()
    return "\n".join(["---", "search: {exclude: true}", "---", f"# `{title}`", "", *items, ""])


def _told_by_the_program() -> str:
    """The verbs of the command line with all their options."""
    command = [sys.executable, "-m", "typer", "tailrace.cli.program", "utils", "docs", "--name", "tailrace"]
    told = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    # What the overview cuts short stands in full below it.
    told = re.sub(r"\*\*Commands\*\*:\n\n(\*.*\n)+\n", "", told)
    return re.sub(r"^(Examples?:)\n((?:  .*\n)+)", r"**\1**\n\n```sh\n\2```\n", told, flags=re.MULTILINE)
