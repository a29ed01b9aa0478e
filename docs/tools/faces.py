"""Tells the reference what the client's source leaves to be worked out when it is imported.

`cancel = blocking(AsyncHandle.cancel)` is a method, `name = text("For people")` a field, and in `AsyncHandle`, which is
a `Watched[Record]`, a `W` is a `Record`. An extension of griffe, which reads the sources for mkdocstrings; `mkdocs.yml`
names it.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any

import griffe
from typing_extensions import override

Renaming = Callable[[griffe.ExprName], "griffe.Expr | str"]

FIELDS = "tailrace._document."
FACES = {"tailrace._portal.blocking", "tailrace._portal.passing"}
# The parameters of those whose methods are all that matters here.
KINDS = {"W", "D", "A_co"}
PAGE = re.compile(r"docs/(\w+)\.md")
# What only the client itself gives to a constructor.
INWARD = {"aio", "api", "fetch", "pages", "raw", "record"}


class Faces(griffe.Extension):
    """Once all is read, members that say so are replaced by what they are."""

    @override
    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """What is inherited before what is made of it."""
        classes = list(_classes(pkg))
        for found in classes:
            _link(found)
        for found in classes:
            _narrow(found)
        for found in classes:
            for member in _attributes(found):
                _tell_method(found, member)
        for found in classes:
            _tell_fields(found)
            _hide_constructor(found)


def _classes(module: griffe.Module) -> Iterator[griffe.Class]:
    for member in module.members.values():
        if isinstance(member, griffe.Class):
            yield member
        elif isinstance(member, griffe.Module):
            yield from _classes(member)


def _attributes(found: griffe.Class) -> list[griffe.Attribute]:
    """Its own."""
    return [member for member in found.members.values() if isinstance(member, griffe.Attribute)]


def _link(found: griffe.Class) -> None:
    """Where words name a page, a link to it."""
    for member in (found, *found.members.values()):
        if not isinstance(member, griffe.Alias) and member.docstring:
            member.docstring.value = PAGE.sub(r"[\g<0>](../\1.md)", member.docstring.value)


def _narrow(found: griffe.Class) -> None:
    """What comes from a generic class, with the type that it is for."""
    for base in found.bases:
        if not isinstance(base, griffe.ExprSubscript):
            continue
        for name, member in found.inherited_members.items():
            inherited = _itself(member)
            if not name.startswith("_") and isinstance(inherited, griffe.Function | griffe.Attribute):
                _put(found, inherited, lambda kind, given=base.slice: given if kind.name in KINDS else kind)


def _tell_method(found: griffe.Class, attribute: griffe.Attribute) -> None:
    """`run = blocking(AsyncClient.run, Handle)` is `AsyncClient.run`, which is not awaited and returns a `Handle`."""
    call = attribute.value
    if isinstance(call, griffe.ExprCall) and call.canonical_path in FACES:
        where, _, name = call.arguments[0].canonical_path.rpartition(".")
        method = _itself(attribute.package[where.partition(".")[2]]).all_members[name]
        _put(found, _itself(method), _not_async).labels.discard("async")


def _tell_fields(found: griffe.Class) -> None:
    """Fields are rows of one table: name, type and words."""
    rows = []
    for member in _attributes(found):
        if member.name.startswith("_") or "property" in member.labels:
            continue
        words = _as_field(member) or (member.docstring.value if member.docstring else None)
        if words:
            made_by = member.value.function if isinstance(member.value, griffe.ExprCall) else None
            kind = member.annotation or made_by
            rows.append(griffe.DocstringAttribute(member.name, description=words, annotation=kind))
            del found.members[member.name]
    if rows and found.docstring:
        found.docstring.parsed  # noqa: B018  which is kept from then on
        found.docstring.parsed.append(griffe.DocstringSectionAttributes(rows))


def _as_field(attribute: griffe.Attribute) -> str | None:
    """What is said of `progress = maybe_part(Progress, "How far it is")`, whose type becomes `Progress | None`."""
    call = attribute.value
    if not isinstance(call, griffe.ExprCall) or not call.canonical_path.startswith(FIELDS):
        return None
    returned = attribute.package[call.canonical_path.partition(".")[2]].returns
    *kinds, words = call.arguments
    attribute.annotation = _renamed(returned.slice, lambda name: kinds[0] if kinds and name.name == "D" else name)
    return str(ast.literal_eval(str(words)))


def _hide_constructor(found: griffe.Class) -> None:
    """Of what nobody makes but the client."""
    made = found.members.get("__init__")
    if isinstance(made, griffe.Function) and INWARD & {parameter.name for parameter in made.parameters}:
        del found.members["__init__"]


def _itself(member: griffe.Object | griffe.Alias) -> Any:
    return member.final_target if isinstance(member, griffe.Alias) else member


def _not_async(name: griffe.ExprName) -> griffe.ExprName:
    return griffe.ExprName(name.name.removeprefix("Async"), name.parent) if name.name.startswith("Async") else name


def _put(found: griffe.Class, member: Any, rename: Renaming) -> griffe.Object:
    """A copy of a member in another class, with other types."""
    made = copy.copy(member)
    made.parent = found
    made.labels = set(member.labels)
    if member.docstring:
        made.docstring = copy.copy(member.docstring)
        made.docstring.parent = made
    if isinstance(member, griffe.Attribute):
        made.annotation = _renamed(member.annotation, rename)
    else:
        made.returns = _renamed(member.returns, rename)
        made.parameters = griffe.Parameters(*(copy.copy(parameter) for parameter in member.parameters))
        for parameter in made.parameters:
            parameter.annotation = _renamed(parameter.annotation, rename)
    found.members[made.name] = made
    return made


def _renamed(value: Any, rename: Renaming) -> Any:
    """A type with other names in it."""
    if isinstance(value, griffe.ExprName):
        return rename(value)
    if isinstance(value, list | tuple):
        return type(value)(_renamed(item, rename) for item in value)
    if isinstance(value, griffe.Expr):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **{name: _renamed(part, rename) for name, part in parts.items()})
    return value
