"""What is left of a submission that is not valid, as far as it can be judged in itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.errors import FieldError, InvalidRequest, ServiceError
from app.executions.requests import Submission
from app.executions.service import Draft
from app.explaining import fields_of
from app.methods.resolution import Catalog, said_at, sketch, unknown_method
from app.salvage import Bearings, Salvaged, salvage

_DEPENDS = {"image": "method", "profile": "method", "limits.notice": "limits.grace"}


def _sources(place: str, code: str) -> Iterator[str]:
    yield place
    if place in _DEPENDS:
        yield _DEPENDS[place]
    if code == "missing" and place.startswith("inputs."):
        # Where it may have been meant to come from.
        yield "profile"
        yield f"secrets.INPUT_{place.removeprefix('inputs.').upper()}"


# Webhooks of a host that is refused nowhere, as far as nobody looks it up; a need of a key that nobody has.
BEARINGS = Bearings(
    fields={"image": "unknown"},
    items={"webhooks": {"url": "https://example.com/"}, "needs": "unknown"},
    sources=_sources,
)


@dataclass(frozen=True, slots=True)
class Sketch:
    """A draft of what is left, if anything is, and what is wrong with it in itself, or with its method."""

    left: Salvaged[Submission]
    draft: Draft | None
    reasons: Sequence[ServiceError] = ()


def read(document: Any, model: type[Submission] = Submission) -> Salvaged[Submission]:
    """What is left of a body, before its method is looked up."""
    return salvage(model, document, BEARINGS)


def draw(left: Salvaged[Submission], catalog: Catalog) -> Sketch:
    """With the method that it names looked up."""
    submission, told = left.rest, _fields(left.wrong)
    if submission is None or submission.method is None:
        return Sketch(left, submission.draft() if submission else None, _reasons(told))
    method = catalog.get(submission.method) or unknown_method(submission.method)
    if isinstance(method, ServiceError):
        without = replace(left, taken=left.taken | {"method"})
        return Sketch(without, submission.sketch(), [*_reasons(told), method])
    said = {name: getattr(submission, name) for name in submission.model_fields_set & Submission.model_fields.keys()}
    resolved, wrong = sketch(method, said)
    told += fields_of([each for each in wrong if left.tells(_place(each), each["type"])])
    without_image = frozenset({"image"} if method.image is None else ())
    # What an input that is wrong leaves of the arguments, says nothing.
    unfilled = {"command", "setup", "teardown"} if wrong else set[str]()
    fields = {name: value for name, value in resolved.fields.items() if name not in unfilled}
    plain = salvage(Submission, fields, BEARINGS, left.taken | without_image)
    moved = [{**each, "loc": said_at(each["loc"], method)} for each in plain.wrong]
    told += _fields(moved)
    draft = plain.rest.draft().by(resolved.method) if plain.rest is not None else None
    return Sketch(replace(left, taken=plain.taken), draft, _reasons(told))


def _reasons(told: Sequence[FieldError]) -> list[ServiceError]:
    return [InvalidRequest.of(told)] if told else []


def _fields(wrong: Sequence[Any]) -> list[FieldError]:
    return fields_of([{**each, "loc": ("body", *each["loc"])} for each in wrong])


def _place(wrong: Any) -> str:
    return fields_of([wrong])[0].field
