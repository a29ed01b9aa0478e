"""What is left of a submission of many that is not valid, child by child, as far as it can be judged in itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from app.batches.needs import Link, check_needs
from app.batches.requests import MOST_WRONG, BatchSubmission, Item, path_of
from app.batches.service import ChildDraft
from app.batches.subjects import Subject, upstream_of
from app.errors import FieldError, InvalidRequest, ServiceError
from app.executions import sketching
from app.explaining import fields_of
from app.merging import merged
from app.methods.resolution import Catalog
from app.reasons import Reasons
from app.salvage import Bearings, Salvaged, is_within, salvage


def _sources(place: str, code: str) -> Iterator[str]:
    yield place
    if code == "missing" and place.startswith("defaults.inputs."):
        # What makes the children may have been meant to give it.
        yield "matrix"
        yield "query"


BEARINGS = Bearings(
    fields={"matrix": {"env": {"A": ["a"]}}, "count": 1, "query": {}, "method": "unknown"},
    items={"items": {}, "webhooks": {"url": "https://example.com/"}},
    sources=_sources,
)


def read(document: Any) -> Salvaged[BatchSubmission]:
    """What is left of a body, before its methods are looked up."""
    return salvage(BatchSubmission, document, BEARINGS)


def fields(wrong: Sequence[Any]) -> list[FieldError]:
    """What is wrong with a body, in words."""
    return fields_of([{**each, "loc": ("body", *each["loc"])} for each in wrong])


def draw(
    submission: BatchSubmission, subjects: Sequence[Subject], catalog: Catalog, *, are_known: bool
) -> tuple[list[ChildDraft], Reasons]:
    """The children, as far as there is anything of them to judge, and what is wrong with each in itself.

    If the subjects are known, they are what its query has found.
    """
    reasons, children, are_keys_known = Reasons(), list[ChildDraft](), True
    with reasons.gather():
        submission.check_size(len(subjects))
        for number, (where, patch) in enumerate(submission.patches(subjects, catalog)):
            left = sketching.read(merged(submission.defaults, patch), Item)
            sketch = sketching.draw(left, catalog)
            item = left.rest if isinstance(left.rest, Item) else Item(image="unknown")
            child = ChildDraft(
                draft=sketch.draft or item.sketch(),
                key=item.key,
                needs=tuple(dict.fromkeys(item.needs)),
                where=path_of(where),
                own=patch,
                upstream=upstream_of(subjects[number]) if subjects and are_known else {},
                left=sketch.left,
            )
            reasons += (placed for each in sketch.reasons if (placed := child.placed(each)) is not None)
            are_keys_known = are_keys_known and sketch.draft is not None and sketch.left.tells("key")
            if sketch.draft is not None:
                children.append(child)
            if len(reasons) >= MOST_WRONG:
                break
    if are_keys_known:
        reasons += _unmet(children)
    return children, reasons


def _unmet(children: Sequence[ChildDraft]) -> Iterator[ServiceError]:
    """Who needs what there is not, as far as it was said."""
    bad = {f"{child.where}.{place}" for child in children if child.left is not None for place in child.left.taken}
    told = check_needs([Link(child.where, child.key, child.needs) for child in children])
    if told := [each for each in told if not is_within(each.field, bad)]:
        yield InvalidRequest.of(told)
