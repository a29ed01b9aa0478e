"""`GET /metrics`, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.deps import MetricsDep, ProcessDep, ReaderDep

router = APIRouter(tags=["metrics"])


@router.get(
    "/metrics",
    operation_id="get_metrics",
    summary="Counters, histograms and gauges for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The metrics"}},
)
async def get_metrics(process: ProcessDep, metrics: MetricsDep, _: ReaderDep) -> Response:
    """This process's own numbers, and how many executions, workers and slots each pool has, whoever they belong to."""
    return Response(await metrics.expose(process.database), media_type=CONTENT_TYPE_LATEST)
