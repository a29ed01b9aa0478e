"""Errors in words: what pydantic found wrong as an error of ours, and any of ours as a problem (RFC 9457). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import MAX_FIELD_CHARS, FieldError, InvalidRequest, MalformedRequest, ServiceError

# A body can have any number of things wrong with it; the answer is not to be larger than the question.
MAX_ERRORS = 100

_WHOLE = "must be a whole number"
_NUMBER = "must be a number"
_OBJECT = "must be an object"
_LIST = "must be a list"
_TRUTH = "must be true or false"
_TIME = "must be a time with its zone, such as `2026-01-15T10:00:00Z`"
_UUID = "must be a UUID"
_SIZE = "must be a size: a number of bytes, or a string with a unit such as `512MiB`"
_PLURAL_OF_ONE = re.compile(r"(\b1 (?:item|character))s")
_SENTENCES = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_type": "must be a string",
    "string_unicode": "must be valid Unicode",
    "string_too_short": "must be at least {min_length} characters long",
    "string_too_long": "must be at most {max_length} characters long",
    "string_pattern_mismatch": "must match the pattern `{pattern}`",
    "literal_error": "must be {expected}",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "timezone_aware": _TIME,
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "uuid_type": _UUID,
    "uuid_parsing": _UUID,
    "enum": "must be {expected}",
    "byte_size": _SIZE,
    "byte_size_unit": _SIZE,
}
# What to do about it, where a sentence holds for all fields.
_HINTS = {
    "Leave it out, or look for its name at /docs.": ("extra_forbidden",),
    "Send it too; /docs has an example of the whole.": ("missing",),
    "Write it in digits, such as `20`; in JSON without quotes.": (
        "int_type", "float_type", "int_from_float", "int_parsing", "int_parsing_size", "float_parsing",
    ),
    "In JSON a text has quotes around it.": ("string_type",),
    "Write `true` or `false`; in JSON without quotes.": ("bool_type", "bool_parsing"),
    "JSON has no `NaN` and no `Infinity`: leave it out.": ("finite_number",),
    "In JSON it is in square brackets, also where there is one only.": ("tuple_type", "list_type"),
    "In JSON it is in curly brackets.": ("dict_type", "model_type", "model_attributes_type"),
    "Without a zone nobody knows when that is: end it with `Z` for UTC. In an address `+` is `%2B`.": (
        "timezone_aware", "datetime_type", "datetime_parsing", "datetime_from_date_parsing",
    ),
    "An id is what the answer to the first request says, such as `019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44`.": (
        "uuid_type", "uuid_parsing",
    ),
    "The units are B, KB, MB, GB, TB, and with 1024 for 1000 KiB, MiB, GiB, TiB.": ("byte_size", "byte_size_unit"),
    "Its limits are at /docs.": (
        "greater_than_equal", "less_than_equal", "greater_than", "less_than", "too_short", "too_long",
        "string_too_short", "string_too_long", "string_pattern_mismatch",
    ),
    "Write one of these as it stands there; capital and small letters are not the same.": ("literal_error", "enum"),
    "GET /v1/methods/NAME has its versions; POST /v1/methods/NAME/versions/VERSION/publish makes one of a draft.": (
        "draft", "unknown_version",
    ),
    "Half a surrogate pair (`\\ud800`) is no character.": ("string_unicode",),
}  # fmt: skip
_HINT_OF = {code: hint for hint, codes in _HINTS.items() for code in codes}
_HINT_OF_OTHERS = "What may be sent is described at /docs."
MAX_HINTS = 3


def explain(errors: Sequence[Any]) -> ServiceError:
    """What pydantic found wrong: the first fields of it, and how many there are."""
    for error in errors:
        if error["type"] == "json_invalid":
            hint = "JSON has double quotes, no comma after the last item, and no comments."
            where = f"{error['ctx']['error']} at character {error['loc'][-1]}"
            return MalformedRequest(f"The body is not JSON: {where}.", hint=hint)
    told = _told(errors)
    return InvalidRequest.of([_field_of(error) for error in told[:MAX_ERRORS]], besides=max(0, len(told) - MAX_ERRORS))


def fields_of(errors: Sequence[Any]) -> list[FieldError]:
    """The same field by field, every one."""
    return [_field_of(error) for error in _told(errors)]


def _told(errors: Sequence[Any]) -> Sequence[Any]:
    """A list is too short for pydantic when an item of it is wrong: of the two only the item is."""
    if not any(error["type"] == "too_short" for error in errors):
        return errors
    parents = {tuple(error["loc"][:length]) for error in errors for length in range(len(error["loc"]))}
    return [error for error in errors if error["type"] != "too_short" or tuple(error["loc"]) not in parents]


def _field_of(error: Mapping[str, Any]) -> FieldError:
    return FieldError(_path_of(error), error["type"], _sentence_of(error))


def _path_of(error: Mapping[str, Any]) -> str:
    """`("body", "limits", "timeout")` → `limits.timeout`, `("body", "command", 0)` → `command[0]`."""
    where, *parts = error["loc"]
    # Pydantic marks a bad key of a mapping so; the path names the key already.
    parts = [part for part in parts if part != "[key]"]
    if nested := error.get("ctx", {}).get("at"):
        parts.append(nested)
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return path.removeprefix(".") or where


def _sentence_of(error: Mapping[str, Any]) -> str:
    template = _SENTENCES.get(error["type"])
    # Errors of ours may have the code of one of pydantic's, and say themselves what they mean.
    if template is None or ("{" in template and "ctx" not in error):
        return str(error["msg"]).removeprefix("Value error, ")
    return _PLURAL_OF_ONE.sub(r"\1", template.format_map(error.get("ctx", {})))


def hint_of(fields: Sequence[FieldError]) -> str:
    """What to do about what is wrong with these, where nobody has said it better; of many kinds the first ones."""
    hints = dict.fromkeys(_HINT_OF.get(item.code, _HINT_OF_OTHERS) for item in fields)
    return " ".join([*hints][:MAX_HINTS])


def _own_hint(error: ServiceError) -> str:
    return hint_of(error.fields) if isinstance(error, InvalidRequest) else ""


def problem_of(error: ServiceError) -> dict[str, Any]:
    """What an answer or a record says of it."""
    return {
        "type": f"urn:tailrace:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": printable(error.detail),
        "hint": printable(error.hint or _own_hint(error)) or None,
        "errors": [
            {"field": printable(item.field)[:MAX_FIELD_CHARS], "code": item.code, "message": printable(item.message)}
            for item in error.fields[:MAX_ERRORS]
        ],
    }


def printable(text: str) -> str:
    """What JSON can carry: clients can send half a surrogate pair, and we quote them."""
    return text.encode(errors="replace").decode()
