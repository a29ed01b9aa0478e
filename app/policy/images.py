"""Patterns for image references. Pure.

A pattern is read as a reference is: a name, perhaps a tag, perhaps a digest, each with `*`, `**` and `?`. So no part of
a pattern can be made to fit another part of a reference.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

# Also one that is cut short: the engine takes it for the beginning of an id, not for a name with a tag.
_ID = re.compile(r"sha256:[0-9a-f]+")
_DOCKER_HUB = re.compile(r"\A(?:(?:index\.)?docker\.io/)?(?:library/)?")
_PATTERN = re.compile(r"[A-Za-z0-9*?\[][A-Za-z0-9._:/@*?+\]-]*")
_ANYTHING = "**"
PATTERN_CHARS = 512


class Parts(NamedTuple):
    """A reference or a pattern in its parts; the name is without the default registry."""

    name: str
    tag: str | None
    digest: str | None


def parts_of(text: str) -> Parts:
    """`registry:5000/team/app:1@sha256:…` → `registry:5000/team/app`, `1`, `sha256:…`."""
    named, _, digest = text.partition("@")
    folder, slash, last = named.rpartition("/")
    last, _, tag = last.partition(":")
    return Parts(_DOCKER_HUB.sub("", f"{folder}{slash}{last}"), tag or None, digest or None)


def is_pattern(text: str) -> bool:
    """Whether it can fit any reference at all."""
    return len(text) <= PATTERN_CHARS and _PATTERN.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def fits(pattern: str, image: str) -> bool:
    """Whether an image, as it was asked for, is one of these.

    A pattern without tag and digest takes all of them. With a tag it takes no digest: beside one a tag means nothing.
    The id of an image has no name: only `**` takes it, and a pattern that begins with `sha256:`.
    """
    if _ID.fullmatch(image):
        return pattern == _ANYTHING or (pattern.startswith("sha256:") and _fits(pattern, image))
    wanted, given = parts_of(pattern), parts_of(image)
    if not _fits(wanted.name, given.name):
        return False
    if wanted.digest is not None:
        return given.digest is not None and _fits(wanted.digest, given.digest)
    if wanted.tag is not None:
        return given.digest is None and _fits(wanted.tag, given.tag or "latest")
    return True


def _fits(pattern: str, text: str) -> bool:
    return _expression(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[str]:
    """`*` and `?` stay within a part of a path, `**` does not."""
    words = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*|\*|\?)", pattern)
    return re.compile("".join(words.get(piece) or re.escape(piece) for piece in pieces))
