from datetime import UTC, datetime
from typing import Any

import pytest

from worker.engine.answers import read_image, read_inspection, read_message, read_moment, understanding
from worker.engine.port import ContainerState, EngineError

NEVER = "0001-01-01T00:00:00Z"
STARTED = "2026-11-21T02:29:00.493258093Z"
FINISHED = "2026-11-21T02:29:01.5Z"
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def container(**state: Any) -> dict[str, Any]:
    usual = {
        "Status": "exited",
        "ExitCode": 0,
        "OOMKilled": False,
        "Error": "",
        "StartedAt": STARTED,
        "FinishedAt": FINISHED,
    }
    return {"Id": "c1", "Name": "/n", "State": usual | state, "Config": {"Labels": {"a": "b"}}}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (NEVER, None),
        (STARTED, datetime(2026, 11, 21, 2, 29, 0, 493258, tzinfo=UTC)),
        (FINISHED, datetime(2026, 11, 21, 2, 29, 1, 500000, tzinfo=UTC)),
        ("2026-11-21T02:29:01Z", datetime(2026, 11, 21, 2, 29, 1, tzinfo=UTC)),
        ("2026-11-21T03:29:01.1234567+01:00", datetime(2026, 11, 21, 2, 29, 1, 123456, tzinfo=UTC)),
    ],
)
def test_times_of_any_precision_are_read(text: str, moment: datetime | None) -> None:
    assert read_moment(text) == moment


def test_a_container_that_has_exited_says_all() -> None:
    seen = read_inspection(container(ExitCode=137, OOMKilled=True))
    assert (seen.id, seen.name, seen.state, seen.labels) == ("c1", "n", ContainerState.EXITED, {"a": "b"})
    assert (seen.exit_code, seen.oom_killed, seen.error) == (137, True, "")
    assert seen.started_at is not None
    assert seen.finished_at is not None
    assert seen.started_at < seen.finished_at


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("created", ContainerState.CREATED),
        ("running", ContainerState.RUNNING),
        ("restarting", ContainerState.RUNNING),
        ("paused", ContainerState.PAUSED),
        ("exited", ContainerState.EXITED),
        ("dead", ContainerState.EXITED),
        ("removing", ContainerState.REMOVING),
    ],
)
def test_the_engine_s_states_become_ours(status: str, state: ContainerState) -> None:
    assert read_inspection(container(Status=status)).state is state


def test_nothing_ends_before_it_began() -> None:
    seen = read_inspection(container(StartedAt=STARTED, FinishedAt="2026-11-21T02:29:00.493Z"))
    assert seen.started_at == seen.finished_at == read_moment(STARTED)


@pytest.mark.parametrize("status", ["running", "paused"])
def test_what_still_runs_has_no_exit_code_and_no_end(status: str) -> None:
    seen = read_inspection(container(Status=status))
    assert (seen.exit_code, seen.finished_at) == (None, None)


@pytest.mark.parametrize("status", ["created", "removing"])
def test_what_never_ran_has_no_exit_code(status: str) -> None:
    seen = read_inspection(container(Status=status, StartedAt=NEVER, FinishedAt=NEVER))
    assert (seen.exit_code, seen.started_at, seen.finished_at) == (None, None, None)


def test_a_refused_start_leaves_its_code_on_the_created_container() -> None:
    seen = read_inspection(container(Status="created", ExitCode=127, Error="no", StartedAt=NEVER, FinishedAt=NEVER))
    assert (seen.state, seen.exit_code, seen.error) == (ContainerState.CREATED, 127, "no")


@pytest.mark.parametrize("broken", [{"Status": "asleep"}, {"StartedAt": None}, {"StartedAt": "yesterday"}])
def test_an_answer_that_cannot_be_understood_is_not_guessed_at(broken: dict[str, Any]) -> None:
    with (
        pytest.raises(EngineError, match="about the container is not what its API says"),
        understanding("the container"),
    ):
        read_inspection(container(**broken))


def test_an_image_made_here_has_no_digest() -> None:
    image = read_image({"Id": "sha256:1", "RepoDigests": [], "Config": None}, "busybox:local")
    assert (image.id, image.digest, image.env, image.entrypoint, image.command) == ("sha256:1", None, {}, (), ())


@pytest.mark.parametrize(
    ("name", "digest"),
    [("docker.io/library/app:1", DIGEST), ("example.org/app:1", OTHER), ("other:1", OTHER), (DIGEST, OTHER)],
)
def test_the_digest_is_that_of_the_asked_repository(name: str, digest: str) -> None:
    known = [f"example.org/app@{OTHER}", f"app@{DIGEST}"]
    assert read_image({"Id": "sha256:1", "RepoDigests": known}, name).digest == digest


def test_an_image_brings_its_environment_and_what_it_runs() -> None:
    config = {"Env": ["PATH=/bin", "A=b=c", "E="], "Cmd": None, "Entrypoint": ["/run"]}
    image = read_image({"Id": "sha256:1", "Config": config}, "app:1")
    assert image.env == {"PATH": "/bin", "A": "b=c", "E": ""}
    assert (image.entrypoint, image.command) == (("/run",), ())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b'{"message":"No such container: x"}\n', "No such container: x"),
        (b"No such container: x\r\n", "No such container: x"),
        (b'{"error":"other"}', '{"error":"other"}'),
        (b"\xff", "\ufffd"),
        (b"[]", "[]"),
    ],
)
def test_the_engine_s_words_are_found_in_json_and_in_plain_text(answer: bytes, words: str) -> None:
    assert read_message(answer) == words
