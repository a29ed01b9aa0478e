"""The words in which a submission names its input files, with their rules. Pure."""

from __future__ import annotations

import re
from typing import Annotated, NoReturn

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from app.files.model import KINDS, FileSource
from app.outbound.policy import Policy, Refused

MAX_FILES = 1000
PATH_BYTES = 1024
PART_BYTES = 255
MAX_PARTS = 32
INLINE_BYTES = 256 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Here only the form of a URL is judged; what may be connected to is for whoever connects.
_ANYWHERE = Policy.parse("0.0.0.0/0:*,[::/0]:*")


def _refuse(code: str, message: str, *, at: str | None = None) -> NoReturn:
    raise PydanticCustomError(code, message, {"at": at} if at else None)


def _path(value: str) -> str:
    parts = value.split("/")
    if not value.isprintable() or any(part in {"", ".", ".."} for part in parts):
        _refuse("bad_path", "must be a path below `/tailrace/inputs`: relative, printable, without `.` and `..`")
    if len(value.encode()) > PATH_BYTES or len(parts) > MAX_PARTS or any(len(p.encode()) > PART_BYTES for p in parts):
        _refuse("bad_path", "must be a path of at most 1024 bytes and 32 parts of at most 255 bytes")
    return value


def _source(source: FileSource) -> FileSource:
    if len(source.kinds) != 1:
        _refuse("not_one_source", f"must have exactly one of {', '.join(f'`{kind}`' for kind in KINDS)}")
    if source.text is not None:
        _check_text(source.text)
    if source.url is not None:
        try:
            _ANYWHERE.read(source.url)
        except Refused as refused:
            _refuse("bad_url", str(refused), at="url")
    if source.sha256 is not None and source.url is None:
        _refuse("not_of_a_url", "goes with `url` only: other bytes are known", at="sha256")
    if source.sha256 is not None and not _SHA256.fullmatch(source.sha256):
        _refuse("bad_sha256", "must be 64 hexadecimal digits in lower case", at="sha256")
    try:
        _ = source.content
    except ValueError:
        _refuse("bad_base64", "must be base64", at="base64")
    return source


def _check_text(text: str) -> None:
    if "\0" in text:
        _refuse("nul_character", "must not contain the NUL character; `base64` takes any bytes", at="text")
    try:
        text.encode()
    except UnicodeEncodeError:
        _refuse("bad_unicode", "must be valid Unicode: it has half a surrogate pair", at="text")


def _files(files: dict[str, FileSource]) -> dict[str, FileSource]:
    if sum(len(source.content or b"") for source in files.values()) > INLINE_BYTES:
        _refuse("too_large", "must have at most 256 KiB of `text` and `base64` together; upload what is larger")
    for path in files:
        folders = path.split("/")[:-1]
        for depth in range(1, len(folders) + 1):
            if "/".join(folders[:depth]) in files:
                _refuse("file_and_directory", "must not lie below another file", at=path)
    return files


InputPath = Annotated[str, AfterValidator(_path)]
InputSource = Annotated[FileSource, AfterValidator(_source)]
Files = Annotated[dict[InputPath, InputSource], Field(max_length=MAX_FILES), AfterValidator(_files)]
