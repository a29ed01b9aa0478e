"""/v1/pools. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Response

from app.deps import AdminDep, BackgroundDep, BodyRoute, ProcessDep, ReaderDep
from app.pools import service
from app.pools.model import PoolName
from app.pools.schemas import NewPool, PoolChange, PoolList, PoolView

router = APIRouter(prefix="/v1/pools", tags=["pools"], route_class=BodyRoute)
one = APIRouter(prefix="/v1/pools/{name}", tags=["pools"], route_class=BodyRoute)

Name = Annotated[PoolName, Path(alias="name", description="The pool's name")]


@router.get("", operation_id="list_pools", summary="The pools, and how they stand")
async def list_pools(process: ProcessDep, _: ReaderDep) -> PoolList:
    """By name."""
    return PoolList(items=[PoolView.model_validate(pool) for pool in await service.list_pools(process)])


@router.post(
    "",
    operation_id="add_pool",
    summary="Make a pool",
    status_code=201,
    responses={
        201: {"description": "It exists", "headers": {"Location": {"schema": {"type": "string"}}}},
        409: {"description": "There is one of this name"},
    },
)
async def add_pool(new: NewPool, response: Response, process: ProcessDep, _: AdminDep) -> PoolView:
    """Also one of this name that was deleted. A worker that starts in a pool makes it too."""
    pool = await service.add(process, new.name, new.model_dump(exclude={"name"}))
    response.headers["Location"] = f"/v1/pools/{pool.name}"
    return PoolView.model_validate(pool)


@one.get("", operation_id="get_pool", summary="One pool")
async def get_pool(pool: Name, process: ProcessDep, _: ReaderDep) -> PoolView:
    """With what is queued and running in it, and who is there for it."""
    return PoolView.model_validate(await service.get(process, pool))


@one.patch("", operation_id="change_pool", summary="Change its limits")
async def change_pool(
    pool: Name, change: PoolChange, process: ProcessDep, background: BackgroundDep, _: AdminDep
) -> PoolView:
    """A JSON merge patch. What runs beyond a new limit is left alone; nothing more is started until it is below."""
    changed = await service.change(process, pool, change.model_dump(exclude_unset=True))
    background.start_once(partial(process.hints.ring, pool), what=f"bell:{pool}")
    return PoolView.model_validate(changed)


@one.delete(
    "",
    operation_id="delete_pool",
    summary="Delete a pool that is not in use",
    status_code=204,
    responses={409: {"description": "Something is queued or runs in it, or a worker serves it"}},
)
async def delete_pool(pool: Name, process: ProcessDep, _: AdminDep) -> None:
    """Nothing can be submitted to it any more. A worker that starts in it, or making it again, brings it back."""
    await service.delete(process, pool)
