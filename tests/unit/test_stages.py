import signal
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.executions.model import ExitMeaning, Limits, Spec, Stage, Stop
from app.executions.states import STATUS_OF, Cause, Status, StopReason
from support.values import NOON
from worker.outcome import Exit, read_exit
from worker.stages import Course, How, StageEnd, StageName, command_of, course_of, read_stages, warning_of

SETUP, MAIN, TEARDOWN = StageName
SPEC = Spec(
    image="i",
    setup=Stage(command=("prepare", "it"), timeout=20),
    teardown=Stage(command=("clear", "up"), timeout=30),
    exit_codes={"3": ExitMeaning.SUCCESS},
)
LIMITS = Limits(timeout=60)
CANCEL = Stop(
    reason=StopReason.CANCEL,
    by="ann",
    requested_at=NOON,
    deadline=NOON + timedelta(seconds=10),
    force=False,
    final=True,
)
PAUSE = replace(CANCEL, reason=StopReason.PAUSE, final=False)
TIMEOUT = replace(CANCEL, reason=StopReason.TIMEOUT, final=False)


def exited(code: int, *, signaled: bool = False, oom: bool = False, complaint: str | None = None) -> Exit:
    return Exit(
        code=code,
        oom_killed=oom,
        signaled=signaled,
        announced=True,
        asked_to_save=True,
        init_complaint=complaint,
        meaning=SPEC.meaning_of(code),
    )


def read(ended: Exit, told: bytes, stop: Stop | None = None) -> tuple[Cause, str, int | None]:
    outcome = read_exit(*read_stages(ended, course_of(told), stop, SPEC), LIMITS)
    return outcome.cause, outcome.message, outcome.exit_code


def test_the_command_says_whose_words_are_whose() -> None:
    spec = replace_stop(SPEC, "SIGINT")
    words = command_of(spec, ("main", "a b"))
    assert words == (
        *("/bin/sh", "/tailrace/stages.sh", str(int(signal.SIGINT))),
        *("2", "20", "2", "30"),
        *("prepare", "it", "clear", "up", "main", "a b"),
    )
    assert command_of(Spec(image="i", teardown=SPEC.teardown), ("main",))[3:] == (
        "0",
        "0",
        "2",
        "30",
        "clear",
        "up",
        "main",
    )


def replace_stop(spec: Spec, stop_signal: str) -> Spec:
    return Spec.model_validate(spec.model_dump() | {"stop_signal": stop_signal})


def test_a_course_is_read_line_by_line() -> None:
    course = course_of(b"setup\nsetup 0 in-time\nmain\nmain 7 told\nteardown\nteardown 143 late\n")
    assert course == Course(
        (SETUP, MAIN, TEARDOWN),
        {SETUP: StageEnd(0, How.IN_TIME), MAIN: StageEnd(7, How.TOLD), TEARDOWN: StageEnd(143, How.LATE)},
    )
    assert (course.stage, course.main) == (TEARDOWN, StageEnd(7, How.TOLD))
    assert course_of(b"main\nmain 127 missing a \x00 b\n").main == StageEnd(127, How.MISSING, "a  b")
    assert course_of(b"") == Course()
    assert course_of(b"main\nmain 1 fr").main is None


def test_the_name_that_a_program_may_have_written_there_is_covered() -> None:
    course = course_of(b"setup\nsetup 0 in-time\nmain\nmain 127 missing of value\n").covered(str.upper)
    assert course.ends == {SETUP: StageEnd(0, How.IN_TIME), MAIN: StageEnd(127, How.MISSING, "OF VALUE")}


@given(st.lists(st.sampled_from([b"setup", b"main", b"0", b"7", b"free", b"late", b"missing", b" ", b"\n", b"\xff"])))
def test_whatever_a_program_writes_there_can_be_read(pieces: list[bytes]) -> None:
    course = course_of(b"".join(pieces))
    assert len(course.begun) <= len(StageName)
    assert set(course.ends) <= set(course.begun)
    outcome = read_exit(*read_stages(exited(1), course, CANCEL, SPEC), LIMITS)
    assert STATUS_OF[outcome.cause] in {Status.FAILED, Status.CANCELED}
    assert warning_of(SPEC, course) != ""


@pytest.mark.parametrize("code", [0, 1, 3, 85, 86, 137, 143, 255])
@pytest.mark.parametrize("stop", [None, PAUSE])
def test_a_main_command_that_nobody_disturbed_is_read_as_without_stages(code: int, stop: Stop | None) -> None:
    told = b"setup\nsetup 0 in-time\nmain\nmain %d free\nteardown\nteardown 1 in-time\n" % code
    alone = read_exit(exited(code), stop, LIMITS)
    assert read(exited(code), told, stop) == (alone.cause, alone.message, alone.exit_code)


@pytest.mark.parametrize("code", [1, 7, 143])
def test_a_stop_during_the_teardown_changes_nothing_of_a_failure_even_if_it_kills(code: int) -> None:
    told = b"main\nmain %d free\nteardown\n" % code
    alone = read_exit(exited(code), None, LIMITS)
    assert read(exited(137, signaled=True), told, CANCEL) == (alone.cause, alone.message, code)


@pytest.mark.parametrize("code", [0, 3, 85, 86])
def test_a_stop_during_the_teardown_that_sends_no_signal_changes_nothing(code: int) -> None:
    told = b"main\nmain %d free\nteardown\nteardown 0 in-time\n" % code
    alone = read_exit(exited(code), None, LIMITS)
    assert read(exited(code), told, CANCEL) == (alone.cause, alone.message, code)


@given(
    st.sampled_from([0, 1, 3, 85, 86, 127, 137]),
    st.sampled_from([b"free", b"told", b"signaled", b"in-time", b"late", b"missing x"]),
    st.sampled_from(
        [
            (exited(137, signaled=True), TIMEOUT),
            (exited(0, signaled=True), TIMEOUT),
            (exited(86, signaled=True), TIMEOUT),
            (exited(137, signaled=True), CANCEL),
            (exited(137, oom=True), None),
            (exited(137, oom=True), PAUSE),
            (exited(137), None),
        ]
    ),
)
def test_nothing_that_a_program_writes_makes_a_success_of_its_being_killed(
    code: int, how: bytes, end: tuple[Exit, Stop | None]
) -> None:
    ended, stop = end
    alone = read_exit(ended, stop, LIMITS)
    course = course_of(b"setup\nsetup 0 in-time\nmain\nmain %d %s\nteardown\nteardown 0 in-time\n" % (code, how))
    outcome = read_exit(*read_stages(ended, course, stop, SPEC), LIMITS)
    assert STATUS_OF[outcome.cause] in {STATUS_OF[alone.cause], Status.FAILED}
    assert not outcome.saved


def test_who_was_stopped_in_its_teardown_is_told_how_its_main_command_ended() -> None:
    said = read(exited(137, signaled=True), b"main\nmain 0 free\nteardown\n", TIMEOUT)
    why = "Ran longer than its timeout of 60 s; its main command is said to have ended with exit code 0 before."
    assert said == (Cause.RUN_TIMEOUT, why, 137)


@pytest.mark.parametrize(
    ("code", "how", "cause"),
    [
        (0, b"told", Cause.OK),
        (3, b"told", Cause.OK),
        (1, b"told", Cause.CANCELED_BY_USER),
        (0, b"signaled", Cause.CANCELED_BY_USER),
        (143, b"signaled", Cause.CANCELED_BY_USER),
        (143, b"free", Cause.SIGNALED),
    ],
)
def test_what_had_come_to_the_main_command_by_its_end_counts(code: int, how: bytes, cause: Cause) -> None:
    told = b"main\nmain %d %s\nteardown\n" % (code, how)
    assert read(exited(code), told, CANCEL)[::2] == (cause, code)
    if cause is not Cause.OK:
        assert read(exited(137, signaled=True), told, CANCEL)[0] is cause


def test_a_failed_setup_is_named_and_its_code_means_nothing_of_the_programs() -> None:
    told = b"setup\nsetup %d %s\nteardown\n"
    why = "The setup failed, and the main command was not started: "
    assert read(exited(4), told % (4, b"in-time")) == (Cause.EXIT_NONZERO, f"{why}exit code 4.", 4)
    assert read(exited(3), told % (3, b"in-time")) == (Cause.EXIT_NONZERO, f"{why}exit code 3.", 3)
    assert read(exited(86), told % (86, b"in-time"))[0] is Cause.EXIT_NONZERO
    assert read(exited(85), told % (85, b"in-time"), PAUSE)[0] is Cause.EXIT_NONZERO
    assert read(exited(139), told % (139, b"in-time"))[:2] == (
        Cause.SIGNALED,
        f"{why}ended by SIGSEGV (exit code 139).",
    )
    assert read(exited(137, oom=True), told % (137, b"in-time"))[0] is Cause.OOM_KILLED
    late = "The setup took longer than its timeout of 20 s; the main command was not started."
    assert read(exited(143), told % (143, b"late")) == (Cause.EXIT_NONZERO, late, 143)
    missing = "The setup's command is not in the image: exec prepare failed: No such file or directory"
    assert read(exited(127), told % (127, b"missing prepare")) == (Cause.COMMAND_NOT_FOUND, missing, 127)


def test_a_stop_during_the_setup_is_one() -> None:
    for told in (b"setup\n", b"setup\nsetup 0 in-time\nteardown\n", b"setup\nsetup 143 in-time\n"):
        assert read(exited(143, signaled=True), told, CANCEL) == (
            Cause.CANCELED_BY_USER,
            "Canceled by ann during its setup.",
            143,
        )


def test_what_cannot_be_started_is_named() -> None:
    told = b"main\nmain 126 missing ./train\n"
    why = "The command cannot be executed: exec ./train failed: Permission denied"
    assert read(exited(126), told) == (Cause.COMMAND_NOT_EXECUTABLE, why, 126)
    complaint = "exec /bin/sh failed: No such file or directory"
    shell = f"The shell `/bin/sh`, which `setup` and `teardown` need, is not in the image: {complaint}"
    assert read(exited(127, complaint=complaint), b"") == (Cause.COMMAND_NOT_FOUND, shell, 127)
    # Its own words may look alike.
    assert read(exited(127, complaint="exec x failed"), b"main\nmain 127 free\n")[0] is Cause.EXIT_NONZERO
    assert read(exited(127, complaint="exec x failed"), b"main\n")[0] is Cause.EXIT_NONZERO


@pytest.mark.parametrize(
    ("told", "warning"),
    [
        (b"", None),
        (b"setup\n", "The teardown was not run: the container was stopped before."),
        (b"main\nmain 0 free\nteardown\n", "The teardown was not finished: the container was stopped before."),
        (b"main\nteardown\nteardown 0 in-time\n", None),
        (b"teardown\nteardown 4 in-time\n", "The teardown ended with exit code 4."),
        (b"teardown\nteardown 124 late\n", "The teardown took longer than its timeout of 30 s, and was ended."),
        (
            b"teardown\nteardown 127 missing clear\n",
            "The teardown's command could not be started: exec clear failed: No such file or directory.",
        ),
    ],
)
def test_a_teardown_that_failed_is_warned_of(told: bytes, warning: str | None) -> None:
    assert warning_of(SPEC, course_of(told)) == warning
    assert warning_of(Spec(image="i", setup=SPEC.setup), course_of(told)) is None
