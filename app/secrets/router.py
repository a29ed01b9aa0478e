"""/v1/secrets. Thin: parse, call the service, shape the answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from app.deps import BodyRoute, ProcessDep, ReaderDep, SubmitterDep
from app.secrets import service
from app.secrets.schemas import NewSecret, SecretList, SecretName, SecretView

router = APIRouter(prefix="/v1/secrets", tags=["secrets"], route_class=BodyRoute)

Name = Annotated[SecretName, Path(description="Its name, by which submissions refer to it")]


@router.get("", operation_id="list_secrets", summary="Your secrets, without their values")
async def list_secrets(process: ProcessDep, caller: ReaderDep) -> SecretList:
    """Your own only, also with the scope `admin`."""
    return SecretList.of(await service.list_all(process, caller))


@router.put(
    "/{name}",
    operation_id="put_secret",
    summary="Keep a secret under a name",
    responses={
        201: {"model": SecretView, "description": "It is new"},
        409: {"description": "You have too many"},
    },
)
async def put_secret(
    name: Name, new: NewSecret, response: Response, process: ProcessDep, caller: SubmitterDep
) -> SecretView:
    """Instead of the value that it had. What was submitted before keeps that until it ends."""
    secret = await service.put(process, caller, name, new.value.get_secret_value())
    if secret.created_at == secret.changed_at:
        response.status_code = 201
    return SecretView.model_validate(secret)


@router.delete("/{name}", operation_id="delete_secret", summary="Delete a secret", status_code=204)
async def delete_secret(name: Name, process: ProcessDep, caller: SubmitterDep) -> None:
    """What was submitted with it keeps its copy until it ends; nothing new can be submitted with it."""
    await service.remove(process, caller, name)
