"""Code over HTTP: how to submit the same by program."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.attachment import attachment
from app.auth.service import Caller
from app.bootstrap import Process
from app.code import writing
from app.code.languages import FORMS, Language
from app.deps import ExecutionId, ProcessDep, SubmitterDep
from app.executions import service
from app.executions.record import Record
from app.executions.requests import Submission
from app.executions.rerun_body import RerunRequest, submitted_by_method
from app.methods.catalog import look_up

router = APIRouter(prefix="/v1/executions/{id}", tags=["executions"])

_NO_NAME = re.compile(r"[^A-Za-z0-9]+")
_ANY_IMAGE = "image"


class CodeQuery(BaseModel):
    """In what language."""

    model_config = ConfigDict(extra="forbid")

    language: Language = Field(default=Language.CURL, description="What the code is written in")


@router.get(
    "/code",
    operation_id="get_code",
    summary="Code that submits the same",
    response_class=Response,
    responses={
        200: {
            "content": {form.media_type: {} for form in FORMS.values()},
            "description": "The code, as a file of its language",
        },
    },
)
async def get_code(
    execution: ExecutionId,
    query: Annotated[CodeQuery, Query()],
    request: Request,
    process: ProcessDep,
    # It shows the values of `env`, as who submits it again can let its program do.
    caller: SubmitterDep,
) -> Response:
    """It submits, prints the log, waits, and fetches the outputs. What it needs to know it takes from the environment.

    `TAILRACE_TOKEN` holds the token, `TAILRACE_URL` the address if that is not this one, and each secret of the
    submission is in a variable of its own name: the code itself has none.
    """
    record = await service.get(process, caller, execution)
    form = FORMS[query.language]
    code = await asyncio.to_thread(  # a long submission takes a second
        writing.write,
        query.language,
        writing.Request(
            url=str(request.base_url).rstrip("/"),
            title=record.name or f"{record.spec.image}, as execution {record.id}",
            body=await _body_of(record, process, caller),
            secrets=sorted(record.spec.secrets),
        ),
    )
    name = _NO_NAME.sub("-", record.name or "").strip("-") or "execution"
    headers = {"Content-Disposition": attachment(name + form.suffix), "X-Content-Type-Options": "nosniff"}
    return Response(code, media_type=f"{form.media_type}; charset=utf-8", headers=headers)


async def _body_of(record: Record, process: Process, caller: Caller) -> dict[str, Any]:
    """What it was submitted with, without what is so by default."""
    original = submitted_by_method(record, await look_up(process, caller, RerunRequest().methods(record)))
    given = Submission.model_validate(original).model_dump(mode="json", exclude={"secrets"}, exclude_none=True)
    default = Submission(image=_ANY_IMAGE).model_dump(mode="json", exclude={"image"})
    given["limits"] = _without(given["limits"], default["limits"])
    return _without(given, default | {"limits": {}})


def _without(given: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in default or value != default[name]}
