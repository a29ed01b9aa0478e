"""`/v1/stats`. Thin: whose, of which time, and then the sums."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from app.deps import ProcessDep, ReaderDep
from app.stats import service
from app.stats.schemas import CountList, CountsQuery, CountView, Stats, StatsQuery

router = APIRouter(prefix="/v1/stats", tags=["stats"])


@router.get("", operation_id="get_stats", summary="How executions stand, and what came and went")
async def get_stats(query: Annotated[StatsQuery, Query()], process: ProcessDep, caller: ReaderDep) -> Stats:
    """Of yours, or with the scope `admin` of everybody's. However many there are, they are not scanned."""
    since, until = query.span(datetime.now(UTC))
    numbers = await service.get_stats(process, caller, query.scope(), since=since, until=until, step=query.step)
    return Stats.of(numbers, since=since, until=until, step=query.step)


@router.get(
    "/counts", operation_id="get_counts", summary="How many executions there are", response_model_exclude_none=True
)
async def get_counts(query: Annotated[CountsQuery, Query()], process: ProcessDep, caller: ReaderDep) -> CountList:
    """Exactly, by status, owner, pool or method, or by several of them."""
    counts = await service.count(process, caller, query.scope(), by=query.groups(), archived=query.archived.wanted)
    return CountList(items=[CountView.of(count) for count in counts], total=sum(count.n for count in counts))
