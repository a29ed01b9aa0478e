"""The kit must run in any Python image, and its reference must be complete."""

import ast
import sys

import pytest
from job_mount import KIT, REPOSITORY

SOURCE = KIT / "tailrace_job.py"
TREE = ast.parse(SOURCE.read_text(), feature_version=(3, 8))


def imports(tree: ast.AST) -> set[str]:
    names = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


def public_names() -> list[str]:
    names = []
    for node in TREE.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                names.append(name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                names.append(name)
    return [name for name in names if not name.startswith("_")]


def test_the_kit_is_python_3_8_and_standard_library_only() -> None:
    assert imports(TREE) <= sys.stdlib_module_names


def test_annotations_are_not_evaluated_so_that_new_ones_do_no_harm() -> None:
    assert "annotations" in {
        alias.name for node in TREE.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }


@pytest.mark.parametrize("name", public_names())
def test_every_public_name_is_in_the_reference(name: str) -> None:
    assert f"`{name}" in (KIT / "README.md").read_text()


def test_the_examples_need_nothing_but_the_kit() -> None:
    sources = list((REPOSITORY / "examples").rglob("*.py"))
    ours = {source.stem for source in sources} | {"tailrace_job"}
    for source in sources:
        assert imports(ast.parse(source.read_text())) <= sys.stdlib_module_names | ours
