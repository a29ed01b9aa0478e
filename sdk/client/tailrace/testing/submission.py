"""A submission: its fields, what they may be, and their defaults. A test holds them against the real server's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from tailrace.testing.problems import Wrong, invalid
from tailrace.testing.shapes import (
    Shape,
    anything,
    fields,
    identifier,
    listed,
    maybe,
    named,
    number,
    one_of,
    size,
    text,
    time,
    truth,
    whole,
)
from tailrace.testing.states import CAUSES

MIB, GIB, LARGEST = 2**20, 2**30, 2**50
DAY = 86_400
_DOMAIN = r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = rf"(?:{_DOMAIN}/)?{_PART}(?:/{_PART})*(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{{0,127}})?(?:@[a-zA-Z0-9:+._-]+)?"
_SIGNALS = (
    "SIGABRT SIGALRM SIGCHLD SIGCONT SIGHUP SIGINT SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTERM SIGTSTP SIGTTIN SIGTTOU "
    "SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ"
)
# What was wanted is never tried again.
NEVER_AGAIN = frozenset({"ok", "canceled_by_user", "canceled_by_system", "self_canceled"})

_LIMITS: dict[str, tuple[Shape, Any]] = {
    "queue_timeout": (maybe(whole(1, 366 * DAY)), None),
    "pull_timeout": (whole(1, DAY), 600),
    "timeout": (whole(1, 31 * DAY), 3600),
    "idle_timeout": (maybe(whole(1, 31 * DAY)), None),
    "warn_before": (maybe(whole(1, DAY)), None),
    "grace": (whole(0, 3600), 10),
    "notice": (maybe(whole(0, 3600)), None),
    "cpus": (number(0.01, 1024), 1.0),
    "memory": (size(6 * MIB, LARGEST), 512 * MIB),
    "pids": (whole(1, 2**22), 256),
    "shm": (size(0, LARGEST), 64 * MIB),
    "file_size": (size(0, LARGEST), 10 * GIB),
    "disk": (size(MIB, LARGEST), 10 * GIB),
    "log_bytes": (size(64 * 1024, 16 * GIB), 64 * MIB),
    "output_bytes": (size(0, LARGEST), GIB),
    "output_files": (whole(0, 1_000_000), 10_000),
    "checkpoint_bytes": (size(0, LARGEST), GIB),
}
LIMITS = {name: default for name, (_, default) in _LIMITS.items()}


def _limits(value: Any, path: str, wrong: list[Wrong]) -> Any:
    found: list[Wrong] = []
    kept = fields({name: shape for name, (shape, _) in _LIMITS.items()}, LIMITS)(value, path, found)
    if not found and kept["notice"] and kept["notice"] >= kept["grace"]:
        message = f"must be below `grace`, which is {kept['grace']}"
        found.append(Wrong(f"{path}.notice", "not_below_grace", message))
    wrong += found
    return kept


def _argv(value: Any, path: str, wrong: list[Wrong]) -> Any:
    if isinstance(value, str):
        message = 'must be a list of strings, such as `["sh", "-c", "echo hi"]`'
        wrong.append(Wrong(path, "not_a_list", message))
    elif value == []:
        wrong.append(Wrong(path, "empty", "must not be empty; leave it out to use the image's own"))
    else:
        listed(text(128 * 1024), 4096)(value, path, wrong)
    return value


def _variable(value: Any, path: str, wrong: list[Wrong]) -> Any:
    if str(value).upper().startswith("TAILRACE_"):
        message = "is reserved: names that begin with TAILRACE_ are set by Tailrace"
        wrong.append(Wrong(path, "reserved", message))
        return value
    rule = "must be named with letters, digits and underscores, not beginning with a digit"
    return text(pattern="[A-Za-z_][A-Za-z0-9_]*", code="bad_name", rule=rule)(value, path, wrong)


def _reason(value: Any, path: str, wrong: list[Wrong]) -> Any:
    is_code = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 255
    causes = sorted(CAUSES.keys() - NEVER_AGAIN)
    if not is_code and value not in causes:
        message = f"must be an exit code from 1 to 255 or one of these causes: {', '.join(causes)}"
        wrong.append(Wrong(path, "not_a_reason", message))
    return value


def _time(value: Any, path: str, wrong: list[Wrong]) -> Any:
    time(value, path, wrong)
    return value


def _start_time(value: Any, path: str, wrong: list[Wrong]) -> Any:
    at = time(value, path, wrong)
    if isinstance(at, datetime) and at > datetime.now(timezone.utc) + timedelta(days=366):
        wrong.append(Wrong(path, "too_late", "must be at most a year ahead"))
    return value


_PLAIN = text(32 * 1024)
_STAGE = fields({"command": _argv, "timeout": whole(1, 31 * DAY)}, {"timeout": 300}, required=("command",))
_SOURCE = fields({name: text(2**20) for name in ("id", "text", "base64", "url", "sha256")}, {})
_SECRET = fields(
    {"name": text(100, 1), "via": one_of("file", "env")}, {"name": None, "via": "file"}, required=("name",)
)
_OUTPUT = fields(
    {"path": text(1024, 1), "required": truth, "media_type": maybe(text(255)), "title": maybe(text(200))},
    {"path": None, "required": True, "media_type": None, "title": None},
    required=("path",),
)
_WEBHOOK = fields({"url": text(2048, 1), "events": anything, "secret": maybe(text())}, {})
_IMAGE_RULE = "must be an image reference such as `python:3.12-slim` or `registry.example.com/team/app:1` (lower case)"

# In the order of the real server, which is that in which errors are told.
FIELDS: dict[str, tuple[Shape, Any]] = {
    "method": (maybe(text(128, pattern=r"[a-z0-9][a-z0-9._-]*(@.+)?", code="bad_method", rule="must be a method: `name`, `name@1.2.0` or `name@latest`")), None),  # noqa: E501  a row of a table
    "profile": (maybe(text(63)), None),
    "image": (maybe(text(512, 1, pattern=_IMAGE, code="not_an_image", rule=_IMAGE_RULE)), None),
    "command": (maybe(_argv), None),
    "entrypoint": (maybe(_argv), None),
    "env": (named(_PLAIN, key=_variable), {}),
    "secrets": (named(text(32 * 1024, 1), 64, key=_variable), {}),
    "named_secrets": (named(_SECRET, 64, key=_variable), {}),
    "inputs": (named(anything, key=_variable), {}),
    "files": (named(_SOURCE, 1000), {}),
    "name": (maybe(text(200)), None),
    "note": (maybe(text(4000)), None),
    "labels": (named(text(255), 64, key=text(63, 1)), {}),
    "workdir": (maybe(text(4096, pattern="/.*", code="not_absolute", rule="must be an absolute path such as `/srv`")), None),  # noqa: E501  the same
    "user": (maybe(text(256, pattern=r"[^\s:]+(?::[^\s:]+)?", code="bad_user", rule="must be a user such as `1000`, `nobody` or `1000:1000`")), None),  # noqa: E501  the same
    "stop_signal": (text(32, pattern="|".join(_SIGNALS.split()), code="unknown_signal", rule="must be the name of a signal, such as SIGTERM or SIGINT"), "SIGTERM"),  # noqa: E501  the same
    "network": (one_of("none", "bridge"), "none"),
    "runtime": (maybe(text(63)), None),
    "image_policy": (one_of("missing", "always", "never"), "missing"),
    "pool": (text(63, 1), "default"),
    "priority": (whole(-100, 100), 0),
    "lane": (one_of("high", "normal", "low"), "normal"),
    "not_before": (maybe(_start_time), None),
    "hold": (truth, False),
    "limits": (_limits, LIMITS),
    "logical_time": (maybe(_time), None),
    "max_attempts": (whole(1, 100), 1),
    "retry_on": (listed(_reason, 64), []),
    "on_timeout": (one_of("fail", "retry"), "fail"),
    "on_interrupted": (one_of("fail", "retry"), "fail"),
    "exit_codes": (named(one_of("success", "fail", "retry", "canceled", "checkpoint")), {}),
    "setup": (maybe(_STAGE), None),
    "teardown": (maybe(_STAGE), None),
    "keep_workspace": (truth, False),
    "outputs": (listed(_OUTPUT, 64), []),
    "archive": (one_of("all", "outputs", "record"), "all"),
    "resume_from": (maybe(identifier), None),
    "webhooks": (listed(_WEBHOOK, 5), []),
}  # fmt: skip
_SUBMISSION = fields(
    {name: shape for name, (shape, _) in FIELDS.items()}, {name: default for name, (_, default) in FIELDS.items()}
)


def submission(body: Any, *, without: str = "") -> dict[str, Any]:
    """All fields of it, with defaults. Raises `Problem` naming every field that is wrong."""
    wrong: list[Wrong] = []
    kept: dict[str, Any] = _SUBMISSION(body, "", wrong)
    if isinstance(kept, Mapping):
        said = body.get("method")
        if kept["image"] is None and said is None and not any(error.field == "image" for error in wrong):
            wrong.append(Wrong("image", "missing", "is required"))
        if kept["profile"] is not None and said is None:
            wrong.append(Wrong("profile", "no_method", "is of a method, and none is named"))
    if wrong:
        order = {name: place for place, name in enumerate(FIELDS)}
        top = [error.field.partition(".")[0].partition("[")[0] for error in wrong]
        ranked = sorted(zip(top, wrong, strict=True), key=lambda pair: order.get(pair[0], len(order)))
        raise invalid([error for _, error in ranked])
    return {name: value for name, value in kept.items() if name != without}


def merged(original: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(original) if isinstance(original, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
