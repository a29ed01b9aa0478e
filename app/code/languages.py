"""The languages, and how each writes a piece of JSON or a remark down. Pure.

Where a language's own numbers or names would change what JSON says, the submission stays text (`…_text`): on several
lines, to be read and changed by people, and sent as it is.
"""

from __future__ import annotations

import pprint
import re
import shlex
from dataclasses import dataclass
from enum import StrEnum
from json import dumps as json_escape
from typing import Any

import orjson

_WIDTH = 100
# CPython gives up at 200 brackets within each other.
_DEEPEST_LITERAL = 90
# What begins something within a string of these languages, beside the characters that JSON escapes.
_SPECIAL_IN_JULIA = re.compile(r"\$")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


class Language(StrEnum):
    """What code can be had in."""

    CURL = "curl"
    BASH = "bash"
    PYTHON = "python"
    PYTHON_CLIENT = "python-client"
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
    Language.PYTHON_CLIENT: Form("python_client.py.j2", "text/x-python", "-client.py"),
    Language.NOTEBOOK: Form("python.py.j2", "application/x-ipynb+json", ".ipynb"),
    Language.R: Form("r.R.j2", "text/x-r", ".R"),
    Language.JULIA: Form("julia.jl.j2", "text/x-julia", ".jl"),
    Language.JAVASCRIPT: Form("javascript.mjs.j2", "text/javascript", ".mjs"),
}


def json(value: Any) -> str:
    """JSON for people."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def python(value: Any) -> str:
    """The same as a literal of Python, or where that would be nested too deeply for its parser, read from JSON."""
    if _depth(value) > _DEEPEST_LITERAL:
        return f"json.loads({orjson.dumps(value).decode()!r})"
    return pprint.pformat(value, width=_WIDTH, sort_dicts=False)


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def shell(value: str) -> str:
    """One word of a POSIX shell."""
    return shlex.quote(value)


def r(value: str) -> str:
    r"""A string of R: `\\`, `"` and what JSON escapes are written there as in JSON."""
    return orjson.dumps(value).decode()


def julia(value: str) -> str:
    """A string of Julia, where `$` would begin an interpolation."""
    return _SPECIAL_IN_JULIA.sub(r"\\$", orjson.dumps(value).decode())


def javascript_text(json_text: str) -> str:
    """JSON as a string of JavaScript: what would end or interrupt that is escaped as JSON does it."""
    return "String.raw`" + json_text.replace("`", r"\u0060").replace("${", r"\u0024{") + "`"


def r_text(json_text: str) -> str:
    """JSON as a string of R 4, which takes nothing but ASCII as it is in every locale."""
    ascii_text = _BEYOND_ASCII.sub(lambda each: json_escape(each[0])[1:-1], json_text)
    return 'r"---(' + ascii_text.replace(")-", r")\u002d") + ')---"'


def julia_text(json_text: str) -> str:
    """JSON as a string of Julia: never are there three quotes in a row in it."""
    return '"""\n' + _SPECIAL_IN_JULIA.sub(r"\\$", json_text.replace("\\", "\\\\")) + '"""'


def remark(value: str) -> str:
    """One line of what a person wrote, for a comment: nothing in it ends the line or turns the writing around."""
    return "".join(each if each.isprintable() else " " for each in value[:_WIDTH])


FILTERS = (json, python, shell, r, r_text, julia, julia_text, javascript_text, remark)
