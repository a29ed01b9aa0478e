"""The auditor of the soak: it believes a program's own account, and finds every line that is not as it was written."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from soak_programs import SCRIPT, Program, check_order, check_output

PLAIN = Program(kind="plain", ticks=3, lines=2, pause=0)


def output(program: Program, directory: Path, *, attempt: int = 1) -> tuple[int, list[str]]:
    """Exit code and standard output of a program, run here with the mount in `directory`."""
    (directory / "outputs").mkdir(exist_ok=True)
    environment = {**program.body["env"], "TAILRACE_ATTEMPT": str(attempt), "PATH": "/usr/bin:/bin"}
    script = SCRIPT.replace("/tailrace/", f"{directory}/")
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("program", [PLAIN, replace(PLAIN, code=3), replace(PLAIN, attempts=2)])
def test_a_program_sums_up_what_it_says(program: Program, tmp_path: Path) -> None:
    code, lines = output(program, tmp_path)
    assert code == (7 if program.attempts > 1 else program.code)
    assert list(check_output(program, "o", lines, code)) == []
    assert lines[0] == "o from 0"
    assert lines[1:-1] == [f"o {tick} {line}" for tick in (1, 2, 3) for line in (1, 2)]


def test_a_program_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    saving = replace(PLAIN, checkpoints=True)
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "i").write_text("2\n")
    code, lines = output(saving, tmp_path)
    assert lines[:-1] == ["o from 2", "o 3 1", "o 3 2"]
    assert list(check_output(saving, "o", lines, code)) == []
    assert list(check_output(PLAIN, "o", lines, code)) != []


@pytest.mark.parametrize("spoil", ["lose", "double", "swap", "change", "cut", "lose the sum"])
def test_whatever_is_not_as_it_was_written_is_found(spoil: str, tmp_path: Path) -> None:
    code, lines = output(PLAIN, tmp_path)
    match spoil:
        case "lose":
            del lines[3]
        case "double":
            lines.insert(3, lines[3])
        case "swap":
            lines[2], lines[3] = lines[3], lines[2]
        case "change":
            lines[0] = "o from 1"
        case "cut":
            del lines[-3:]
        case _:
            del lines[-1]
    assert list(check_output(PLAIN, "o", lines, code)) != []


def test_what_was_killed_has_the_beginning_and_needs_no_sum(tmp_path: Path) -> None:
    _, lines = output(PLAIN, tmp_path)
    assert list(check_output(PLAIN, "o", lines[:4], 137)) == []
    assert list(check_output(PLAIN, "o", [], 137)) == []
    assert list(check_output(PLAIN, "o", lines[1:4], 137)) != []
    assert list(check_output(PLAIN, "o", lines[:4], 0)) != []


def test_where_lines_may_be_lost_the_others_are_in_order_and_there_once(tmp_path: Path) -> None:
    _, lines = output(PLAIN, tmp_path)
    assert list(check_order("o", [*lines[:2], *lines[4:]])) == []
    assert list(check_order("o", [*lines[:3], *lines[2:]])) != []
    assert list(check_order("o", [*lines[:2], lines[3], lines[2], *lines[4:]])) != []
