"""/v1/retention. Thin."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.deps import AdminDep, ProcessDep
from app.retention import service
from app.retention.expiry import NOTICE
from app.retention.schemas import Due, PartView, PolicyView, RetentionQuery, RetentionView

router = APIRouter(prefix="/v1/retention", tags=["retention"])


@router.get("", operation_id="get_retention", summary="What would be removed, and when: a dry run")
async def get_retention(query: Annotated[RetentionQuery, Query()], process: ProcessDep, _: AdminDep) -> RetentionView:
    """Nothing is removed by asking. The policy is set by the workers' settings."""
    rehearsal = await service.rehearse(process, days=query.days)
    due = {
        name: Due(now=PartView.of(now), within_days=PartView.of(rehearsal.within_days[name]))
        for name, now in rehearsal.now.items()
    }
    force = rehearsal.force
    return RetentionView(
        policy=PolicyView.of(force.policy), since=force.since, in_force_at=force.since + NOTICE, days=query.days, **due
    )
