import socket
from pathlib import Path

import pytest

from stack.engine import Engine, Origin, answers, ensure_engine
from stack.errors import EngineMissing


@pytest.fixture
def deaf_socket(tmp_path: Path) -> Path:
    """A socket that nobody listens on any more, as a killed daemon leaves it."""
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    return path


def test_an_engine_that_answers_is_taken_as_it_is(engine: Engine) -> None:
    again = ensure_engine(engine.docker_host)
    assert again == Engine(engine.docker_host, Origin.FOUND)
    assert again.farewell is None
    with again.client() as client:
        assert client.get("/version").json()["ApiVersion"]


def test_docker_host_decides(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alias = tmp_path / "alias.sock"
    alias.symlink_to(engine.docker_host.removeprefix("unix://"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{alias}")
    assert ensure_engine().docker_host == f"unix://{alias}"


def test_an_engine_that_was_pointed_at_but_is_not_there_is_not_replaced(deaf_socket: Path, tmp_path: Path) -> None:
    for path in (deaf_socket, tmp_path / "nothing.sock"):
        with pytest.raises(EngineMissing, match="where DOCKER_HOST points"):
            ensure_engine(f"unix://{path}")


def test_an_engine_elsewhere_is_refused_since_it_could_not_mount_our_files() -> None:
    with pytest.raises(EngineMissing, match="unix socket"):
        ensure_engine("tcp://192.0.2.1:2375")


def test_a_socket_without_an_engine_does_not_answer(deaf_socket: Path) -> None:
    assert not answers(f"unix://{deaf_socket}")


@pytest.mark.parametrize("origin", [Origin.STARTED, Origin.INSTALLED])
def test_who_did_not_have_the_engine_before_is_told_how_to_stop_it(origin: Origin) -> None:
    farewell = Engine("unix:///var/run/docker.sock", origin).farewell
    assert farewell is not None
    assert f"was {origin} and keeps running" in farewell
