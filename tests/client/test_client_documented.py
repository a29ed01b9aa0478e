"""Everything public of the client is told: where it stands, in the reference, and in its guide."""

import ast
import inspect
import pkgutil
import re
import sys
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

import tailrace
from support.running import REPOSITORY

REFERENCE = "\n".join(page.read_text() for page in sorted((REPOSITORY / "docs/reference").glob("*.md")))
SHOWN = re.findall(r"^::: (\S+)$", REFERENCE, re.MULTILINE)
# The command line is not for import; its verbs tell about themselves, and tests of their own read them.
MODULES = [tailrace] + [
    import_module(f"tailrace.{module.name}")
    for module in pkgutil.iter_modules(tailrace.__path__)
    if not module.name.startswith("_") and module.name != "cli"
]


def public(module: ModuleType) -> dict[str, Any]:
    """What a module offers, by the name that users import."""
    return {f"{module.__name__}.{name}": getattr(module, name) for name in module.__all__ if name != "__version__"}


def aliases(module: ModuleType) -> dict[str, str | None]:
    """Types that are no classes, with what stands below them, wherever that is."""
    inside = [name for name in sys.modules if name.startswith(f"{module.__name__}.")]
    return {
        f"{module.__name__}.{name}": text
        for found in inside
        for name, text in told_below(parsed(found)).items()
        if name in module.__all__
    }


NAMES = {name: value for module in MODULES for name, value in public(module).items()}
CLASSES = {name: value for name, value in NAMES.items() if isinstance(value, type)}


def target(statement: ast.stmt, owner: str | None) -> str | None:
    """The attribute that a statement makes: of the class, or of its `self`."""
    made = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
    if owner and isinstance(made, ast.Attribute) and isinstance(made.value, ast.Name) and made.value.id == owner:
        return made.attr
    return made.id if owner is None and isinstance(made, ast.Name) else None


def told_below(body: list[ast.stmt], owner: str | None = None) -> dict[str, str | None]:
    """Every attribute that is made here, with the string that stands below it."""
    found: dict[str, str | None] = {}
    for statement, after in zip(body, [*body[1:], None], strict=True):
        if name := target(statement, owner):
            words = after.value if isinstance(after, ast.Expr) else None
            found[name] = str(words.value) if isinstance(words, ast.Constant) else None
    return found


@cache
def parsed(module: str) -> list[ast.stmt]:
    """The source of a module."""
    return ast.parse(inspect.getsource(sys.modules[module])).body


@cache
def attributes(cls: type) -> dict[str, str | None]:
    """What a class and its constructor assign, with what stands below."""
    (tree,) = (item for item in parsed(cls.__module__) if isinstance(item, ast.ClassDef) and item.name == cls.__name__)
    functions = {item.name: item for item in tree.body if isinstance(item, ast.FunctionDef)}
    of_self = told_below(functions["__init__"].body, "self") if "__init__" in functions else {}
    return {**of_self, **told_below(tree.body)}


def members(cls: type) -> dict[str, str | None]:
    """Every public member of a class, its own and inherited ones, with what is said of it."""
    found: dict[str, str | None] = {}
    # A `TypedDict` has no bases of ours left when it is made; all others have their own.
    ours = [base for base in cls.__mro__ if base.__module__.startswith("tailrace")]
    said = "\n".join(base.__doc__ or "" for base in ours)
    for base in ours:
        for name, text in attributes(base).items():
            found[name] = (
                found.get(name) or text or (said if re.search(rf"`{name}`|^ +{name}:", said, re.MULTILINE) else None)
            )
        for name, value in vars(base).items():
            if callable(value) or hasattr(value, "__get__"):
                found[name] = found.get(name) or value.__doc__
    return {name: text for name, text in found.items() if not name.startswith("_")}


def test_every_name_is_in_the_reference_once() -> None:
    there = sorted(name for name in SHOWN if name not in {"tailrace_job", "tailrace._errors"})
    assert there == sorted(NAMES)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_module_and_all_that_it_offers_has_a_docstring(module: ModuleType) -> None:
    assert module.__doc__
    untold = [name for name, value in public(module).items() if not (aliases(module).get(name) or value.__doc__)]
    assert not untold


def test_every_class_tells_about_itself_not_about_the_one_before() -> None:
    copied = [name for name, cls in CLASSES.items() if any(cls.__doc__ == base.__doc__ for base in cls.__mro__[1:])]
    assert not copied


@pytest.mark.parametrize("name", CLASSES)
def test_every_member_is_told(name: str) -> None:
    untold = [member for member, text in members(CLASSES[name]).items() if not text]
    assert not untold


def test_every_error_stands_in_the_guide_and_in_the_tree() -> None:
    guide = (REPOSITORY / "docs/client.md").read_text()
    tree = sys.modules["tailrace._errors"].__doc__ or ""
    errors = [cls.__name__ for cls in CLASSES.values() if issubclass(cls, tailrace.TailraceError)]
    assert len(errors) > 10
    assert not [error for error in errors if f"`{error}`" not in guide]
    assert not [error for error in errors if not re.search(rf"\b{error}\b", tree)]


def test_the_kit_for_containers_is_told_name_by_name() -> None:
    guide = (REPOSITORY / "sdk/job/README.md").read_text()
    body = ast.parse((REPOSITORY / "sdk/job/tailrace_job.py").read_text()).body
    told = {**told_below(body), **{item.name: ast.get_docstring(item) for item in body if hasattr(item, "name")}}
    public = {name: text for name, text in told.items() if not name.startswith("_")}
    assert {"checkpoint", "save", "outputs", "EXIT_SAVED"} <= set(public)
    assert not [name for name, text in public.items() if not text]
    assert not [name for name in public if not re.search(rf"`{name}\b", guide)]
