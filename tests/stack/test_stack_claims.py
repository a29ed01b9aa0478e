"""The data directory and the port belong to one stack at a time."""

import asyncio
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app.auth.tokens import is_well_formed
from app.secrets.vault import Vault
from app.settings import Settings
from stack.credentials import read_or_make_key, read_or_make_token
from stack.errors import StackError, StackRunning
from stack.local import claimed
from stack.lock import RunningStack, stack_lock
from stack.ports import check_port, free_port, url_of

LOCK_AND_WAIT = """
import sys, time
from pathlib import Path
from stack.lock import stack_lock
with stack_lock(Path(sys.argv[1])):
    print("locked")
    time.sleep(600)
"""


def settings_for(data: Path) -> Settings:
    return Settings(data=data, port=free_port("127.0.0.1"))


async def test_a_second_stack_is_refused_and_told_who_has_the_directory(
    tmp_path: Path, python: Callable[..., subprocess.Popen[str]]
) -> None:
    holder = python("-c", LOCK_AND_WAIT, str(tmp_path))
    assert holder.stdout is not None
    assert await asyncio.to_thread(holder.stdout.readline) == "locked\n"
    with pytest.raises(StackRunning, match=f"process {holder.pid}") as refusal, stack_lock(tmp_path):
        pass
    assert refusal.value.pid == holder.pid
    holder.kill()
    holder.wait()
    with stack_lock(tmp_path):
        pass


def test_the_directory_is_free_again_after_the_block(data: Path) -> None:
    for _ in range(2):
        with claimed(settings_for(data)):
            pass


def test_the_data_directory_is_made_private(data: Path) -> None:
    with claimed(settings_for(data)):
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert stat.S_IMODE((data / "run").stat().st_mode) == 0o700


def test_a_directory_of_an_earlier_stack_is_made_private_again(data: Path) -> None:
    (data / "run").mkdir(parents=True)
    data.chmod(0o755)
    with claimed(settings_for(data)):
        assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_an_open_directory_with_other_files_is_left_alone(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    shared.chmod(0o755)
    (shared / "theirs").touch()
    with pytest.raises(StackError, match="holds other files"), claimed(settings_for(shared)):
        pass
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


def test_a_taken_port_is_named_before_anything_is_started(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=f"127.0.0.1:{port} is taken"):
            check_port("127.0.0.1", port)
        with pytest.raises(StackError, match="TAILRACE_PORT"), claimed(Settings(data=data, port=port)):
            pass
    check_port("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8700"),
        ("0.0.0.0", "http://127.0.0.1:8700"),  # noqa: S104 - never bound
        ("::1", "http://[::1]:8700"),
    ],
)
def test_a_url_names_an_address_that_can_be_reached(host: str, url: str) -> None:
    assert url_of(host, 8700) == url


def test_what_a_stack_tells_about_itself_is_there_while_it_is_up(tmp_path: Path) -> None:
    running = RunningStack(pid=7, url="http://127.0.0.1:1")
    with running.shown_in(tmp_path):
        assert RunningStack.read(tmp_path) == running
    assert RunningStack.read(tmp_path) is None


def test_a_note_that_cannot_be_read_is_no_note(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"pid": 7')
    assert RunningStack.read(tmp_path) is None


def test_the_token_is_made_once_and_only_we_can_read_it(tmp_path: Path) -> None:
    token = read_or_make_token(tmp_path)
    assert is_well_formed(token)
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert read_or_make_token(tmp_path) == token


def test_the_key_of_the_secrets_is_made_once_and_only_we_can_read_it(tmp_path: Path) -> None:
    key = read_or_make_key(tmp_path)
    assert Vault([key]).has_key
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
    assert read_or_make_key(tmp_path) == key


def test_a_token_that_is_there_is_used(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("trt_mine\n")
    assert read_or_make_token(tmp_path) == "trt_mine"
