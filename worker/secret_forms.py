"""The forms in which a secret turns up in a log: as it is, encoded, escaped, or line by line. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from app.secrets.model import SHORTEST_MASKED, core

# The widths at which `base64`, MIME and `openssl` begin a new line.
_WRAPPED_AT = (76, 64)
# What else is left as it is: by encodeURIComponent, and by whoever keeps paths.
_SAFE = ("", "/", "!*'()", "!*'()/")


def forms_of(value: str) -> set[bytes]:
    """Every form of it that is long enough to be looked for; none of a value that is too short."""
    whole = core(value)
    if len(whole) < SHORTEST_MASKED:
        return set()
    forms = {whole, whole.hex().encode(), whole.hex().upper().encode()}
    forms.update(_escaped(whole), _quoted(whole), _in_base64(whole))
    # A program that marks its lines prints a key with something of its own in between.
    for line in map(bytes.strip, whole.splitlines()):
        forms.add(line)
        forms.update(_escaped(line))
    return {form for form in forms if len(form) >= SHORTEST_MASKED}


def _escaped(whole: bytes) -> Iterator[bytes]:
    """In a JSON string."""
    for plain in (True, False):
        escaped = json.dumps(whole.decode(), ensure_ascii=plain)[1:-1].encode()
        yield escaped
        yield escaped.replace(b"/", rb"\/")


def _quoted(whole: bytes) -> Iterator[bytes]:
    """In a URL, or in a form sent from one."""
    for safe in _SAFE:
        for quoted in (quote(whole, safe=safe), quote_plus(whole, safe=safe)):
            yield quoted.encode()
            yield _lower_hex(quoted).encode()


def _lower_hex(quoted: str) -> str:
    first, *rest = quoted.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def _in_base64(whole: bytes) -> Iterator[bytes]:
    """By itself, and as the part of something longer that does not depend on what is around it."""
    found: list[bytes] = []
    # `echo` ends it with a newline.
    for by_itself in (base64.b64encode(whole), base64.b64encode(whole + b"\n")):
        found += [by_itself, by_itself.rstrip(b"=")]
        for width in _WRAPPED_AT:
            found += [by_itself[at : at + width] for at in range(0, len(by_itself), width)]
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + whole)
        # Of the characters at either end some bits are the neighbours'.
        begin = (0, 2, 3)[before]
        end = len(encoded) - (0, 3, 2)[(before + len(whole)) % 3]
        found.append(encoded[begin:end])
    for each in found:
        yield each
        yield each.translate(_URL_SAFE)


_URL_SAFE = bytes.maketrans(b"+/", b"-_")
