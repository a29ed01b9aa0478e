"""The status of an execution is written in one place. A second writer would be a second status machine."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
WRITER = REPOSITORY / "app" / "executions" / "repository.py"
SOURCES = sorted(path for root in ("app", "worker", "stack", "bench") for path in (REPOSITORY / root).rglob("*.py"))

_RAW = re.compile(r"update\s+(only\s+)?\"?executions\"?\b.*?\bset\b.*?\"?\bstatus\"?\s*=", re.IGNORECASE | re.DOTALL)


def writes_of_status(source: str) -> list[int]:
    """Lines that write the status of an execution: by a statement's values, by an attribute, or in SQL."""
    tree = ast.parse(source)
    # A dictionary with a status is an ordinary thing, such as a frame, where nothing can be written with it.
    has_table = any(_imports_the_table(node) for node in ast.walk(tree))
    return sorted({node.lineno for node in ast.walk(tree) for node in _written(node, has_table=has_table)})


def _imports_the_table(node: ast.AST) -> bool:
    match node:
        case ast.ImportFrom(module="app.executions.tables", names=names):
            return any(alias.name == "Execution" for alias in names)
        case ast.ImportFrom(module="app.executions", names=names):
            return any(alias.name == "tables" for alias in names)
        case ast.Import(names=names):
            return any(alias.name == "app.executions.tables" for alias in names)
    return False


def _written(node: ast.AST, *, has_table: bool) -> Iterator[ast.expr | ast.stmt]:
    match node:
        case ast.Call(func=ast.Attribute(attr="values"), args=args, keywords=keywords):
            if any(keyword.arg == "status" for keyword in keywords) or any(map(_has_status, args)):
                yield node
        case ast.Call(keywords=keywords):
            # `repository.move(…, changes={…})` must not smuggle one in.
            if any(keyword.arg in {"changes", "values"} and _has_status(keyword.value) for keyword in keywords):
                yield node
        case ast.Assign(targets=targets) if any(map(_is_status, targets)):
            yield node
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target) if _is_status(target):
            yield node
        case ast.Dict() if has_table and _has_status(node):
            yield node
        case ast.Constant(value=str(text)) if _RAW.search(text):
            yield node


def _has_status(node: ast.expr) -> bool:
    return any(
        isinstance(part, ast.Dict) and any(isinstance(key, ast.Constant) and key.value == "status" for key in part.keys)
        for part in ast.walk(node)
    )


def _is_status(target: ast.expr) -> bool:
    """`record.status = …` and `values["status"] = …`."""
    match target:
        case ast.Attribute(value=ast.Name(id="self"), attr="status"):
            return False  # an answer of the engine has one too
        case ast.Attribute(attr="status"):
            return True
        case ast.Subscript(slice=ast.Constant(value="status")):
            return True
    return False


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_nobody_but_the_repository_writes_the_status(path: Path) -> None:
    if path != WRITER:
        assert writes_of_status(path.read_text()) == []


def test_the_repository_changes_it_by_a_move_and_by_its_sibling_for_the_queue() -> None:
    functions = {
        node.name
        for node in ast.walk(ast.parse(WRITER.read_text()))
        if isinstance(node, ast.AsyncFunctionDef) and writes_of_status(_with_table(ast.unparse(node)))
    }
    assert functions == {"move", "move_queued"}


def _with_table(source: str) -> str:
    return f"from app.executions.tables import Execution\n{source}"


@pytest.mark.parametrize(
    "written",
    [
        "update(Execution).values(status='running')",
        "update(Execution).values({'status': 'running'})",
        "update(Execution).values({'phase': None, **{'status': 'running'}})",
        "repository.move(connection, execution, changes={'status': 'failed'})",
        "record.status = Status.FAILED",
        "values['status'] = Status.FAILED",
        "text('UPDATE executions SET status = 1')",
        'text(\'update only "executions"\\n  set phase = 1,\\n  "status" = 2\')',
        _with_table("values = {'status': 'running'}"),
        "import app.executions.tables\nvalues = {'status': 'running'}",
        "from app.executions import tables\nvalues = {'status': 'running'}",
    ],
)
def test_the_check_finds_a_second_writer(written: str) -> None:
    assert writes_of_status(written)


@pytest.mark.parametrize(
    "harmless",
    [
        "frame = {'type': 'status', 'status': event.to_status}",
        "select(Execution).where(Execution.status == 'running')",
        "insert(ExecutionEvent).values(from_status='queued', to_status='running')",
        "text('SELECT status FROM executions')",
        "text('UPDATE executions SET phase = 1')",
        "Response(status_code=204)",
        "self.status = status",
    ],
)
def test_the_check_leaves_reading_alone(harmless: str) -> None:
    assert writes_of_status(harmless) == []
