"""What a caller says with an idempotency key: all requests with this key are one request. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

import orjson
from pydantic import AfterValidator, BaseModel, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.secrets.vault import Vault

HEADER = "Idempotency-Key"
# Set, to `true`, on the answer to a repeated request.
REPLAYED_HEADER = "Idempotency-Replayed"

# A string as RFC 8941 writes it in a header, which is what draft-ietf-httpapi-idempotency-key-header asks for.
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_VISIBLE = re.compile(r"[!-~]{1,255}")


def _key(value: str) -> str:
    """The key itself. Most clients send it bare, the draft wants it quoted: both are the same key."""
    if value.startswith('"'):
        quoted = _QUOTED.fullmatch(value)
        value = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else ""
    if not _VISIBLE.fullmatch(value):
        raise PydanticCustomError(
            "not_a_key", "must be 1 to 255 visible ASCII characters, such as a UUID, bare or in double quotes"
        )
    return value


Key = Annotated[str, AfterValidator(_key), WithJsonSchema({"type": "string", "minLength": 1})]


@dataclass(frozen=True, slots=True)
class Once:
    """A request that is to be carried out once, however often it is sent: its key, and what tells its body from others.

    Any of the `fingerprints` may have been kept when it was heard first; the first of them is kept now.
    """

    key: str
    fingerprints: tuple[bytes, ...]

    @property
    def body_sha256(self) -> bytes:
        """The fingerprint to keep."""
        return self.fingerprints[0]

    @classmethod
    def of(cls, key: str, body: BaseModel, confided: Mapping[str, Any], vault: Vault) -> Self:
        """Of a validated body: the order of its keys does not count, nor whether it spells out a default.

        Without the defaults, a field that a later version adds does not make another body of the same request. Of a
        body with secrets (`confided`) the hash is keyed: nobody who sees it can try out what they are. Raises `NoKey`.
        """
        asked = body.model_dump(mode="json", exclude_defaults=True) | dict(confided)
        data = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
        return cls(key, vault.fingerprints(data) if confided else (hashlib.sha256(data).digest(),))
