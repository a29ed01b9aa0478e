"""From a submission to code. Pure but for the templates, which are read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined

from app.code.languages import FILTERS, FORMS, Language

# What divides the Python code into cells, as editors know it; `[script]` begins what is no good in a notebook.
_CELL = "# %%"
_SCRIPT = "[script]"

_templates = Environment(
    loader=PackageLoader("app.code"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - no markup: each value goes through the filter of its language
)
_templates.filters.update({each.__name__: each for each in FILTERS})


@dataclass(frozen=True, slots=True)
class Request:
    """What the code is to ask for: of which API, under which title, with which secrets, by name."""

    url: str
    title: str
    body: Mapping[str, Any]
    secrets: Sequence[str]


def write(language: Language, request: Request) -> str:
    """Code that submits it, waits, prints the log and fetches the outputs."""
    code = _templates.get_template(FORMS[language].template).render(
        url=request.url, title=request.title, body=dict(request.body), secrets=list(request.secrets)
    )
    return _notebook(code) if language is Language.NOTEBOOK else code


def _notebook(code: str) -> str:
    """The same as cells of a Jupyter notebook (https://nbformat.readthedocs.io, version 4.5)."""
    head, *cells = code.split(f"\n{_CELL}")
    sources = [(head.replace("\n#", "\n").lstrip("# "), "markdown")]
    for cell in cells:
        title, _, source = cell.partition("\n")
        if title.strip() != _SCRIPT:
            sources.append((f"#{title}\n{source}" if title.strip() else source, "code"))
    return orjson.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "cells": [_cell(index, source.strip(), kind) for index, (source, kind) in enumerate(sources)],
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    ).decode()


def _cell(index: int, source: str, kind: str) -> dict[str, Any]:
    own: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    lines = source.splitlines(keepends=True)
    return {"id": f"cell-{index}", "cell_type": kind, "metadata": {}, "source": lines, **own}
