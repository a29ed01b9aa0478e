"""The stages of an execution: a setup before and a teardown after its main command, in the same container.

A script of ours runs them in turn, and notes in a file of the mount how far it has come. The program can write that
file too: it is read with a cap, and believed only where the container's exit leaves something open. Of what was sent a
signal or killed it can say how it failed, and never that it ended in any other way.
"""

from __future__ import annotations

import os
import re
import signal
import stat
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import IO

from app.executions.model import Spec, Stop
from app.executions.states import StopReason
from worker.outcome import NOT_EXECUTABLE, NOT_FOUND, Exit
from worker.workspace import STAGES_SCRIPT, TARGET, open_hostile

SHELL = "/bin/sh"
KILLED = 128 + signal.SIGKILL
# Ours are a few lines, which are read again and again: a flood of the program's own is to cost nobody else any time.
READ_BYTES = 8 * 1024
NAME_CHARS = 200
_LINE = re.compile(
    r"(setup|main|teardown)(?: (\d{1,3}) (?:(in-time|late|free|told|signaled)|(missing) (.+)))?", re.ASCII
)
_COMPLAINTS = {NOT_FOUND: "No such file or directory", NOT_EXECUTABLE: "Permission denied"}


class StageName(StrEnum):
    """What runs in a container, in this order."""

    SETUP = "setup"
    MAIN = "main"
    TEARDOWN = "teardown"


class How(StrEnum):
    """How a stage has ended: in time or late; the main command, as far as it had been asked to stop by then."""

    IN_TIME = "in-time"
    LATE = "late"
    MISSING = "missing"
    FREE = "free"
    TOLD = "told"
    SIGNALED = "signaled"


@dataclass(frozen=True, slots=True)
class StageEnd:
    """The end of a stage. `program` is the name of one that could not be started."""

    exit_code: int
    how: How
    program: str = ""

    @property
    def complaint(self) -> str | None:
        """Why it could not be started, if it could not, in the words of a container's init."""
        if self.how is not How.MISSING:
            return None
        return f"exec {self.program} failed: {_COMPLAINTS.get(self.exit_code, 'it cannot be executed')}"


@dataclass(frozen=True, slots=True)
class Course:
    """How far the stages have come: those that have begun, in order, and the ends there are."""

    begun: tuple[StageName, ...] = ()
    ends: Mapping[StageName, StageEnd] = field(default_factory=dict)

    @property
    def stage(self) -> StageName | None:
        """The one that has begun last."""
        return self.begun[-1] if self.begun else None

    @property
    def main(self) -> StageEnd | None:
        """The end of the main command."""
        return self.ends.get(StageName.MAIN)

    def covered(self, cover: Callable[[str], str]) -> Course:
        """The same, with every word that is the program's as `cover` shows it."""
        ends = {
            stage: replace(end, program=cover(end.program)) if end.program else end for stage, end in self.ends.items()
        }
        return replace(self, ends=ends)


def command_of(spec: Spec, program: tuple[str, ...]) -> tuple[str, ...]:
    """What runs this program with the stages around it."""
    setup, teardown = spec.setup, spec.teardown
    of_setup = setup.command if setup else ()
    of_teardown = teardown.command if teardown else ()
    return (
        SHELL,
        f"{TARGET}/{STAGES_SCRIPT}",
        str(int(signal.Signals[spec.stop_signal])),
        str(len(of_setup)),
        str(setup.timeout if setup else 0),
        str(len(of_teardown)),
        str(teardown.timeout if teardown else 0),
        *of_setup,
        *of_teardown,
        *program,
    )


def read_course(path: Path) -> Course:
    """How far it has come, as the file says; what cannot be understood is left out."""
    with suppress(OSError), closing(_open(path)) as file:
        return course_of(file.read(READ_BYTES))
    return Course()


def course_of(content: bytes) -> Course:
    """The same of the file's content. Of several ends of a stage the last one counts."""
    begun: list[StageName] = []
    ends: dict[StageName, StageEnd] = {}
    for line in content.decode(errors="replace").split("\n"):
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        stage = StageName(found[1])
        if stage not in begun:
            begun.append(stage)
        if found[2] is not None:
            name = "".join(character for character in (found[5] or "")[:NAME_CHARS] if character.isprintable())
            ends[stage] = StageEnd(int(found[2]), How(found[3] or found[4]), name)
    return Course(tuple(begun), ends)


def read_stages(ended: Exit, course: Course, stop: Stop | None, spec: Spec) -> tuple[Exit, Stop | None]:
    """The exit of the main command in that of its container, or what kept it from being started, if anything did; and
    the request to stop, unless it came when the main command had ended already: what follows then is ours.
    """
    if not course.begun:
        return replace(ended, whose=f"The shell `{SHELL}`, which `setup` and `teardown` need,"), stop
    if course.main is None:
        return _without_main(ended, course, spec), stop
    main = course.main
    # Where the container was killed it was the teardown that was.
    code = main.exit_code if ended.code == KILLED else ended.code
    meaning, signaled = spec.meaning_of(code), main.how is How.SIGNALED
    said = replace(ended, code=code, meaning=meaning, signaled=signaled, init_complaint=main.complaint)
    if (ended.code == KILLED or ended.signaled) and not said.failed:
        return replace(ended, init_complaint=None, said_before=main.exit_code), stop
    too_late = stop is not None and stop.reason is not StopReason.PAUSE and main.how is How.FREE
    return said, None if too_late else stop


def _without_main(ended: Exit, course: Course, spec: Spec) -> Exit:
    if spec.setup is None or StageName.MAIN in course.begun:
        return replace(ended, init_complaint=None)
    end = course.ends.get(StageName.SETUP)
    return replace(
        ended,
        in_setup=True,
        late_after=spec.setup.timeout if end and end.how is How.LATE else None,
        init_complaint=end.complaint if end else None,
        whose="The setup's command",
    )


def warning_of(spec: Spec, course: Course) -> str | None:
    """What went wrong with the teardown, if anything did."""
    if spec.teardown is None or not course.begun:
        return None
    end = course.ends.get(StageName.TEARDOWN)
    if StageName.TEARDOWN not in course.begun:
        return "The teardown was not run: the container was stopped before."
    if end is None:
        return "The teardown was not finished: the container was stopped before."
    match end.how:
        case How.MISSING:
            return f"The teardown's command could not be started: {end.complaint}."
        case How.LATE:
            return f"The teardown took longer than its timeout of {spec.teardown.timeout} s, and was ended."
        case _:
            return f"The teardown ended with exit code {end.exit_code}." if end.exit_code else None


def _open(path: Path) -> IO[bytes]:
    descriptor = open_hostile(str(path))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not a regular file")
    return os.fdopen(descriptor, "rb")
