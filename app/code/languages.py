"""The languages, and how each writes a piece of JSON or a remark down. Pure."""

from __future__ import annotations

import pprint
import re
import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

_WIDTH = 100
# What begins something within a string of these languages, beside the characters that JSON escapes.
_SPECIAL_IN_JULIA = re.compile(r"\$")


class Language(StrEnum):
    """What code can be had in."""

    CURL = "curl"
    BASH = "bash"
    PYTHON = "python"
    NOTEBOOK = "notebook"
    R = "r"
    JULIA = "julia"
    JAVASCRIPT = "javascript"


@dataclass(frozen=True, slots=True)
class Form:
    """How a language's code is sent: which template makes it, its media type, and the end of its file's name."""

    template: str
    media_type: str
    suffix: str


FORMS = {
    Language.CURL: Form("curl.sh.j2", "text/x-shellscript", "-curl.sh"),
    Language.BASH: Form("bash.sh.j2", "text/x-shellscript", ".sh"),
    Language.PYTHON: Form("python.py.j2", "text/x-python", ".py"),
    Language.NOTEBOOK: Form("python.py.j2", "application/x-ipynb+json", ".ipynb"),
    Language.R: Form("r.R.j2", "text/x-r", ".R"),
    Language.JULIA: Form("julia.jl.j2", "text/x-julia", ".jl"),
    Language.JAVASCRIPT: Form("javascript.mjs.j2", "text/javascript", ".mjs"),
}


def json(value: Any) -> str:
    """JSON for people. It is JavaScript as well (ECMAScript 2019, https://tc39.es/ecma262/#sec-json-superset)."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def python(value: Any) -> str:
    """The same as a literal of Python."""
    return pprint.pformat(value, width=_WIDTH, sort_dicts=False)


def shell(value: str) -> str:
    """One word of a POSIX shell."""
    return shlex.quote(value)


def r(value: str) -> str:
    r"""A string of R: `\\`, `"` and what JSON escapes are written there as in JSON."""
    return orjson.dumps(value).decode()


def julia(value: str) -> str:
    """A string of Julia, where `$` would begin an interpolation."""
    return _SPECIAL_IN_JULIA.sub(r"\\$", orjson.dumps(value).decode())


def remark(value: str) -> str:
    """One line of what a person wrote, for a comment: nothing in it ends the line or turns the writing around."""
    return "".join(each if each.isprintable() else " " for each in value[:_WIDTH])


FILTERS = (json, python, shell, r, julia, remark)
