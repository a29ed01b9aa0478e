"""The status machine as the design states it, written down a second time, by hand: what both the code and the database
are held against.
"""

STATUSES = (
    "queued",
    "preparing",
    "running",
    "paused",
    "stopping",
    "succeeded",
    "failed",
    "timed_out",
    "canceled",
    "crashed",
)
TERMINAL = STATUSES[5:]

# One row per status that is left, one column per status in the order of STATUSES.
_PICTURE = """
                que pre run pau sto | suc fai tim can cra
    queued       .   x   .   .   .  |  .   x   x   x   x
    preparing    x   .   x   .   x  |  .   x   x   .   x
    running      x   .   .   x   x  |  x   x   x   x   x
    paused       x   .   x   .   x  |  .   .   x   x   x
    stopping     x   .   .   x   .  |  x   x   x   x   x
    succeeded    .   .   .   .   .  |  .   .   .   .   .
    failed       .   .   .   .   .  |  .   .   .   .   .
    timed_out    .   .   .   .   .  |  .   .   .   .   .
    canceled     .   .   .   .   .  |  .   .   .   .   .
    crashed      .   .   .   .   .  |  .   .   .   .   .
"""

MOVES = frozenset(
    (row.split()[0], target)
    for row in _PICTURE.strip().splitlines()[1:]
    for target, mark in zip(STATUSES, row.replace("|", " ").split()[1:], strict=True)
    if mark == "x"
)

CAUSES = {
    "succeeded": {"ok"},
    "failed": {
        "exit_nonzero",
        "signaled",
        "oom_killed",
        "command_not_found",
        "command_not_executable",
        "spec_rejected",
        "output_missing",
        "disk_limit",
        "image_not_found",
        "image_denied",
    },
    "timed_out": {"queue_timeout", "pull_timeout", "run_timeout", "idle_timeout"},
    "canceled": {"canceled_by_user", "canceled_by_system", "self_canceled"},
    "crashed": {"image_pull_failed", "host_lost", "engine_error", "interrupted", "outcome_unknown"},
}
