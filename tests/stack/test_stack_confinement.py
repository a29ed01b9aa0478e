import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from process_probes import is_alive, needs_root

from stack.accounts import server_account
from stack.confinement import Confinement
from support.eventually import eventually


def run(confinement: Confinement, *argv: str) -> str:
    command = confinement.command(argv, death_signal=signal.SIGKILL)
    return subprocess.run(command, cwd="/", capture_output=True, text=True, check=True).stdout.strip()


@needs_root
def test_the_server_is_another_user_without_groups_or_a_way_back() -> None:
    account = server_account("tailrace-redis")
    confinement = Confinement.of(account, programs={}, state={})
    status = run(confinement, "cat", "/proc/self/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(fields["Uid"].split()) == {str(account.uid)}
    assert set(fields["Gid"].split()) == {str(account.gid)}
    assert fields["Groups"].strip() == ""
    assert fields["NoNewPrivs"] == "1"
    assert int(fields["CapEff"], 16) == 0


@needs_root
def test_programs_that_only_root_can_read_are_copied_and_nothing_is_opened_up(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir(mode=0o700)
    program = programs / "greet"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o700)
    confinement = Confinement.of(server_account("tailrace-redis"), programs={"deep/bin": programs}, state={})
    assert run(confinement, f"{confinement.path('deep/bin')}/greet") == "hello"
    assert program.stat().st_mode & 0o777 == 0o700


@needs_root
def test_state_is_the_directory_itself(tmp_path: Path) -> None:
    account = server_account("tailrace-redis")
    state = tmp_path / "state"
    account.own(state)
    confinement = Confinement.of(account, programs={}, state={"state": state})
    run(confinement, "touch", f"{confinement.path('state')}/here")
    assert (state / "here").stat().st_uid == account.uid


def test_without_isolation_the_paths_are_the_real_ones(tmp_path: Path) -> None:
    confinement = Confinement(server_account("tailrace-redis"), {"bin": tmp_path}, {}, isolated=False)
    assert confinement.path("bin") == str(tmp_path)
    assert run(confinement, "id", "-u") == str(confinement.account.uid)


START_AND_WAIT = """
import signal, subprocess, time
from stack.accounts import server_account
from stack.confinement import Confinement
confinement = Confinement.of(server_account("tailrace-redis"), programs={}, state={})
command = confinement.command(["sh", "-c", "echo $$; exec sleep 600"], death_signal=signal.SIGKILL)
subprocess.run(command, start_new_session=True)
"""


async def test_the_server_dies_with_its_parent(python: Callable[..., subprocess.Popen[str]]) -> None:
    parent = python("-c", START_AND_WAIT)
    assert parent.stdout is not None
    server = int(await asyncio.to_thread(parent.stdout.readline))
    assert is_alive(server)
    os.kill(parent.pid, signal.SIGKILL)
    await eventually(lambda: not is_alive(server))
