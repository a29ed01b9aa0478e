"""The words of a submission on how its program runs: its stages, its exit codes and its outputs. Pure."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from app.executions.declared import ANY_DEPTH
from app.executions.model import DeclaredOutput, ExitMeaning, Stage
from app.executions.vocabulary import Argv, Name

_EXIT_CODE = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
LAST_EXIT_CODE = 255
OUTPUTS = 64
STAGE_WORDS = 256
PATTERN_CHARS = 1024
# More of them would make it slow to find what a pattern means.
DEPTHS = 2
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*", re.ASCII)


def _exit_code(value: str) -> str:
    if not _EXIT_CODE.fullmatch(value) or int(value) > LAST_EXIT_CODE:
        raise PydanticCustomError("not_an_exit_code", "must be an exit code from 1 to 255, such as `3`: 0 is success")
    return value


def _agreeing(value: dict[str, ExitMeaning], info: ValidationInfo) -> dict[str, ExitMeaning]:
    again = {str(reason) for reason in info.data.get("retry_on", ()) if isinstance(reason, int)}
    other = {code for code, meaning in value.items() if meaning not in {ExitMeaning.RETRY, ExitMeaning.CHECKPOINT}}
    if both := sorted(again & other, key=int):
        raise PydanticCustomError(
            "also_in_retry_on",
            "must not say {meaning} of a code that is in `retry_on`",
            {"at": both[0], "meaning": f"`{value[both[0]]}`"},
        )
    return value


ExitCode = Annotated[str, AfterValidator(_exit_code)]
ExitCodes = Annotated[dict[ExitCode, ExitMeaning], Field(max_length=LAST_EXIT_CODE), AfterValidator(_agreeing)]


def _pattern(value: str) -> str:
    parts = value.split("/")
    if not value.isprintable() or not all(parts) or not {".", ".."}.isdisjoint(parts):
        raise PydanticCustomError(
            "not_a_pattern",
            "must be a path below `/tailrace/outputs` such as `report.html` or `plots/*.png`, without `.` and `..`",
        )
    if parts.count(ANY_DEPTH) > DEPTHS:
        raise PydanticCustomError("too_many", "must have `**` at most {most} times", {"most": DEPTHS})
    return value


def _media_type(value: str) -> str:
    if not _MEDIA_TYPE.fullmatch(value):
        raise PydanticCustomError("not_a_media_type", "must be a media type such as `text/csv`, in lower case")
    return value


def _once_each(value: tuple[OutputBody, ...]) -> tuple[OutputBody, ...]:
    seen: set[str] = set()
    for number, each in enumerate(value):
        if each.path in seen:
            raise PydanticCustomError("declared_twice", "is declared already", {"at": number})
        seen.add(each.path)
    return value


def _short(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(value) > STAGE_WORDS:
        raise PydanticCustomError("too_many", "must have at most {most} arguments", {"most": STAGE_WORDS})
    return value


class StageBody(Stage):
    """What runs before or after the main command, in its container."""

    command: Annotated[Argv, AfterValidator(_short)] = Field(description="A list of arguments, without the entrypoint")
    timeout: int = Field(default=300, ge=1, le=86_400, strict=True, description="How long it may take, seconds")


class OutputBody(DeclaredOutput):
    """A file, or files, that the program is to leave in `/tailrace/outputs`."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=PATTERN_CHARS), AfterValidator(_pattern)] = Field(
        description="`report.html`, or a pattern: `plots/*.png`, `**/*.csv`"
    )
    required: StrictBool = Field(default=True, description="Without it, it has not ended well: `output_missing`")
    media_type: Annotated[str, StringConstraints(max_length=127), AfterValidator(_media_type)] | None = Field(
        default=None, description="What such files are; default: as guessed from their names"
    )
    title: Name | None = Field(default=None, description="For people")


Outputs = Annotated[tuple[OutputBody, ...], Field(max_length=OUTPUTS), AfterValidator(_once_each)]
