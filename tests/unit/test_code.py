"""What is generated says exactly what was submitted, whatever that holds."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.code import languages
from app.code.languages import FORMS, Language
from app.code.writing import Request, write

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.fixed_dictionaries({"image": st.just("busybox:local"), "inputs": st.dictionaries(TEXTS, JSON, max_size=3)})
AWKWARD = {
    "image": "busybox:local",
    "command": ["sh", "-c", "echo \"$HOME\" `id` 'a' \\ %s \n JSON\nJSON {{ x }} {% y %}"],
    "inputs": {"text": "it's ${x} $(y) \u2028 \U0001f30a \u202e </script>", "nothing": None, "yes": True},
}


def a_request(body: dict[str, Any] | None = None, **more: Any) -> Request:
    given_ = {"url": "http://127.0.0.1:8700", "title": "first", "secrets": [], **more}
    return Request(body=AWKWARD if body is None else body, **given_)


@given(JSON)
def test_python_reads_what_is_written_for_it(value: Any) -> None:
    assert ast.literal_eval(languages.python(value)) == value


@given(TEXTS)
def test_a_shell_reads_one_word(value: str) -> None:
    assert shlex.split(languages.shell(value)) == [value]


@given(JSON)
def test_r_and_julia_read_json_in_a_string(value: Any) -> None:
    text = languages.json(value)
    assert json.loads(json.loads(languages.r(text))) == value
    in_julia = languages.julia(text)
    assert not re.search(r"(?<!\\)(\\\\)*\$", in_julia)
    assert json.loads(json.loads(in_julia.replace("\\$", "$"))) == value


@given(TEXTS)
def test_a_remark_is_one_line_that_shows_what_it_is(value: str) -> None:
    remark = languages.remark(value)
    assert len(remark.splitlines()) <= 1
    assert all(character.isprintable() for character in remark)


@given(BODIES)
def test_a_python_program_has_the_submission_as_it_is(body: dict[str, Any]) -> None:
    tree = ast.parse(write(Language.PYTHON, a_request(body)))
    (submission,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "submission"
    ]
    assert ast.literal_eval(submission) == body


@pytest.mark.parametrize("language", [Language.BASH, Language.CURL])
@pytest.mark.parametrize("secrets", [[], ["API_TOKEN", "B"]])
def test_a_script_is_one_to_bash(language: Language, secrets: list[str]) -> None:
    code = write(language, a_request(secrets=secrets, title="first\nrm -rf /\r"))
    checked = subprocess.run(["bash", "-n"], input=code, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert not re.search("^rm", code, re.MULTILINE)


def test_a_notebook_is_valid_and_has_no_exit() -> None:
    notebook = nbformat.reads(write(Language.NOTEBOOK, a_request(secrets=["A"])), as_version=4)
    nbformat.validate(notebook)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) == 6
    assert notebook.cells[0].source.startswith("first\n")
    for source in code:
        ast.parse(source)
        assert "sys.exit" not in source


@pytest.mark.parametrize("secrets", [[], ["API_TOKEN", "B"]])
def test_julia_parses_it(secrets: list[str]) -> None:
    tree_sitter = pytest.importorskip("tree_sitter")
    grammar = pytest.importorskip("tree_sitter_julia")
    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    code = write(Language.JULIA, a_request(secrets=secrets)).encode()
    assert not parser.parse(code).root_node.has_error
    assert parser.parse(code.replace(b"JSON.parse(", b"JSON.parse((", 1)).root_node.has_error


@pytest.mark.parametrize("language", Language)
def test_every_language_names_what_it_needs(language: Language) -> None:
    code = write(language, a_request(secrets=["API_TOKEN"]))
    assert "TAILRACE_TOKEN" in code
    assert "API_TOKEN" in code
    assert "{{" not in code.replace("{{ x }}", "")
    assert FORMS[language].suffix
