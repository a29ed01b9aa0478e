"""Everything that speaks against a request, found one by one and told together. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy

from app.errors import FieldError, InvalidRequest, ServiceError, Unavailable


class Reasons(list[ServiceError]):
    """Those that were found so far."""

    @contextmanager
    def gather(self) -> Iterator[None]:
        """What is raised within is one of them."""
        try:
            yield
        except Unavailable:
            raise
        except ServiceError as refused:
            self.append(refused)


def together(reasons: Sequence[ServiceError]) -> ServiceError:
    """One error for all of them, with everything once. A reason that stands alone is told as it is."""
    told: dict[tuple[str, str], tuple[FieldError, ServiceError]] = {}
    for each in reasons:
        for field in each.fields:
            told.setdefault((field.field, field.message), (field, each))
        if not each.fields:
            # Its sentence may have numbers, which change.
            told.setdefault(("body", each.code), (FieldError("body", each.code, each.detail.rstrip(".")), each))
    sources = list(dict.fromkeys(source for _, source in told.values()))
    if len(sources) == 1:
        return sources[0]
    besides = sum(each.besides for each in sources if isinstance(each, InvalidRequest))
    error = InvalidRequest.of([field for field, _ in told.values()], besides=besides)
    error.hint = " ".join(dict.fromkeys(each.hint for each in sources if each.hint))
    return error


def located(refused: ServiceError, place: Callable[[FieldError], str | None]) -> ServiceError | None:
    """The same with its fields elsewhere, without those that have no place; None if none has one."""
    placed = [(place(each), each) for each in refused.fields]
    fields = [FieldError(path, each.code, each.message) for path, each in placed if path is not None]
    if not fields:
        return None if refused.fields else refused
    if isinstance(refused, InvalidRequest):
        error: ServiceError = InvalidRequest.of(fields, besides=refused.besides)
        error.hint = refused.hint
        return error
    error = copy(refused)
    error.fields = tuple(fields)
    return error
