"""What a terminal would make of text: escape sequences, and lines that are written over. Pure."""

from __future__ import annotations

import re

# Beyond this an escape sequence that does not end is text like any other.
ESCAPE_CHARS = 4_096

_CSI = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*"
# Titles, links, device control and the like: up to BEL or ST. What begins one is not within one, or a text of nothing
# but beginnings would be looked through again for each of them.
_STRING = rf"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]{{0,{ESCAPE_CHARS}}}"
# Of a string that does not end only the beginning is taken away, so that no text disappears.
_ESCAPE = re.compile(rf"{_CSI}[@-~]?|{_STRING}(?:\x07|\x1b\\|\x9c)|\x1b[ -/]*[0-~]?|[\x90-\x9f]")
_BEGUN = re.compile(rf"(?:{_CSI}|{_STRING}\x1b?|\x1b[ -/]*)\Z")
_ERASES = re.compile(r"\x1b\[[0-2]?[KJ]")


def is_plain(text: str) -> bool:
    """Whether it has neither escape sequences nor carriage returns."""
    return "\r" not in text and _has_none(text)


def strip_escapes(text: str) -> str:
    """The text without escape sequences."""
    return text if _has_none(text) else _ESCAPE.sub("", text)


class Stripper:
    """Takes the escape sequences out of one stream's records, also those that are cut over two."""

    def __init__(self) -> None:
        self._begun = ""

    def shown(self, text: str, *, continues: bool) -> str:
        """A record's text; what has begun at its end shows with the next record, if that goes on in the same line."""
        if not self._begun and _has_none(text):
            return text
        text, self._begun = self._begun + text, ""
        if continues and (begun := _BEGUN.search(text)) and len(begun[0]) <= ESCAPE_CHARS:
            text, self._begun = text[: begun.start()], begun[0]
        return _ESCAPE.sub("", text)


def last_state(text: str, *, open_ended: bool = False) -> str:
    """What is left of a line that returned to its beginning, once or more. One that is `open_ended` may do so again."""
    if "\r" not in text:
        return text
    *before, last = text.split("\r")
    if _draws(last):
        return last
    state = next((state for state in reversed(before) if _draws(state)), "")
    # What draws nothing yet, such as a colour, is the beginning of what is drawn next.
    return f"{state}\r{last}" if open_ended else state


def draws_over(text: str) -> bool:
    """Whether nothing is left of what stood in the line before this text."""
    return "\r" in text and any(map(_draws, text.split("\r")[1:]))


def _draws(text: str) -> bool:
    return bool(_ERASES.search(text) or strip_escapes(text))


def _has_none(text: str) -> bool:
    return "\x1b" not in text and (text.isascii() or not _ESCAPE.search(text))
