"""/v1/quotas and /v1/me. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from app.deps import AdminDep, BodyRoute, CallerDep, ProcessDep, RatesDep
from app.quotas import service
from app.quotas.model import OwnerName
from app.quotas.schemas import Me, NewQuota, QuotaList, QuotaView

router = APIRouter(tags=["quotas"], route_class=BodyRoute)

Owner = Annotated[OwnerName, Path(description="An owner, as tokens name them")]


@router.get("/v1/me", operation_id="get_me", summary="Who you are, and what you have left")
async def get_me(process: ProcessDep, rates: RatesDep, caller: CallerDep) -> Me:
    """For any token. What is used counts over all pools."""
    return Me.of(caller, await service.stand(process, caller), await rates.standing(caller))


@router.get("/v1/quotas", operation_id="list_quotas", summary="Who has limits of their own")
async def list_quotas(process: ProcessDep, _: AdminDep) -> QuotaList:
    """By name."""
    return QuotaList.of(await service.list_quotas(process))


@router.get("/v1/quotas/{owner}", operation_id="get_quota", summary="The limits of one owner")
async def get_quota(owner: Owner, process: ProcessDep, _: AdminDep) -> QuotaView:
    """Whoever that is: one that nobody knows has the default limits, and nothing."""
    return QuotaView.of(await service.get(process, owner))


@router.put("/v1/quotas/{owner}", operation_id="put_quota", summary="Set the limits of one owner")
async def put_quota(owner: Owner, limits: NewQuota, process: ProcessDep, _: AdminDep) -> QuotaView:
    """All of them. They hold for what is submitted and started from then on; nothing is stopped."""
    return QuotaView.of(await service.put(process, owner, limits.model_dump()))


@router.delete("/v1/quotas/{owner}", operation_id="delete_quota", summary="Back to the default limits", status_code=204)
async def delete_quota(owner: Owner, process: ProcessDep, _: AdminDep) -> None:
    """Also if there were none."""
    await service.remove(process, owner)
