"""Query parameters that nobody asked for, where no model reads the query: a model refuses them itself."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.errors import FieldError, InvalidRequest


def check_query(request: Request) -> None:
    """Raises `InvalidRequest` naming those that the route does not know."""
    dependant: Dependant | None = getattr(request.scope.get("route"), "dependant", None)
    if not request.query_params or dependant is None:
        return
    parameters = dict(_parameters(dependant))
    if any(map(_is_model, parameters.values())):
        return
    if unknown := sorted(request.query_params.keys() - parameters.keys()):
        raise InvalidRequest.of([FieldError(name, "extra_forbidden", "is not a known parameter") for name in unknown])


def _parameters(dependant: Dependant) -> Iterator[tuple[str, FieldInfo]]:
    for field in dependant.query_params:
        yield field.alias, field.field_info
    for each in dependant.dependencies:
        yield from _parameters(each)


def _is_model(parameter: FieldInfo) -> bool:
    return isinstance(parameter.annotation, type) and issubclass(parameter.annotation, BaseModel)
