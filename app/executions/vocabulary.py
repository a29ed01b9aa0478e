"""The words of a submission: string types with their rules, and messages that name the rule. Pure.

Everything here ends in Postgres, in a container's argv or in its environment, so what one of them cannot hold (NUL,
half a surrogate pair, an integer beyond 64 bits) is refused at the door.
"""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from app.executions.model import RETRIABLE
from app.executions.states import Cause
from app.secrets.model import SECRETS, SECRETS_BYTES, SecretRef, Via

NAME_CHARS = 200
NOTE_CHARS = 4000
IMAGE_CHARS = 512
PATH_CHARS = 4096
LABELS = 64
LABEL_KEY_CHARS = 63
LABEL_VALUE_CHARS = 255
ARGUMENTS = 4096
# The kernel refuses a longer argument or environment string (MAX_ARG_STRLEN, less the closing NUL).
ARGUMENT_BYTES = 128 * 1024 - 1
ENV_BYTES = 128 * 1024
INPUTS_BYTES = 256 * 1024
RESERVED_ENV = "TAILRACE_"
STARTS_WITHIN = timedelta(days=366)
FIRST_YEAR, LAST_YEAR = 1970, 2999

_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_NAME_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
_DIGEST = r"[a-zA-Z][a-zA-Z0-9]*(?:[-_+.][a-zA-Z][a-zA-Z0-9]*)*:[0-9a-fA-F]{32,}"
_IMAGE = re.compile(rf"(?:{_DOMAIN}/)?{_NAME_PART}(?:/{_NAME_PART})*(?::{_TAG})?(?:@{_DIGEST})?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USER = re.compile(r"[^\s:]+(?::[^\s:]+)?")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
_SIGNALS = frozenset(signal.Signals.__members__)


def _rule(code: str, message: str, **context: object) -> PydanticCustomError:
    return PydanticCustomError(code, message, context or None)


def _plain(value: str) -> str:
    if "\0" in value:
        raise _rule("nul_character", "must not contain the NUL character")
    if _HALF_A_PAIR.search(value):
        raise _rule("bad_unicode", "must be valid Unicode: it has half a surrogate pair")
    return value


def _image(value: str) -> str:
    if not _IMAGE.fullmatch(value):
        raise _rule(
            "not_an_image",
            "must be an image reference such as `python:3.12-slim` or `registry.example.com/team/app:1` (lower case)",
        )
    return value


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise _rule("bad_name", "must be named with letters, digits and underscores, not beginning with a digit")
    return value


def _own_variable(value: str) -> str:
    if value.upper().startswith(RESERVED_ENV):
        raise _rule("reserved", "is reserved: names that begin with TAILRACE_ are set by Tailrace")
    return _variable(value)


def _argument(value: str) -> str:
    if len(_plain(value).encode()) > ARGUMENT_BYTES:
        raise _rule("too_large", "must be at most 128 KiB, the kernel's limit for one argument")
    return value


def _no_line(value: object) -> object:
    if isinstance(value, str):
        raise _rule("not_a_list", 'must be a list of strings, such as `["sh", "-c", "echo hi"]`')
    return value


def _argv(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise _rule("empty", "must not be empty; leave it out to use the image's own")
    if not value[0]:
        raise _rule("empty", "must not begin with an empty string: the first item is the program")
    return value


def _env(value: dict[str, str]) -> dict[str, str]:
    # As the kernel counts: NAME=value and the closing NUL.
    size = sum(len(name.encode()) + len(text.encode()) + 2 for name, text in value.items())
    if size > ENV_BYTES:
        raise _rule("too_large", "must be at most 128 KiB, all variables together; larger data belongs in `inputs`")
    return value


def _secret(value: SecretStr) -> SecretStr:
    if not _plain(value.get_secret_value()):
        raise _rule("empty", "must not be empty")
    return value


def _secrets(value: dict[str, SecretStr], info: ValidationInfo) -> dict[str, SecretStr]:
    if sum(len(secret.get_secret_value().encode()) for secret in value.values()) > SECRETS_BYTES:
        raise _rule("too_large", "must be at most 32 KiB, all values together")
    if both := sorted(value.keys() & info.data.get("env", {}).keys()):
        raise _rule("also_in_env", "must not have a name that `env` has too", at=both[0])
    return value


def _named_secrets(value: dict[str, SecretRef], info: ValidationInfo) -> dict[str, SecretRef]:
    given = info.data
    if both := sorted(value.keys() & given.get("secrets", {}).keys()):
        raise _rule("also_in_secrets", "must not have a name that `secrets` has too", at=both[0])
    variables = {key for key, each in value.items() if each.via is Via.ENV}
    if both := sorted(variables & given.get("env", {}).keys()):
        raise _rule("also_in_env", "must not have a name that `env` has too", at=both[0])
    return value


def _size_of(value: Any) -> int:
    try:
        # It is stored one level deeper, in the specification.
        return len(orjson.dumps([value])) - 2
    except TypeError:
        # Half a surrogate pair, an integer beyond 64 bits, or nesting without end.
        raise _rule("not_json", "must be JSON of valid Unicode, 64-bit integers and at most 250 levels") from None


def _json(value: Any) -> Any:
    _size_of(value)
    return value


def _inputs(value: dict[str, Any]) -> dict[str, Any]:
    if _size_of(value) > INPUTS_BYTES:
        raise _rule("too_large", "must be at most 256 KiB of JSON")
    for path, leaf in _leaves(value):
        if isinstance(leaf, str) and "\0" in leaf:
            raise _rule("nul_character", "must not contain the NUL character", at=path)
        if isinstance(leaf, float) and not math.isfinite(leaf):
            raise _rule("not_finite", "must be a finite number: JSON has no NaN or Infinity", at=path)
    return value


def _leaves(root: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every key and every plain value, each with the path to it; without recursion, since clients choose the depth."""
    pending: list[tuple[str, Any]] = [("", root)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict):
            for key, item in value.items():
                inner = f"{path}.{key}" if path else str(key)
                yield inner, key
                pending.append((inner, item))
        elif isinstance(value, list):
            pending += [(f"{path}[{index}]", item) for index, item in enumerate(value)]
        else:
            yield path, value


def _workdir(value: str) -> str:
    if not value.startswith("/"):
        raise _rule("not_absolute", "must be an absolute path such as `/srv`")
    return _plain(value)


def _user(value: str) -> str:
    if not _USER.fullmatch(value):
        raise _rule("bad_user", "must be a user such as `1000`, `nobody` or `1000:1000`")
    return _plain(value)


def _signal(value: str) -> str:
    if value not in _SIGNALS:
        raise _rule("unknown_signal", "must be the name of a signal, such as SIGTERM or SIGINT")
    return value


def _start_time(value: object) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise _rule("not_a_time", "must be a time with its zone, such as `2026-01-15T10:00:00Z`")
    try:
        at = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _rule("not_a_time", "must be a time that there is, such as `2026-01-15T10:00:00Z`") from None
    if at > datetime.now(UTC) + STARTS_WITHIN:
        raise _rule("too_late", "must be at most a year ahead")
    return at


def written_out(value: object) -> object:
    """A time that is no number: one such as `20260115` would be taken for seconds since 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and ":" in value):
        return value
    raise _rule("not_a_time", "must be a time with its zone, such as `2026-01-15T10:00:00Z`")


def _moment(value: datetime) -> datetime:
    # At the ends of the calendar there is no hour before or behind, and no other time zone.
    if not FIRST_YEAR < value.year <= LAST_YEAR:
        raise _rule("out_of_range", "must be in the years {first} to {last}", first=FIRST_YEAR + 1, last=LAST_YEAR)
    return value.astimezone(UTC)


def _retry_reason(value: object) -> Cause | int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 255:
        return value
    if isinstance(value, str) and value in RETRIABLE:
        return Cause(value)
    causes = ", ".join(sorted(RETRIABLE))
    raise _rule("not_a_reason", f"must be an exit code from 1 to 255 or one of these causes: {causes}")


Name = Annotated[str, StringConstraints(max_length=NAME_CHARS), AfterValidator(_plain)]
Note = Annotated[str, StringConstraints(max_length=NOTE_CHARS), AfterValidator(_plain)]
Image = Annotated[str, StringConstraints(min_length=1, max_length=IMAGE_CHARS), AfterValidator(_image)]
LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=LABEL_KEY_CHARS), AfterValidator(_plain)]
LabelValue = Annotated[str, StringConstraints(max_length=LABEL_VALUE_CHARS), AfterValidator(_plain)]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=LABELS)]
Argument = Annotated[str, AfterValidator(_argument)]
Argv = Annotated[tuple[Argument, ...], Field(max_length=ARGUMENTS), AfterValidator(_argv), BeforeValidator(_no_line)]
EnvName = Annotated[str, AfterValidator(_own_variable)]
EnvValue = Annotated[str, AfterValidator(_plain)]
Env = Annotated[dict[EnvName, EnvValue], AfterValidator(_env)]
SecretValue = Annotated[SecretStr, AfterValidator(_secret)]
Secrets = Annotated[dict[EnvName, SecretValue], Field(max_length=SECRETS), AfterValidator(_secrets)]
NamedSecrets = Annotated[dict[EnvName, SecretRef], Field(max_length=SECRETS), AfterValidator(_named_secrets)]
# What is to be laid over something, and judged afterwards: it can be told from others, and its depth is bounded.
IsJson = AfterValidator(_json)
Json = Annotated[Any, IsJson]
JsonObject = Annotated[dict[str, Any], IsJson]
InputName = Annotated[str, StringConstraints(max_length=NAME_CHARS), AfterValidator(_variable)]
Inputs = Annotated[dict[InputName, Any], AfterValidator(_inputs)]
Workdir = Annotated[str, StringConstraints(max_length=PATH_CHARS), AfterValidator(_workdir)]
User = Annotated[str, StringConstraints(max_length=255), AfterValidator(_user)]
RuntimeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")]
StopSignal = Annotated[str, AfterValidator(_signal)]
StartTime = Annotated[datetime, BeforeValidator(_start_time), WithJsonSchema({"type": "string", "format": "date-time"})]
Moment = Annotated[AwareDatetime, BeforeValidator(written_out), AfterValidator(_moment)]
RetryReason = Annotated[
    Cause | int,
    BeforeValidator(_retry_reason),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 255}, {"type": "string", "enum": sorted(RETRIABLE)}]}
    ),
]
RetryOn = Annotated[tuple[RetryReason, ...], Field(max_length=64)]
