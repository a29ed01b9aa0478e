"""The methods that a submission of many names, and those of the steps of its method."""

from __future__ import annotations

from app.auth.service import Caller
from app.batches.requests import BatchSubmission
from app.bootstrap import Process
from app.methods.catalog import look_up
from app.methods.document import Document
from app.methods.resolution import Catalog


async def catalog_of(process: Process, caller: Caller, submission: BatchSubmission) -> Catalog:
    """Each of them, looked up once however many children are of it."""
    catalog = await look_up(process, caller, submission.methods)
    whole = catalog.get(submission.method or "")
    if not isinstance(whole, Document):
        return catalog
    steps = {step.method for step in (whole.steps or {}).values() if step.method is not None}
    return {**catalog, **await look_up(process, caller, steps)}
