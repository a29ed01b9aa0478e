"""The script that runs the stages, without a container: any shell may be an image's, and any program a stage."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from worker.stages import Course, How, StageName, course_of
from worker.workspace import STAGES_SOURCE

SHELLS = {
    "dash": ("dash",),
    "bash": ("bash", "--posix"),
    "busybox": ("busybox", "sh"),
}
WITHIN = 60.0
ECHO_ARGUMENTS = "import json, sys; print(json.dumps(sys.argv[1:]))"
AWKWARD = ["", " ", "a b", "$(id)", "`id`", "${HOME}", "'", '"', "\\n", "*", "a\nb", "-n", "--", "é", ";", "x=y", "&"]
STOPPABLE = """
import signal, sys, time
def heard(number, frame):
    print(signal.Signals(number).name, flush=True)
    raise SystemExit(9)
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, heard)
try:
    print("ready", flush=True)
    # Not for long at once: a signal just before its system call would not cut a sleep short.
    for _ in range(1200):
        time.sleep(0.05)
except KeyboardInterrupt:
    print("KeyboardInterrupt", flush=True)
    raise SystemExit(9)
"""


@dataclass
class Stages:
    """A mount of the test's own, and the script in it."""

    shell: tuple[str, ...]
    mount: Path
    environment: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(
        self,
        *main: str,
        setup: Sequence[str] = (),
        teardown: Sequence[str] = (),
        seconds: int = 50,
        stop: signal.Signals = signal.SIGTERM,
    ) -> subprocess.Popen[str]:
        counts = (len(setup), seconds if setup else 0, len(teardown), seconds if teardown else 0)
        words = [str(int(stop)), *map(str, counts), *setup, *teardown, *main]
        process = subprocess.Popen(
            # As an engine starts it, whoever started us.
            ["env", "--default-signal", *self.shell, str(STAGES_SOURCE), *words],
            env={**os.environ, "TAILRACE_DIR": str(self.mount), **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *main: str, setup: Sequence[str] = (), teardown: Sequence[str] = (), seconds: int = 50) -> int:
        """The exit code; what was printed is in `said`."""
        return self.finish(self.start(*main, setup=setup, teardown=teardown, seconds=seconds))

    def stop(self, process: subprocess.Popen[str], stop: signal.Signals) -> int:
        """Send it the signal; the exit code."""
        process.send_signal(stop)
        # bash 5.2 misses, once in many hundred times, an interrupt that comes as it begins to wait. The next wakes it.
        tries = 10 if stop is signal.SIGINT and "bash" in str(self.shell) else 0
        for _ in range(tries):
            with suppress(subprocess.TimeoutExpired):
                process.wait(WITHIN / 10)
                break
            process.send_signal(stop)
        return self.finish(process)

    def finish(self, process: subprocess.Popen[str]) -> int:
        out, err = process.communicate(timeout=WITHIN)
        self.said, self.complained = out.splitlines(), err.splitlines()
        return process.returncode

    @property
    def course(self) -> Course:
        return course_of((self.mount / "stages").read_bytes())

    @property
    def ends(self) -> dict[str, tuple[int, str]]:
        return {stage.value: (end.exit_code, end.how.value) for stage, end in self.course.ends.items()}


# In the quick tier one shell stands for all, but where they are known to differ.
THERE = [name for name in SHELLS if shutil.which(name)]
FIRST, *OTHERS = THERE
in_every_shell = pytest.mark.parametrize("stages", THERE, indirect=True)


@pytest.fixture(params=[FIRST, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def stages(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stages]:
    (tmp_path / "stages").touch()
    stages = Stages(SHELLS[request.param], tmp_path)
    yield stages
    for process in stages.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def sh(text: str) -> tuple[str, ...]:
    return ("sh", "-c", text)


@in_every_shell
def test_the_stages_run_in_turn_and_the_exit_code_is_the_main_commands(stages: Stages) -> None:
    teardown = sh('echo "teardown after $TAILRACE_EXIT_CODE"; exit 4')
    assert stages.run(*sh("echo main; echo oops >&2; exit 7"), setup=sh("echo setup"), teardown=teardown) == 7
    assert stages.said == ["setup", "main", "teardown after 7"]
    assert stages.complained == ["oops"]
    assert stages.course.begun == tuple(StageName)
    assert stages.ends == {"setup": (0, "in-time"), "main": (7, "free"), "teardown": (4, "in-time")}


def test_one_of_them_is_enough(stages: Stages) -> None:
    assert stages.run("true", setup=("true",)) == 0
    assert list(stages.ends) == ["setup", "main"]
    (stages.mount / "stages").write_text("")
    assert stages.run("false", teardown=("true",)) == 1
    assert list(stages.ends) == ["main", "teardown"]


def test_every_argument_arrives_as_it_was_given(stages: Stages) -> None:
    program = ("python3", "-c", ECHO_ARGUMENTS, *AWKWARD)
    assert stages.run(*program, setup=program, teardown=program) == 0
    assert [json.loads(line) for line in stages.said] == [AWKWARD] * 3


@pytest.mark.parametrize("name", ["exit", "run", "echo", "tell", "if", "trap"])
def test_what_the_shell_has_of_that_name_is_not_meant(stages: Stages, name: str) -> None:
    programs = stages.mount / "bin"
    programs.mkdir()
    (programs / name).write_text('#!/bin/sh\necho "the program $1"\nexit 5\n')
    (programs / name).chmod(0o755)
    stages.environment["PATH"] = f"{programs}:{os.environ['PATH']}"
    assert stages.run(name, "a", setup=("true",)) == 5
    assert stages.said == ["the program a"]


def test_after_a_setup_that_fails_only_the_teardown_runs(stages: Stages) -> None:
    teardown = sh("echo teardown ${TAILRACE_EXIT_CODE-}")
    assert stages.run("echo", "main", setup=sh("exit 3"), teardown=teardown) == 3
    assert stages.said == ["teardown"]
    assert stages.ends == {"setup": (3, "in-time"), "teardown": (0, "in-time")}


@in_every_shell
def test_a_setup_that_takes_too_long_is_ended_whatever_its_exit_code_says(stages: Stages) -> None:
    setup = sh("trap 'echo ended; exit 0' TERM; echo begins; while :; do sleep 0.1; done")
    assert stages.run("echo", "main", setup=setup, seconds=1) == 124
    assert stages.said == ["begins", "ended"]
    assert stages.ends == {"setup": (124, "late")}


@pytest.mark.slow
def test_a_setup_that_ignores_its_end_is_killed(stages: Stages) -> None:
    setup = ("python3", "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)")
    assert stages.run("echo", "main", setup=setup, seconds=1) == 137
    assert (stages.said, stages.ends) == ([], {"setup": (137, "late")})


def test_a_teardown_that_takes_too_long_changes_nothing(stages: Stages) -> None:
    assert stages.run(*sh("exit 6"), teardown=("sleep", "60"), seconds=1) == 6
    assert stages.ends == {"main": (6, "free"), "teardown": (143, "late")}


def test_what_is_not_there_or_no_program_is_told(stages: Stages) -> None:
    assert stages.run("no-such-program", "a", teardown=("true",)) == 127
    assert stages.course.ends[StageName.MAIN].complaint == "exec no-such-program failed: No such file or directory"
    (stages.mount / "stages").write_text("")
    assert stages.run("echo", setup=(str(stages.mount),)) == 126
    end = stages.course.ends[StageName.SETUP]
    assert (end.how, end.complaint) == (How.MISSING, f"exec {stages.mount} failed: Permission denied")
    (stages.mount / "stages").write_text("")
    assert stages.run("true", teardown=("/no/such",)) == 0
    assert stages.course.ends[StageName.TEARDOWN].how is How.MISSING


@pytest.mark.parametrize("code", [1, 85, 126, 127, 255])
def test_an_exit_code_of_its_own_stays_one(stages: Stages, code: int) -> None:
    assert stages.run(*sh(f"exit {code}"), setup=("true",)) == code
    assert stages.ends["main"] == (code, "free")


def test_a_program_that_a_signal_ended_looks_as_it_would_without_us(stages: Stages) -> None:
    assert stages.run(*sh("kill -SEGV $$"), teardown=("true",)) == 139
    assert stages.complained == []


@in_every_shell
@pytest.mark.parametrize(
    ("stop", "heard"),
    [
        (signal.SIGTERM, "SIGTERM"),
        (signal.SIGUSR1, "SIGUSR1"),
        (signal.SIGINT, "KeyboardInterrupt"),
        (signal.SIGALRM, None),
    ],
)
def test_the_signal_reaches_the_main_command_as_it_would_without_us(
    stages: Stages, stop: signal.Signals, heard: str | None
) -> None:
    process = stages.start("python3", "-c", STOPPABLE, teardown=("echo", "teardown"), stop=stop)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    code = 9 if heard else 128 + stop
    assert stages.stop(process, stop) == code
    assert stages.said == [*([heard] if heard else []), "teardown"]
    assert stages.ends["main"] == (code, "signaled")


def test_where_nothing_else_can_python_lets_an_interrupt_through(stages: Stages) -> None:
    programs = stages.mount / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    (programs / "sleep").symlink_to(shutil.which("sleep") or "")
    (programs / "env").write_text("#!/bin/sh\nexit 1\n")
    (programs / "env").chmod(0o755)
    shell, *options = stages.shell
    stages.shell = (shutil.which("env") or "env", f"PATH={programs}", shutil.which(shell) or shell, *options)
    process = stages.start("python3", "-c", STOPPABLE, setup=("sleep", "0"), stop=signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert stages.stop(process, signal.SIGINT) == 9
    assert stages.said == ["KeyboardInterrupt"]


@in_every_shell
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_any_moment_of_the_start_is_never_lost(stages: Stages, stop: signal.Signals) -> None:
    noted = stages.mount / "stages"
    for number in range(100):
        noted.write_text("")
        process = stages.start("sleep", "600", stop=stop)
        spin_until(lambda: "main" in noted.read_text())
        moment = time.perf_counter() + number * 0.00004
        spin_until(lambda moment=moment: time.perf_counter() > moment)
        assert stages.stop(process, stop) == 128 + stop
        assert stages.ends["main"] == (128 + stop, "signaled")


def spin_until(check: Callable[[], bool]) -> None:
    """Without a pause: the moments that count are shorter than one."""
    deadline = time.monotonic() + WITHIN
    while not check():
        assert time.monotonic() < deadline


@in_every_shell
def test_a_signal_during_the_setup_ends_it_and_the_main_command_is_not_started(stages: Stages) -> None:
    setup = sh("trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done")
    process = stages.start("echo", "main", setup=setup, teardown=("echo", "teardown"))
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert stages.finish(process) == 143
    assert stages.said == ["teardown"]


@pytest.mark.parametrize(
    ("reason", "code", "how"), [("cancel", 143, None), ("timeout", 143, None), ("pause", 5, "free")]
)
def test_whoever_is_to_stop_by_then_is_not_started(stages: Stages, reason: str, code: int, how: str | None) -> None:
    notice = json.dumps({"reason": reason, "by": 'a"reason":"pause"'}, separators=(",", ":"))
    setup = ("python3", "-c", f"open({str(stages.mount / 'stop')!r}, 'w').write({notice!r})")
    assert stages.run(*sh("exit 5"), setup=setup, teardown=("true",)) == code
    assert stages.ends.get("main") == ((5, how) if how else None)
    assert "teardown" in stages.ends


def test_a_request_that_is_taken_back_while_it_is_looked_for_is_none(stages: Stages) -> None:
    (stages.mount / "stop").touch()
    assert stages.run(*sh("exit 5"), setup=("true",)) == 5


def test_who_has_been_told_and_ends_by_itself_is_known(stages: Stages) -> None:
    notice = f'echo \'{{"reason":"cancel"}}\' > {stages.mount}/stop'
    assert stages.run(*sh(notice), teardown=("true",)) == 0
    assert stages.ends["main"] == (0, "told")


def test_a_teardown_is_not_disturbed(stages: Stages) -> None:
    process = stages.start(*sh("exit 2"), teardown=sh("echo ready; sleep 0.5; echo done"))
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert stages.finish(process) == 2
    assert stages.said == ["done"]
    assert stages.ends == {"main": (2, "free"), "teardown": (0, "in-time")}


def test_what_a_setup_leaves_running_is_there_for_the_others(stages: Stages) -> None:
    setup = sh(f"sleep 60 & echo $! > {stages.mount}/pid")
    there = sh(f"kill -0 $(cat {stages.mount}/pid)")
    assert stages.run(*there, setup=setup, teardown=sh(f"kill $(cat {stages.mount}/pid)")) == 0
    assert stages.ends["teardown"][0] == 0


def test_a_program_that_ends_all_of_its_group_ends_only_itself(stages: Stages) -> None:
    assert stages.run(*sh("sleep 60 & kill -KILL 0"), teardown=("echo", "teardown")) == 137
    assert stages.said == ["teardown"]


@in_every_shell
def test_every_signal_that_comes_while_it_waits_leaves_the_exit_code_true(stages: Stages) -> None:
    program = "trap : USR1; echo ready; i=0; while [ $i -lt 20 ]; do sleep 0.02; i=$((i+1)); done; exit 33"
    process = stages.start(*sh(program), teardown=("true",), stop=signal.SIGUSR1)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    # Now and then bash 5.2 is lost in a `wait` that is interrupted again and again; a worker sends one.
    signals = 1 if stages.shell[0] == "bash" else 1000
    while "main" not in stages.ends and process.poll() is None:
        if signals:
            process.send_signal(signal.SIGUSR1)
            signals -= 1
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    assert stages.finish(process) == 33
