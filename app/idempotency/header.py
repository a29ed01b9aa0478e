"""The header `Idempotency-Key`, for handlers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Request

from app.errors import FieldError, InvalidRequest
from app.idempotency.model import HEADER, Key

_DESCRIPTION = (
    "Makes it safe to send a submission again: of all with the same key and the same body one is accepted, and each "
    "gets its record. 1 to 255 visible ASCII characters, such as a UUID; your keys are your own. Kept for 24 hours at "
    "least."
)


async def get_idempotency_key(
    request: Request, key: Annotated[Key | None, Header(alias=HEADER, description=_DESCRIPTION)] = None
) -> str | None:
    """The key, if there is one. Raises `InvalidRequest` if there are several."""
    if len(request.headers.getlist(HEADER)) > 1:
        message = "must be sent once"
        raise InvalidRequest(f"`{HEADER}` {message}.", fields=[FieldError(HEADER, "repeated", message)])
    return key


IdempotencyKeyDep = Annotated[str | None, Depends(get_idempotency_key)]
