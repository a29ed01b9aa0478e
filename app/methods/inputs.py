"""The inputs of a method: a subset of JSON Schema 2020-12, and what is wrong with values by it. Pure.

The schema is one object of scalars and lists of scalars, so that no form, placeholder or check of it can surprise:
nothing refers to elsewhere, nests or repeats, and patterns are RE2's, which never go back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Self

import orjson
import re2
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from app.executions.vocabulary import INPUTS_BYTES, InputName, Json, Name, Note

INPUTS = 200
CHOICES = 500
ITEMS = 1000
PATTERN_CHARS = 500
# Bounds the compiled program, and with it the time that a character may take.
PATTERN_BYTES = 2**18
CHOICES_SHOWN = 20


class Wrong(TypedDict):
    """One thing that is wrong, as pydantic tells it: `loc` is a path, of which the first part says of what."""

    type: str
    loc: tuple[int | str, ...]
    msg: str


def wrong(code: str, path: Iterable[int | str], message: str) -> Wrong:
    """One thing wrong in a request's body."""
    return Wrong(type=code, loc=("body", *path), msg=message)


class Kind(StrEnum):
    """Types of inputs."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    ARRAY = "array"


class InputFormat(StrEnum):
    """What a text stands for."""

    DATE = "date"
    FILE = "file"
    SECRET = "secret"  # noqa: S105 - a word of ours


Number = Annotated[StrictInt | Annotated[float, Field(strict=True, allow_inf_nan=False)], Field(union_mode="smart")]
Length = Annotated[int, Field(strict=True, ge=0, le=INPUTS_BYTES)]
Count = Annotated[int, Field(strict=True, ge=0, le=ITEMS)]
Choice = StrictBool | StrictInt | Annotated[float, Field(strict=True, allow_inf_nan=False)] | StrictStr
_RANGE = frozenset({"minimum", "maximum", "exclusive_minimum", "exclusive_maximum", "multiple_of"})
_OF_KIND = {
    Kind.STRING: frozenset({"min_length", "max_length", "pattern", "format", "enum"}),
    Kind.NUMBER: _RANGE | {"enum"},
    Kind.INTEGER: _RANGE | {"enum"},
    Kind.BOOLEAN: frozenset({"enum"}),
    Kind.ARRAY: frozenset({"items", "min_items", "max_items", "unique_items"}),
}
_ANYWHERE = frozenset({"type", "title", "description", "default", "examples"})


def _pattern(value: str) -> str:
    if _compiled(value) is None:
        raise PydanticCustomError(
            "bad_pattern", "must be a regular expression of RE2: no lookaround, no back-references, and not too large"
        )
    return value


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.never_capture = True
    options.log_errors = False
    options.max_mem = PATTERN_BYTES
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


class ItemSchema(BaseModel):
    """A scalar: its type, and what else must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_camel)

    type: Kind
    enum: list[Choice] | None = Field(default=None, min_length=1, max_length=CHOICES, description="Any one of these")
    minimum: Number | None = None
    maximum: Number | None = None
    exclusive_minimum: Number | None = None
    exclusive_maximum: Number | None = None
    multiple_of: Annotated[Number, Field(gt=0)] | None = None
    min_length: Length | None = None
    max_length: Length | None = None
    pattern: Annotated[str, Field(max_length=PATTERN_CHARS), AfterValidator(_pattern)] | None = Field(
        default=None, description="A regular expression of RE2 that must match somewhere"
    )
    format: InputFormat | None = None

    @model_validator(mode="after")
    def _check_keywords(self) -> Self:
        for name in sorted(self.model_fields_set - _ANYWHERE - _OF_KIND[self.type]):
            raise PydanticCustomError(
                "not_of_type", "is nothing that a {type} has", {"at": _camel(name), "type": self.type.value}
            )
        return self

    @cached_property
    def validator(self) -> Validator:
        """Judges values."""
        keywords = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=set(_ANYWHERE - {"type"}))
        if self.format in {InputFormat.FILE, InputFormat.SECRET}:
            keywords.pop("format")
        validator: Validator = _Validator(keywords, format_checker=_FORMATS)
        return validator


class InputSchema(ItemSchema):
    """One input."""

    title: Name | None = None
    description: Note | None = None
    default: Json | None = Field(default=None, description="Its value where none is given")
    examples: list[Json] | None = Field(default=None, max_length=CHOICES_SHOWN)
    items: ItemSchema | None = None
    min_items: Count | None = None
    max_items: Count | None = None
    unique_items: StrictBool | None = None

    @model_validator(mode="after")
    def _check_items(self) -> Self:
        if self.type is not Kind.ARRAY:
            return self
        if self.items is None or self.items.type is Kind.ARRAY:
            raise PydanticCustomError("no_items", "must say what a list is of, a scalar", {"at": "items"})
        if self.items.format in {InputFormat.FILE, InputFormat.SECRET}:
            raise PydanticCustomError("bad_format", "must not be in a list", {"at": "items.format"})
        return self

    @property
    def has_default(self) -> bool:
        """Whether it has a value of its own."""
        return "default" in self.model_fields_set

    @property
    def has_commas(self) -> bool:
        """Whether an item may contain what stands between items in an argument."""
        if self.type is not Kind.ARRAY or self.items is None or self.items.type is not Kind.STRING:
            return False
        return self.items.enum is None or any("," in str(choice) for choice in self.items.enum)


class InputsSchema(BaseModel):
    """The inputs by name, as JSON Schema: `{"type": "object", "properties": {…}, "required": […]}`."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_camel)

    dialect: Literal["https://json-schema.org/draft/2020-12/schema"] | None = Field(default=None, alias="$schema")
    type: Literal["object"] = "object"
    title: Name | None = None
    description: Note | None = None
    properties: dict[InputName, InputSchema] = Field(default={}, max_length=INPUTS)
    required: list[str] = Field(default=[], max_length=INPUTS)
    additional_properties: Literal[False] = False

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for index, name in enumerate(self.required):
            if name not in self.properties:
                raise PydanticCustomError("unknown_input", "is not among the properties", {"at": f"required[{index}]"})
        as_variables: dict[str, str] = {}
        for name in self.properties:
            other = as_variables.setdefault(name.upper(), name)
            if other != name:
                message = "is the same environment variable as `{other}`"
                raise PydanticCustomError("same_name", message, {"at": f"properties.{name}", "other": other})
        return self

    def defaults(self) -> dict[str, Any]:
        """The values that need not be given."""
        return {name: each.default for name, each in self.properties.items() if each.has_default}

    def having(self, format_: InputFormat) -> set[str]:
        """The inputs of this format."""
        return {name for name, each in self.properties.items() if each.format is format_}

    def check(self, values: Mapping[str, Any], path: tuple[int | str, ...] = ("inputs",)) -> Iterator[Wrong]:
        """What is wrong with these values, which need not be all."""
        for name, value in values.items():
            schema = self.properties.get(name)
            if schema is None:
                yield wrong("unknown_input", (*path, name), "is no input of this method" + self._told())
            else:
                yield from _check(schema, value, (*path, name))

    def check_all(self, values: Mapping[str, Any], path: tuple[int | str, ...] = ("inputs",)) -> Iterator[Wrong]:
        """The same of values that have to be all."""
        yield from self.check(values, path)
        yield from (wrong("missing", (*path, name), "") for name in self.required if name not in values)

    def tidied(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Valid values as programs expect them: a whole number is written as one."""
        return {name: _tidied(self.properties[name].type, value) for name, value in values.items()}

    def _told(self) -> str:
        names = ", ".join(f"`{name}`" for name in list(self.properties)[:CHOICES_SHOWN])
        return f"; it has {names}" if names else "; it has none"


def _tidied(kind: Kind, value: Any) -> Any:
    return int(value) if kind is Kind.INTEGER and isinstance(value, float) else value


def _check(schema: InputSchema, value: Any, path: tuple[int | str, ...]) -> Iterator[Wrong]:
    if schema.format is InputFormat.FILE:
        return
    if isinstance(value, list) and len(value) > ITEMS:
        yield wrong("too_long", path, f"must have at most {ITEMS} items")
        return
    values = value if isinstance(value, list) else [value]
    if any(isinstance(each, float) and not math.isfinite(each) for each in values):
        # The library stumbles over it.
        yield wrong("not_finite", path, "must be a finite number: JSON has no NaN or Infinity")
        return
    for error in schema.validator.iter_errors(value):
        parts = (*path, *error.absolute_path)
        yield wrong(str(error.validator), parts, _sentence(error))


# By the keyword that does not hold. Values are not repeated: they may be secret, or long.
_SENTENCES = {
    "minimum": "must be at least {0}",
    "maximum": "must be at most {0}",
    "exclusiveMinimum": "must be more than {0}",
    "exclusiveMaximum": "must be less than {0}",
    "multipleOf": "must be a multiple of {0}",
    "minLength": "must be at least {0} characters long",
    "maxLength": "must be at most {0} characters long",
    "pattern": "must match the pattern `{0}`",
    "minItems": "must have at least {0} items",
    "maxItems": "must have at most {0} items",
    "uniqueItems": "must have no item twice",
    "format": "must be a date such as `2026-01-15`",
}
_TYPES = {
    "string": "must be a string",
    "number": "must be a number",
    "integer": "must be a whole number",
    "boolean": "must be true or false",
    "array": "must be a list",
}


def _sentence(error: ValidationError) -> str:
    asked: Any = error.validator_value
    if error.validator == "type":
        return _TYPES[str(asked)]
    if error.validator == "enum":
        shown = ", ".join(f"`{orjson.dumps(each).decode()}`" for each in asked[:CHOICES_SHOWN])
        return f"must be one of {shown}" + ("" if len(asked) <= CHOICES_SHOWN else ", …")
    return _SENTENCES[str(error.validator)].format(asked)


_Found = Iterator[ValidationError]


def _match(_: Validator, pattern: str, value: Any, _schema: Any) -> _Found:
    if isinstance(value, str) and _compiled(pattern).search(value) is None:
        yield ValidationError("")


def _one_of(_: Validator, choices: list[Any], value: Any, _schema: Any) -> _Found:
    if _key(value) not in set(map(_key, choices)):
        yield ValidationError("")


def _unique(_: Validator, asked: bool, value: Any, _schema: Any) -> _Found:  # noqa: FBT001 - the library's own protocol
    if asked and isinstance(value, list) and len(set(map(_key, value))) < len(value):
        yield ValidationError("")


def _key(value: Any) -> tuple[bool, Any]:
    """The same for what JSON Schema takes for equal: 1 and 1.0, but not 1 and true."""
    plain = value if isinstance(value, bool | int | float | str) else repr(value)
    return isinstance(value, bool), plain


# The library's own take the time of the square of a list, and of Python's expressions.
_Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _match, "enum": _one_of, "uniqueItems": _unique}
)
_FORMATS = FormatChecker(formats=("date",))
