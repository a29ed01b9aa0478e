"""What is generated says exactly what was submitted, whatever that holds."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from itertools import permutations
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.code import languages
from app.code.languages import FORMS, Language
from app.code.writing import Request, write
from stack.programs import has_program

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
PIECES = st.lists(
    st.sampled_from(['"', "\\", "$", "${", "`", ")---", "\n", "\0", "\u2028", "\U0001f30a", "x"]), max_size=9
)
BODIES = st.fixed_dictionaries({"image": st.just("busybox:local"), "inputs": st.dictionaries(TEXTS, JSON, max_size=3)})
AWKWARD = {
    "image": "busybox:local",
    "command": ["sh", "-c", "echo \"$HOME\" `id` 'a' \\ %s \n JSON\nJSON {{ x }} {% y %}"],
    "inputs": {"text": "it's ${x} $(y) \u2028 \U0001f30a \u202e </script>", "nothing": None, "yes": True},
}

DIFFICULT = {"largest": 2**64 - 1, "smallest": -(2**63), "__proto__": {"deep": 1}, "żółw": "\U0001f30a\u2028\0\x7f"}


def a_request(body: dict[str, Any] | None = None, **more: Any) -> Request:
    given_ = {"url": "http://127.0.0.1:8700", "title": "first", "secrets": [], **more}
    return Request(body=AWKWARD if body is None else body, **given_)


@given(JSON)
def test_python_reads_what_is_written_for_it(value: Any) -> None:
    assert ast.literal_eval(languages.python(value)) == value


@pytest.mark.parametrize("depth", [90, 91, 250])
def test_python_reads_what_is_nested_as_deeply_as_can_be(depth: int) -> None:
    value: Any = "it's"
    for _ in range(depth - 1):
        value = {"a": value}
    namespace: dict[str, Any] = {"json": json}
    exec(f"value = {languages.python(value)}", namespace)  # noqa: S102 - our own
    assert namespace["value"] == value


@given(TEXTS)
def test_a_shell_reads_one_word(value: str) -> None:
    assert shlex.split(languages.shell(value)) == [value]


@given(st.dictionaries(TEXTS | PIECES.map("".join), JSON | PIECES.map("".join), max_size=5))
def test_julia_and_r_read_json_in_their_strings(value: dict[str, Any]) -> None:
    text = languages.json(value)
    in_julia = languages.julia_text(text).removeprefix('"""').removesuffix('"""')
    assert '"""' not in in_julia
    assert not re.search(r"(?<!\\)(\\\\)*\$", in_julia)
    assert json.loads(re.sub(r"\\(.)", r"\1", in_julia)) == value
    in_r = languages.r_text(text).removeprefix('r"---(').removesuffix(')---"')
    assert ')---"' not in in_r
    assert in_r.isascii()
    assert json.loads(in_r) == value


@given(TEXTS)
def test_julia_reads_a_string_of_one_line(value: str) -> None:
    assert json.loads(languages.julia(value).replace("\\$", "$")) == value


@pytest.mark.parametrize(
    ("program", "written", "printed"),
    [
        (["node", "-"], languages.javascript_text, "process.stdout.write({})"),
        (["Rscript", "/dev/stdin"], languages.r_text, "cat({})"),
    ],
)
def test_an_interpreter_reads_json_as_it_is(program: list[str], written: Callable[[str], str], printed: str) -> None:
    if not has_program(program[0]):
        pytest.skip(f"{program[0]} is not installed")
    value = DIFFICULT | {"".join(pieces): "".join(pieces) for pieces in permutations(['"', "\\", "${", "`", ")---"], 3)}
    code = printed.format(written(languages.json(value)))
    ran = subprocess.run(
        program, input=code, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    assert ran.stdout, ran.stderr
    assert json.loads(ran.stdout) == value


@given(TEXTS)
def test_a_remark_is_one_line_that_shows_what_it_is(value: str) -> None:
    remark = languages.remark(value)
    assert len(remark.splitlines()) <= 1
    assert all(character.isprintable() for character in remark)


@pytest.mark.parametrize("language", [Language.PYTHON, Language.PYTHON_CLIENT])
@given(body=BODIES)
def test_a_python_program_has_the_submission_as_it_is(language: Language, body: dict[str, Any]) -> None:
    tree = ast.parse(write(language, a_request(body)))
    (submission,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "submission"
    ]
    assert ast.literal_eval(submission) == body


@pytest.mark.parametrize("language", [Language.BASH, Language.CURL])
@pytest.mark.parametrize("secrets", [[], ["API_TOKEN", "B"]])
def test_a_script_is_one_to_bash_and_has_the_submission_as_it_is(language: Language, secrets: list[str]) -> None:
    code = write(language, a_request(DIFFICULT, secrets=secrets, title="first\nrm -rf /\r"))
    checked = subprocess.run(["bash", "-n"], input=code, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert not re.search("^rm", code, re.MULTILINE)
    function = code[code.index("submission() {") : code.index("\n}\n", code.index("\nJSON\n")) + 3]
    given_ = dict.fromkeys(secrets, 'a "b"')
    script = f"secrets={shlex.quote(json.dumps(given_))}\n{function}submission"
    ran = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == DIFFICULT | ({"secrets": given_} if secrets else {})


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
