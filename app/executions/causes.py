"""What each cause means, in a sentence, and what to do about it: part of every record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from app.executions.states import Cause


class Explanation(NamedTuple):
    """`sentence` says what happened, `hint` what to try."""

    sentence: str
    hint: str


EXPLANATIONS: Mapping[Cause, Explanation] = {
    Cause.OK: Explanation("The program ended with exit code 0.", ""),
    Cause.EXIT_NONZERO: Explanation(
        "The program ended with an exit code other than 0.",
        "The end of the log usually says why; `exit_code` is the program's own.",
    ),
    Cause.SIGNALED: Explanation(
        "A signal from inside the container ended the program; nobody here asked for it.",
        "The exit code is 128 + the signal: 134 is abort(), 139 a segmentation fault.",
    ),
    Cause.OOM_KILLED: Explanation(
        "The program used more memory than `limits.memory` and the kernel killed it.",
        "Raise `limits.memory`, or work in smaller pieces.",
    ),
    Cause.COMMAND_NOT_FOUND: Explanation(
        "The image has no such program.",
        "Check the first item of `command`, and the image's entrypoint and PATH. A shell line needs "
        '`["sh", "-c", "…"]`; `setup` and `teardown` need `/bin/sh` in the image.',
    ),
    Cause.COMMAND_NOT_EXECUTABLE: Explanation(
        "The program exists but cannot be executed.",
        "It needs the executable bit (`chmod +x`), a first line such as `#!/bin/sh`, and this machine's architecture.",
    ),
    Cause.SPEC_REJECTED: Explanation(
        "The container could not be made as it was asked for.",
        "The message says why: the engine refused it (check `workdir`, `user`, `limits`), or an input cannot be had.",
    ),
    Cause.OUTPUT_MISSING: Explanation(
        "The program ended well but did not write an output that was required.",
        "The message names them. Outputs are collected from `/tailrace/outputs`; `warnings` say what was left out.",
    ),
    Cause.DISK_LIMIT: Explanation(
        "The program wrote more to disk than it may.",
        "Remove intermediate files, or raise `limits.disk`. Many small files count too: each as 4 KiB at least.",
    ),
    Cause.IMAGE_NOT_FOUND: Explanation(
        "There is no such image.",
        "Check name and tag. With `image_policy: never` the image must be on the worker's engine already.",
    ),
    Cause.IMAGE_DENIED: Explanation(
        "The registry, or the policy here, does not allow this image.",
        "A private registry needs credentials; ask your administrator which images are allowed.",
    ),
    Cause.QUEUE_TIMEOUT: Explanation(
        "It waited in the queue for longer than `limits.queue_timeout`.",
        "The pool is busy or has no worker: look at it, or raise `limits.queue_timeout`.",
    ),
    Cause.PULL_TIMEOUT: Explanation(
        "Pulling the image took longer than `limits.pull_timeout`, or stalled.",
        "Raise `limits.pull_timeout`, or pull large images on the worker beforehand.",
    ),
    Cause.RUN_TIMEOUT: Explanation(
        "The program ran for longer than `limits.timeout` and was stopped.",
        "Raise `limits.timeout`. If the program saves checkpoints, submit it again with `resume_from`.",
    ),
    Cause.IDLE_TIMEOUT: Explanation(
        "The program wrote nothing for longer than `limits.idle_timeout` and was stopped.",
        "Print progress now and then, or raise `limits.idle_timeout`.",
    ),
    Cause.CANCELED_BY_USER: Explanation(
        "Somebody asked to stop it.",
        "If the program saved a checkpoint, submit it again with `resume_from` to go on.",
    ),
    Cause.CANCELED_BY_SYSTEM: Explanation("Tailrace stopped it.", "The message says why."),
    Cause.SELF_CANCELED: Explanation(
        "The program ended itself with exit code 86: canceled on purpose.",
        "The end of the log usually says why.",
    ),
    Cause.IMAGE_PULL_FAILED: Explanation(
        "The image could not be pulled; nothing is wrong with the request itself.",
        "The registry may be away. Nothing was started: submit it again later.",
    ),
    Cause.HOST_LOST: Explanation(
        "The host it ran on did not come back.",
        "Submit it again, with `resume_from` if it saved a checkpoint.",
    ),
    Cause.ENGINE_ERROR: Explanation(
        "The container engine failed, or the store of files while required outputs were collected.",
        "Nothing is wrong with the request; the message says what failed. Submit it again.",
    ),
    Cause.INTERRUPTED: Explanation(
        "The container engine restarted under the program, or somebody stopped its container behind our back.",
        "Submit it again, with `resume_from` if it saved a checkpoint; with `on_interrupted: retry` that is automatic.",
    ),
    Cause.OUTCOME_UNKNOWN: Explanation(
        "It may have run, but how it ended cannot be found out; it is never silently run again.",
        "Check what the program did before submitting it again.",
    ),
}
