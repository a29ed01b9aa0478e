"""How serious a line is, as programs of many kinds write it. Pure.

Recognised are JSON logs, logfmt, and the usual beginnings of lines: `[ERROR] …`, `ERROR: …`, `2026-11-21 … WARN …`,
`E1121 …` (klog), and what the loggers of Python, Java, Go, Rust, Node and .NET write by themselves.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Any

import orjson

# A level stands at the beginning of a line; a word further on is talk.
HEAD_CHARS = 240


class Level(IntEnum):
    """In order: asking for one asks for those above it too."""

    TRACE = 10
    DEBUG = 20
    INFO = 30
    WARN = 40
    ERROR = 50
    FATAL = 60


_WORDS = {
    Level.TRACE: "trace trce trc finest finer verbose vrb",
    Level.DEBUG: "debug debu dbug dbg",
    Level.INFO: "info information inf notice log success",
    Level.WARN: "warn warning wrn",
    Level.ERROR: "error erro err fail severe",
    Level.FATAL: "fatal fata ftl critical crit panic dpanic pani alert emerg emergency",
}
LEVEL_OF = {word: level for level, words in _WORDS.items() for word in words.split()}
_LETTERS = {
    "V": Level.TRACE, "D": Level.DEBUG, "I": Level.INFO, "W": Level.WARN, "E": Level.ERROR,
    "F": Level.FATAL, "C": Level.FATAL, "A": Level.FATAL,
}  # fmt: skip
_OF_SYSLOG = (Level.FATAL,) * 3 + (Level.ERROR, Level.WARN, Level.INFO, Level.INFO, Level.DEBUG)
_JSON_KEYS = ("level", "severity", "levelname", "lvl", "log.level", "loglevel", "log_level", "@level")

# Talk uses these words in small letters, so those count only where punctuation marks them.
_LOUD = "|".join(sorted((word.upper() for word in LEVEL_OF), key=len, reverse=True))
_ANY = f"(?i:{_LOUD})"
_DATE = r"(?:\d{4}[-/]\d\d[-/]\d\d[T ,]*|(?:[A-Z][a-z]{2},? )?[A-Z][a-z]{2} +\d{1,2},? )"
_STAMP = rf"{_DATE}?\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[ ]?[+-]\d\d:?\d\d|[ ]UTC|[ ]\d{{4}})?"
_LOGFMT = re.compile(rf'(?:^|\s)(?:level|lvl|severity|levelname|loglevel|log_level)="?({_ANY})"?(?=\s|$)')
_LETTER = re.compile(
    rf"([DIWEFC])\d{{4}} \d\d:\d\d:\d\d"  # klog and glog: E1121 03:32:20.614
    rf"|\[([DIWEC]) (?=\d)"  # Tornado and Jupyter: [W 2026-11-21 03:32:20.614 …]
    rf"|{_STAMP}: ([IWEF]) "  # TensorFlow: 2026-11-21 03:32:20.614: W …
    rf"|([DIWEFA]), \["  # Ruby: E, [2026-11-21T03:32:20.614 #7]
    rf"|([VDIWEF])/[\w.]+ *(?:\( *\d+\))?: "  # Android: W/Tag( 7): …
)
_PRIORITY = re.compile(r"<(1?\d{1,2})>")
_START = re.compile(
    rf"[\[(<]?({_LOUD})(?![\w.=])"  # ERROR …, [ERROR] …, INFO:root:…, WARN[0000] …
    rf"|[\[(<]({_ANY})[\])>]"  # [error] …
    rf"|({_ANY})(?:\[\w+\])?: "  # error: …, error[E0382]: …, warn: Microsoft.…
    rf"|npm ({_ANY})\b"
)
# A time, in brackets or not, then things like a thread, a process or a logger, and then the level.
_LATER = re.compile(
    rf"[\[(]?{_STAMP}[\])]?"
    rf"(?:"
    rf"[:\s|-]*({_ANY})(?=[\s:|\]/-]|$)"
    rf"|(?:\s*\S+\s){{0,5}}?[\s\[(|]*({_LOUD})(?=[\s\])|:/-]|$)"
    rf"|(?:\s*\S+\s){{0,5}}?\s*[\[(](?:\w+:)?({_ANY})[\])]"
    rf")"
)
# What a crash says of itself, without a logger.
_CRASH = re.compile(
    r"Traceback \(most recent call last\):|Exception in thread |Unhandled exception|Uncaught |thread '.*' panicked at |"
    r"fatal error: |Segmentation fault|Killed$"
)


def level_of(text: str) -> Level | None:
    """The level that a line says of itself. `text` has no escape sequences."""
    text = text.lstrip()
    if text.startswith("{"):
        return _of_json(text)
    head = text[:HEAD_CHARS]
    return _of_beginning(head) or _of_logfmt(head) or (Level.ERROR if _CRASH.match(head) else None)


def _of_json(text: str) -> Level | None:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return next((_of_value(content[key]) for key in _JSON_KEYS if key in content), None)


def _of_value(value: Any) -> Level | None:
    if isinstance(value, str):
        return LEVEL_OF.get(value.strip().lower())
    return _of_number(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _of_number(value: int) -> Level | None:
    """As bunyan and pino count, in tens; or as syslog does, from 0 (worst) to 7."""
    if 0 <= value < len(_OF_SYSLOG):
        return _OF_SYSLOG[value]
    return Level(min(value // 10 * 10, Level.FATAL)) if 10 <= value < 100 else None


def _of_beginning(head: str) -> Level | None:
    if head[:1].isdigit():
        # Most lines of most logs: the rest of these need not be tried.
        found = _LATER.match(head) or _LETTER.match(head)
    elif priority := _PRIORITY.match(head):
        return _OF_SYSLOG[int(priority[1]) % len(_OF_SYSLOG)]
    else:
        found = _LETTER.match(head) or _START.match(head) or _LATER.match(head)
    if not found:
        return None
    word = found[found.lastindex or 0]
    return _LETTERS[word] if len(word) == 1 else LEVEL_OF[word.lower()]


def _of_logfmt(head: str) -> Level | None:
    found = _LOGFMT.search(head)
    return LEVEL_OF[found[1].lower()] if found else None
