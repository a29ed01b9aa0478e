"""The status machine of the real server, as tables: a test of Tailrace's own holds them against it."""

from __future__ import annotations

from collections.abc import Mapping

from tailrace._status import TERMINAL

_MOVES = """
queued     preparing canceled timed_out failed crashed
preparing  running queued stopping failed timed_out crashed
running    paused stopping queued succeeded failed timed_out canceled crashed
paused     running queued stopping canceled timed_out crashed
stopping   queued paused succeeded failed timed_out canceled crashed
succeeded
failed
timed_out
canceled
crashed
"""
MOVES: Mapping[str, frozenset[str]] = {
    status: frozenset(following) for status, *following in map(str.split, _MOVES.strip().splitlines())
}

_NO_SUCH_PROGRAM = (
    "Check the first item of `command`, and the image's entrypoint and PATH. A shell line needs "
    '`["sh", "-c", "…"]`; `setup` and `teardown` need `/bin/sh` in the image.'
)
# What ends how, and what to do about it.
CAUSES: Mapping[str, tuple[str, str]] = {
    "ok": ("succeeded", ""),
    "exit_nonzero": ("failed", "The end of the log usually says why; `exit_code` is the program's own."),
    "signaled": ("failed", "The exit code is 128 + the signal: 134 is abort(), 139 a segmentation fault."),
    "oom_killed": ("failed", "Raise `limits.memory`, or work in smaller pieces."),
    "command_not_found": ("failed", _NO_SUCH_PROGRAM),
    "command_not_executable": (
        "failed",
        "It needs the executable bit (`chmod +x`), a first line such as `#!/bin/sh`, and this machine's architecture.",
    ),
    "spec_rejected": (
        "failed",
        "The message says why: the engine refused it (check `workdir`, `user`, `limits`), or an input cannot be had.",
    ),
    "output_missing": (
        "failed",
        "The message names them. Outputs are collected from `/tailrace/outputs`; `warnings` say what was left out.",
    ),
    "disk_limit": (
        "failed",
        "Remove intermediate files, or raise `limits.disk`. Many small files count too: each as 4 KiB at least.",
    ),
    "image_not_found": (
        "failed",
        "Check name and tag. With `image_policy: never` the image must be on the worker's engine already.",
    ),
    "image_denied": (
        "failed",
        "A private registry needs credentials; ask your administrator which images are allowed.",
    ),
    "queue_timeout": ("timed_out", "The pool is busy or has no worker: look at it, or raise `limits.queue_timeout`."),
    "pull_timeout": ("timed_out", "Raise `limits.pull_timeout`, or pull large images on the worker beforehand."),
    "run_timeout": (
        "timed_out",
        "Raise `limits.timeout`. If the program saves checkpoints, submit it again with `resume_from`.",
    ),
    "idle_timeout": ("timed_out", "Print progress now and then, or raise `limits.idle_timeout`."),
    "canceled_by_user": ("canceled", "If the program saved a checkpoint, submit it again with `resume_from` to go on."),
    "canceled_by_system": ("canceled", "The message says why."),
    "self_canceled": ("canceled", "The end of the log usually says why."),
    "image_pull_failed": ("crashed", "The registry may be away. Nothing was started: submit it again later."),
    "host_lost": ("crashed", "Submit it again, with `resume_from` if it saved a checkpoint."),
    "engine_error": ("crashed", "Nothing is wrong with the request; the message says what failed. Submit it again."),
    "interrupted": (
        "crashed",
        "Submit it again, with `resume_from` if it saved a checkpoint; with `on_interrupted: retry` that is automatic.",
    ),
    "outcome_unknown": ("crashed", "Check what the program did before submitting it again."),
}

# `+` it is done, `=` it is so already, `-` 409; `fro` is paused by freezing, `sav` by a checkpoint.
_ANSWERS = """
                         que pre run fro sav sto | suc fai tim can cra
cancel                    +   +   +   +   +   +  |  -   -   -   =   -
pause (freeze)            -   -   +   =   -   -  |  -   -   -   -   -
pause (checkpoint)        -   -   +   -   =   -  |  -   -   -   -   -
resume                    =   =   =   +   +   -  |  -   -   -   -   -
hold                      +   -   -   -   -   -  |  -   -   -   -   -
release                   +   =   =   =   =   =  |  -   -   -   -   -
rerun                     -   -   -   -   -   -  |  +   +   +   +   +
archive                   -   -   -   -   -   -  |  +   +   +   +   +
restore                   =   =   =   =   =   =  |  +   +   +   +   +
delete                    +   +   +   +   +   +  |  +   +   +   +   +
PATCH name, note, labels  +   +   +   +   +   +  |  +   +   +   +   +
PATCH limits              +   +   +   +   +   +  |  -   -   -   -   -
"""
STANDINGS = (
    "queued", "preparing", "running", "paused (freeze)", "paused (checkpoint)", "stopping",
    "succeeded", "failed", "timed_out", "canceled", "crashed",
)  # fmt: skip
ANSWERS: Mapping[str, Mapping[str, str]] = {
    row[:26].strip(): dict(zip(STANDINGS, row[26:].replace("|", " ").split(), strict=True))
    for row in _ANSWERS.strip("\n").splitlines()[1:]
}

_ONLY_ENDED = "Wait until it has ended, or cancel it."
HINTS: Mapping[str, str] = {
    "cancel": "What has ended cannot be canceled.",
    "pause (freeze)": "Only what runs can be paused.",
    "pause (checkpoint)": "Only what runs can be paused.",
    "resume": "Only what is paused can be resumed. Submit it again with POST …/rerun.",
    "hold": "Only what is queued can be held.",
    "release": "Only what is held in the queue can be released.",
    "rerun": f"{_ONLY_ENDED} To run it twice at once, submit it again.",
    "archive": _ONLY_ENDED,
    "PATCH limits": "The limits of what has ended are history. POST …/rerun takes others.",
}


def standing(status: str, pause_mode: str | None) -> str:
    """A status as operations tell them apart: `paused` is two."""
    return f"paused ({pause_mode})" if status == "paused" else status


def status_of_batch(statuses: list[str]) -> str:
    """What the children have in common."""
    seen = set(statuses)
    active = seen - TERMINAL
    if seen == {"queued"}:
        return "queued"
    if active in ({"paused"}, {"stopping"}):
        return active.pop()
    if active:
        return "running"
    if seen & {"failed", "timed_out", "crashed"}:
        return "failed"
    return "canceled" if "canceled" in seen else "succeeded"
