"""Answers that several handlers give."""

from __future__ import annotations

from functools import partial

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from app.background import Background
from app.bootstrap import Process
from app.executions.schemas import Execution
from app.executions.service import Submitted
from app.idempotency.model import REPLAYED_HEADER
from app.observability.metrics import ApiMetrics

ACCEPTED = {
    "description": "Accepted, durably; or accepted before, with the same key",
    "headers": {
        "Location": {"schema": {"type": "string"}},
        REPLAYED_HEADER: {
            "schema": {"type": "string", "enum": ["true"]},
            "description": "The execution is that of an earlier submission with the same key, as it stands now",
        },
    },
}


def answer(body: BaseModel, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Its JSON."""
    return Response(
        body.model_dump_json(by_alias=True), status_code=status, headers=headers, media_type=JSONResponse.media_type
    )


def accepted(submitted: Submitted, process: Process, background: Background, metrics: ApiMetrics) -> Response:
    """201, and the bell beside it."""
    execution = Execution.of(submitted.record)
    metrics.submitted(execution.pool, replayed=submitted.replayed)
    # For a repeated one too: the first may have died between its commit and the bell.
    background.start_once(partial(process.hints.ring, execution.pool), what=f"bell:{execution.pool}")
    replayed = {REPLAYED_HEADER: "true"} if submitted.replayed else {}
    return answer(execution, status=201, headers={"Location": execution.links.self, **replayed})
