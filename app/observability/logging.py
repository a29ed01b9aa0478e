"""Our own log: structlog and the standard library's loggers through one handler, one line per event.

Event names are constants with dots (`hint.lost`), values go into keys. Nothing that a user sends can begin a new line
or move the cursor: JSON escapes control characters, and for the console they are escaped here.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog
from structlog.types import Processor

# Quiet unless something is wrong; uvicorn's start and stop lines are worth having.
_LEVELS = {"uvicorn.access": logging.WARNING, "sqlalchemy": logging.WARNING, "arq": logging.WARNING}
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def configure_logging(log_format: str) -> None:
    """Set up logging for this process: `json` or `console`, to standard error."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        _drop_color,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(log_format)],
        ),
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)


def _renderers(log_format: str) -> list[Processor]:
    # Plain tracebacks only: the richer ones print local variables, and with them tokens.
    if log_format == "console":
        console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        return [structlog.processors.format_exc_info, escape_control_characters, console]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_dump)]


def _drop_color(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.pop("color_message", None)  # uvicorn says everything twice
    return event


def escape_control_characters(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A terminal obeys control characters, so none is printed as such; lines of a traceback are marked as its own."""
    for key, value in event.items():
        if isinstance(value, str):
            lines = [f"  | {line}" for line in value.split("\n")] if key == "exception" else [value]
            event[key] = "\n".join(line.translate(_CONTROL) for line in lines)
    return event


def _dump(event: MutableMapping[str, Any], **_: Any) -> str:
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # Half a surrogate pair, or an integer beyond 64 bits: a line in the log is worth more than its exactness.
        return orjson.dumps({key: repr(value) for key, value in event.items()}).decode()
