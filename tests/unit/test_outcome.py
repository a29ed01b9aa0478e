import signal
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.executions.model import ExitMeaning, Limits, Outcome, Stop
from app.executions.states import STATUS_OF, Cause, Status, StopClock, StopReason
from support.values import NOON
from worker.outcome import Exit, canceled_by, init_complaint, read_exit

NOT_FOUND = b"[FATAL tini (7)] exec nosuch failed: No such file or directory"
NOT_EXECUTABLE = b"[FATAL tini (7)] exec /data failed: Permission denied"


def ended(
    code: int, *, oom: bool = False, signaled: bool = False, announced: bool = False, complaint: bytes | None = None
) -> Exit:
    return Exit(
        code=code, oom_killed=oom, signaled=signaled, announced=announced, init_complaint=init_complaint(complaint)
    )


def asked(reason: StopReason, *, by: str = "ann", clock: StopClock | None = None) -> Stop:
    deadline = NOON + timedelta(seconds=10)
    return Stop(reason=reason, by=by, requested_at=NOON, deadline=deadline, force=False, final=False, clock=clock)


LIMITS = Limits(timeout=60, idle_timeout=30)
CANCEL = asked(StopReason.CANCEL)
SYSTEM_CANCEL = asked(StopReason.CANCEL, by="system")
# What an older version wrote names no clock.
TIMEOUT = asked(StopReason.TIMEOUT, by="system")
RAN_OUT = asked(StopReason.TIMEOUT, by="system", clock=StopClock.TIMEOUT)
IDLE = asked(StopReason.TIMEOUT, by="system", clock=StopClock.IDLE_TIMEOUT)
PAUSE = asked(StopReason.PAUSE)

# The first reason that is pending wins; with none, the program's own exit.
TABLE = [
    ("ended well", ended(0), None, Cause.OK),
    ("ended well though a process of it was killed for memory", ended(0, oom=True), None, Cause.OK),
    ("exit code 1", ended(1), None, Cause.EXIT_NONZERO),
    ("exit code 1 after a process of it was killed for memory", ended(1, oom=True), None, Cause.EXIT_NONZERO),
    ("exit code 255", ended(255), None, Cause.EXIT_NONZERO),
    ("exit code 128, which no signal has", ended(128), None, Cause.EXIT_NONZERO),
    ("exit code 193, which no signal has", ended(128 + signal.NSIG), None, Cause.EXIT_NONZERO),
    ("no exit code", ended(-1), None, Cause.EXIT_NONZERO),
    ("85 from a program that announced itself", ended(85, announced=True), None, Cause.EXIT_NONZERO),
    ("85 from one that did not", ended(85), None, Cause.EXIT_NONZERO),
    ("86 from a program that announced itself", ended(86, announced=True), None, Cause.SELF_CANCELED),
    ("86 from one that did not", ended(86), None, Cause.EXIT_NONZERO),
    ("126 of its own", ended(126), None, Cause.EXIT_NONZERO),
    ("127 of its own, as a shell ends", ended(127, complaint=b"sh: nosuch: not found"), None, Cause.EXIT_NONZERO),
    ("127 that the container's init explains", ended(127, complaint=NOT_FOUND), None, Cause.COMMAND_NOT_FOUND),
    ("126 that it explains", ended(126, complaint=NOT_EXECUTABLE), None, Cause.COMMAND_NOT_EXECUTABLE),
    ("another code beside such words", ended(1, complaint=NOT_FOUND), None, Cause.EXIT_NONZERO),
    ("killed", ended(137), None, Cause.SIGNALED),
    ("killed for memory", ended(137, oom=True), None, Cause.OOM_KILLED),
    ("killed for disk", replace(ended(137), over_disk=True), None, Cause.DISK_LIMIT),
    (
        "killed for disk, by the engine's memory",
        replace(ended(137), over_disk=True, interruption="x"),
        None,
        Cause.DISK_LIMIT,
    ),
    ("too much on disk, but it had ended", replace(ended(0), over_disk=True), None, Cause.OK),
    (
        "killed for disk, and it calls that a success",
        replace(ended(137), over_disk=True, meaning=ExitMeaning.SUCCESS),
        None,
        Cause.DISK_LIMIT,
    ),
    (
        "killed for disk after a request to cancel",
        replace(ended(137, signaled=True), over_disk=True),
        CANCEL,
        Cause.CANCELED_BY_USER,
    ),
    ("aborted", ended(134), None, Cause.SIGNALED),
    ("segmentation fault beside a killed helper", ended(139, oom=True), None, Cause.SIGNALED),
    ("SIGHUP, the first signal", ended(129), None, Cause.SIGNALED),
    ("the last real-time signal", ended(128 + 64), None, Cause.SIGNALED),
    ("cancel, and it had ended well before any signal", ended(0), CANCEL, Cause.OK),
    ("cancel, and it ended well after the signal", ended(0, signaled=True), CANCEL, Cause.CANCELED_BY_USER),
    ("cancel, and it failed before any signal", ended(1), CANCEL, Cause.CANCELED_BY_USER),
    ("cancel, and SIGTERM ended it", ended(143, signaled=True), CANCEL, Cause.CANCELED_BY_USER),
    ("cancel, and it was killed", ended(137, signaled=True), CANCEL, Cause.CANCELED_BY_USER),
    ("cancel, and memory ran out meanwhile", ended(137, oom=True), CANCEL, Cause.CANCELED_BY_USER),
    ("cancel, and it saved and stopped", ended(85, announced=True), CANCEL, Cause.CANCELED_BY_USER),
    ("cancel, and it canceled itself", ended(86, announced=True), CANCEL, Cause.CANCELED_BY_USER),
    ("cancel by us", ended(143, signaled=True), SYSTEM_CANCEL, Cause.CANCELED_BY_SYSTEM),
    ("silent for too long, and it was killed", ended(137, signaled=True), IDLE, Cause.IDLE_TIMEOUT),
    ("silent for too long, and it had ended well before any signal", ended(0), IDLE, Cause.OK),
    ("timeout, and it had ended well before any signal", ended(0), TIMEOUT, Cause.OK),
    ("timeout, and it ended well after the signal", ended(0, signaled=True), TIMEOUT, Cause.RUN_TIMEOUT),
    ("timeout, and it failed", ended(3), TIMEOUT, Cause.RUN_TIMEOUT),
    ("timeout, and it saved and stopped", ended(85, announced=True), TIMEOUT, Cause.RUN_TIMEOUT),
    ("timeout, and it was killed", ended(137, signaled=True), TIMEOUT, Cause.RUN_TIMEOUT),
    ("timeout, and memory ran out meanwhile", ended(137, oom=True, signaled=True), TIMEOUT, Cause.RUN_TIMEOUT),
    ("pause, and it had ended well", ended(0), PAUSE, Cause.OK),
    ("pause, and it canceled itself", ended(86, announced=True), PAUSE, Cause.SELF_CANCELED),
    ("pause, and it failed", ended(2), PAUSE, Cause.EXIT_NONZERO),
    ("pause, and it was killed", ended(137), PAUSE, Cause.SIGNALED),
]


@pytest.mark.parametrize(("end", "stop", "cause"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_an_exit_is_read_as_the_design_says(end: Exit, stop: Stop | None, cause: Cause) -> None:
    outcome = read_exit(end, stop, LIMITS)
    assert outcome.cause is cause
    assert outcome.exit_code == end.code
    assert outcome.oom_killed is end.oom_killed
    assert outcome.message.endswith(".") or end.init_complaint


exits = st.builds(
    Exit, code=st.integers(0, 255), oom_killed=st.booleans(), signaled=st.booleans(), announced=st.booleans()
)
meanings = st.sampled_from(ExitMeaning)
stops = st.sampled_from([None, CANCEL, TIMEOUT, IDLE, PAUSE])


@given(exits, meanings, stops)
def test_a_meaning_changes_how_a_code_is_read_and_nothing_of_what_is_recorded(
    end: Exit, meaning: ExitMeaning, stop: Stop | None
) -> None:
    end = replace(end, code=max(1, end.code), meaning=meaning)
    outcome = read_exit(end, stop, LIMITS)
    assert (outcome.exit_code, outcome.oom_killed) == (end.code, end.oom_killed)
    unasked = stop in {None, PAUSE}
    killed = end.oom_killed and end.code == 137
    assert (outcome.cause is Cause.OK) is (
        meaning is ExitMeaning.SUCCESS and not killed and (unasked or not end.signaled)
    )
    assert (outcome.cause is Cause.SELF_CANCELED) is (meaning is ExitMeaning.CANCELED and not killed and unasked)
    assert (outcome.cause is Cause.OOM_KILLED) is (killed and unasked)
    assert (outcome.meaning is meaning) is (STATUS_OF[outcome.cause] is Status.FAILED)


@given(end=exits, meaning=meanings, stop=stops, asked_to_save=st.booleans())
def test_a_checkpoint_was_saved_if_the_code_says_so_and_only_the_attempt_ends_if_it_was_asked_to(
    end: Exit, meaning: ExitMeaning, stop: Stop | None, *, asked_to_save: bool
) -> None:
    end = replace(end, code=77, meaning=meaning, asked_to_save=asked_to_save)
    saved = meaning is ExitMeaning.CHECKPOINT
    outcome = read_exit(end, stop, LIMITS)
    assert outcome.saved is (saved and asked_to_save and stop in {None, PAUSE})
    if stop in {CANCEL, TIMEOUT, IDLE} and outcome.cause is not Cause.OK:
        assert ("saved a checkpoint" in outcome.message) is saved


@given(end=exits, meaning=st.none() | meanings, stop=stops)
def test_whoever_has_not_left_what_it_has_to_has_not_ended_well(
    end: Exit, meaning: ExitMeaning | None, stop: Stop | None
) -> None:
    end = replace(end, meaning=meaning if end.code else None)
    whole, wanting = (read_exit(replace(end, missing=missing), stop, LIMITS) for missing in ((), ("a", "b/*")))
    if whole.cause is not Cause.OK:
        assert wanting == whole
    elif stop in {None, PAUSE}:
        assert wanting.cause is Cause.OUTPUT_MISSING
        assert wanting.message == "Ended well, but left nothing for `a`, `b/*`, which it has to."
        assert wanting.exit_code == whole.exit_code
        in_part = read_exit(replace(end, missing=("a",), partly_kept=True), stop, LIMITS)
        assert in_part.message == "Ended well, but nothing was kept for `a`, which it has to leave: see its warnings."
        lost = read_exit(replace(end, lost=("a",)), stop, LIMITS)
        assert (lost.cause, lost.exit_code) == (Cause.ENGINE_ERROR, whole.exit_code)
        assert "was away or full, and did not take `a`" in lost.message
        assert read_exit(replace(end, missing=("a",), lost=("b",)), stop, LIMITS).cause is Cause.OUTPUT_MISSING
    else:
        assert wanting.cause in {Cause.CANCELED_BY_USER, Cause.RUN_TIMEOUT, Cause.IDLE_TIMEOUT}
        assert read_exit(replace(end, lost=("a",)), stop, LIMITS) == wanting


@given(stops, meanings)
def test_a_program_that_could_not_be_started_has_said_nothing(stop: Stop | None, meaning: ExitMeaning) -> None:
    end = replace(ended(127, complaint=NOT_FOUND), meaning=meaning)
    assert read_exit(end, stop, LIMITS) == read_exit(replace(end, meaning=None), stop, LIMITS)


def test_the_message_says_whose_word_makes_it_a_success() -> None:
    outcome = read_exit(replace(ended(3), meaning=ExitMeaning.SUCCESS), None, LIMITS)
    assert outcome == Outcome(Cause.OK, "Finished with exit code 3, which its `exit_codes` call a success.", 3)


@given(exits, st.sampled_from([CANCEL, TIMEOUT, IDLE]))
def test_once_a_stop_was_asked_only_an_unforced_success_is_anything_else(end: Exit, stop: Stop) -> None:
    outcome = read_exit(end, stop, LIMITS)
    by_itself = end.code == 0 and not end.signaled
    wanted = {StopReason.CANCEL: Status.CANCELED, StopReason.TIMEOUT: Status.TIMED_OUT}[stop.reason]
    assert STATUS_OF[outcome.cause] is (Status.SUCCEEDED if by_itself else wanted)


@given(exits)
def test_nobody_asked_so_only_its_own_exit_counts(end: Exit) -> None:
    status = STATUS_OF[read_exit(end, None, LIMITS).cause]
    assert (status is Status.SUCCEEDED) is (end.code == 0)
    assert (status is Status.CANCELED) is (end.code == 86 and end.announced)
    assert status in {Status.SUCCEEDED, Status.CANCELED, Status.FAILED}


def test_the_messages_say_what_happened() -> None:
    assert read_exit(ended(134), None, LIMITS).message == "Ended by SIGABRT (exit code 134)."
    for clock in (TIMEOUT, RAN_OUT):
        assert read_exit(ended(137), clock, LIMITS).message == "Ran longer than its timeout of 60 s."
    assert read_exit(ended(137), IDLE, LIMITS).message == "Wrote nothing for its idle_timeout of 30 s."
    assert "Canceled by ann" in read_exit(ended(143, signaled=True), CANCEL, LIMITS).message
    assert "nosuch" in read_exit(ended(127, complaint=NOT_FOUND), None, LIMITS).message


@pytest.mark.parametrize("stop", [CANCEL, TIMEOUT, IDLE])
def test_a_checkpoint_is_mentioned_only_if_the_program_said_that_it_saves_some(stop: Stop) -> None:
    assert "saved a checkpoint" in read_exit(ended(85, announced=True), stop, LIMITS).message
    assert "saved a checkpoint" not in read_exit(ended(85), stop, LIMITS).message
    assert "saved a checkpoint" not in read_exit(ended(1, announced=True), stop, LIMITS).message


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (None, None),
        (b"", None),
        (b"FATAL: kernel too old", None),
        (b" [FATAL tini (7)] exec x failed", None),
        (NOT_FOUND, "exec nosuch failed: No such file or directory"),
        (b"[FATAL tini (7)] exec \xff failed", "exec \ufffd failed"),
        (b"[FATAL tini (", ""),
    ],
)
def test_only_the_inits_own_words_are_its_complaint(line: bytes | None, complaint: str | None) -> None:
    assert init_complaint(line) == complaint


def test_a_cancellation_is_the_users_unless_we_asked() -> None:
    assert canceled_by("ann") is Cause.CANCELED_BY_USER
    assert canceled_by("system") is Cause.CANCELED_BY_SYSTEM


def test_an_outcome_is_a_plain_value() -> None:
    assert read_exit(ended(0), None, LIMITS) == Outcome(Cause.OK, "Finished with exit code 0.", 0)


@pytest.mark.parametrize("asked_to_save", [False, True])
@pytest.mark.parametrize("announced", [False, True])
@pytest.mark.parametrize("stop", [None, PAUSE, CANCEL, TIMEOUT])
@pytest.mark.parametrize("code", [0, 1, 85, 86])
def test_only_who_was_asked_to_save_has_saved(
    code: int, stop: Stop | None, *, announced: bool, asked_to_save: bool
) -> None:
    """A little late is early enough; but a stop that is pending counts, and the request is not one."""
    exit_ = Exit(code=code, oom_killed=False, signaled=False, announced=announced, asked_to_save=asked_to_save)
    outcome = read_exit(exit_, stop, LIMITS)
    assert outcome.saved is (code == 85 and announced and asked_to_save and stop in {None, PAUSE})
    if stop is PAUSE and not outcome.saved:
        assert outcome == read_exit(exit_, None, LIMITS)
