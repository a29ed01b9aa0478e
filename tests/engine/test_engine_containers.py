"""The life of a container on a real engine, from create to remove."""

import asyncio
import re
from typing import Any

import pytest
from harbour import IMAGE, Harbour

from support.eventually import eventually
from worker.engine.connection import Refused
from worker.engine.docker import _create_error
from worker.engine.port import (
    ContainerState,
    EngineError,
    ImageNotFound,
    Mount,
    NameTaken,
    NoSuchContainer,
    SpecRejected,
    StartRefused,
)


async def test_a_container_lives_from_create_to_remove(harbour: Harbour) -> None:
    engine = harbour.engine
    spec = harbour.spec("sh", "-c", 'echo out; echo err >&2; echo "$A"; exit 7', env={"A": "b=c"})
    container = await engine.create(spec)

    created = await engine.inspect(container)
    assert (created.id, created.name, created.state) == (container, spec.name, ContainerState.CREATED)
    assert (created.exit_code, created.started_at, created.finished_at) == (None, None, None)
    assert created.labels.items() >= harbour.labels.items()

    ended = await harbour.follow(container)
    assert (ended.out, ended.err) == (b"out\nb=c\n", b"err\n")
    assert (ended.seen.state, ended.seen.exit_code, ended.seen.oom_killed) == (ContainerState.EXITED, 7, False)
    assert ended.seen.started_at is not None
    assert ended.seen.finished_at is not None
    assert ended.seen.started_at <= ended.seen.finished_at

    await engine.remove(container)
    with pytest.raises(NoSuchContainer):
        await engine.inspect(container)


async def test_a_running_container_has_no_exit_code_yet(harbour: Harbour) -> None:
    container = await harbour.start("sleep", "60")
    seen = await harbour.engine.inspect(container)
    assert (seen.state, seen.exit_code, seen.finished_at) == (ContainerState.RUNNING, None, None)
    assert seen.started_at is not None


async def test_a_frozen_container_is_paused(harbour: Harbour) -> None:
    container = await harbour.start("sleep", "60")
    for _ in range(2):
        assert await harbour.engine.pause(container)
        seen = await harbour.engine.inspect(container)
        assert (seen.state, seen.exit_code) == (ContainerState.PAUSED, None)
    for _ in range(2):
        await harbour.engine.unpause(container)
        assert (await harbour.engine.inspect(container)).state is ContainerState.RUNNING


async def test_what_has_exited_or_is_gone_cannot_be_frozen(harbour: Harbour) -> None:
    container = await harbour.start("sleep", "60")
    assert await harbour.engine.pause(container)
    assert await harbour.engine.signal(container, "SIGKILL")
    await eventually(lambda: has_exited(harbour, container))
    assert not await harbour.engine.pause(container)
    await harbour.engine.unpause(container)
    await harbour.engine.remove(container)
    with pytest.raises(NoSuchContainer):
        await harbour.engine.pause(container)
    with pytest.raises(NoSuchContainer):
        await harbour.engine.unpause(container)


async def has_exited(harbour: Harbour, container: str) -> bool:
    return (await harbour.engine.inspect(container)).state is ContainerState.EXITED


@pytest.mark.parametrize(
    ("command", "code", "err"),
    [
        (("true",), 0, rb""),
        (("sh", "-c", "exit 137"), 137, rb""),
        (("sh", "-c", "kill -KILL $$"), 137, rb""),
        (("sh", "-c", "kill -SEGV $$"), 139, rb""),
        (("nope",), 127, rb"\[FATAL tini \(\d+\)\] exec nope failed: No such file or directory\n"),
        (("/etc/passwd",), 126, rb"\[FATAL tini \(\d+\)\] exec /etc/passwd failed: Permission denied\n"),
    ],
)
async def test_the_exit_code_is_the_program_s(
    harbour: Harbour, command: tuple[str, ...], code: int, err: bytes
) -> None:
    ended = await harbour.run(*command)
    assert (ended.seen.state, ended.seen.exit_code, ended.seen.oom_killed) == (ContainerState.EXITED, code, False)
    assert re.fullmatch(err, ended.err)


async def test_running_out_of_memory_is_told_from_a_plain_kill(harbour: Harbour) -> None:
    ended = await harbour.run("tail", "/dev/zero", memory=16 << 20)
    assert (ended.seen.exit_code, ended.seen.oom_killed) == (137, True)


async def test_a_child_that_runs_out_of_memory_only_sets_the_flag(harbour: Harbour) -> None:
    ended = await harbour.run("sh", "-c", "tail /dev/zero; echo code $?", memory=16 << 20)
    assert ended.out == b"code 137\n"
    assert (ended.seen.exit_code, ended.seen.oom_killed) == (0, True)


@pytest.mark.parametrize(("signal", "code"), [("SIGTERM", 143), ("SIGKILL", 137), ("SIGINT", 130), ("15", 143)])
async def test_a_signal_reaches_the_program_until_it_has_ended(harbour: Harbour, signal: str, code: int) -> None:
    engine = harbour.engine
    container = await engine.create(harbour.spec("sh", "-c", "echo ready; exec sleep 60"))
    assert await engine.signal(container, signal) is False
    async with engine.attach(container) as output, engine.wait(container) as watch:
        await engine.start(container)
        # A signal sent sooner may be lost: the init process is not yet there to pass it on.
        assert (await anext(output)).data == b"ready\n"
        assert await engine.signal(container, signal) is True
        await watch.exited()
    assert (await engine.inspect(container)).exit_code == code
    assert await engine.signal(container, signal) is False


async def test_an_unknown_signal_is_the_caller_s_mistake(harbour: Harbour) -> None:
    container = await harbour.start("sleep", "60")
    with pytest.raises(EngineError, match="Invalid signal"):
        await harbour.engine.signal(container, "SIGNOTHING")


async def test_a_name_is_taken_once(harbour: Harbour) -> None:
    spec = harbour.spec("true")
    outcomes = await asyncio.gather(*(harbour.engine.create(spec) for _ in range(6)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NameTaken"] * 5 + ["str"]
    with pytest.raises(NameTaken):
        await harbour.engine.create(spec)
    assert len(await harbour.engine.list_containers(harbour.labels)) == 1


async def test_an_image_that_is_not_here_is_not_pulled_on_the_way(harbour: Harbour) -> None:
    with pytest.raises(ImageNotFound, match="tailrace/nothing:1"):
        await harbour.engine.create(harbour.spec("true", image="tailrace/nothing:1"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workdir": "relative"}, "absolute path"),
        ({"workdir": "/etc/passwd"}, "not a directory"),
        ({"memory": 4096}, "[Mm]inimum memory"),
        ({"cpus": 10_000.0}, "CPUs"),
        ({"mounts": (Mount("/nothing/here", "/x", read_only=True),)}, "does not exist"),
        ({"image": "NOT A NAME"}, "not a valid image reference"),
        ({"env": {"A": "\0"}}, "NUL"),
        ({"name": "-bad"}, "name"),
    ],
)
async def test_what_the_engine_will_not_create_is_the_specification_s_fault(
    harbour: Harbour, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(SpecRejected, match=words):
        await harbour.engine.create(harbour.spec("true", **changes))
    assert await harbour.engine.list_containers(harbour.labels) == []


def test_a_full_disk_is_not_the_specification_s_fault() -> None:
    words = "error creating overlay mount to /var/lib/docker/overlay2: no space left on device"
    error = _create_error(Refused(500, words))
    assert str(error) == words
    assert not isinstance(error, SpecRejected)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"user": "nobody-here"}, "unable to find user nobody-here"),
        ({"user": "0:nobody-here"}, "unable to find group nobody-here"),
        ({"hostname": "h" * 80}, "hostname"),
        ({"network": "tailrace-nothing"}, "tailrace-nothing"),
        ({"network": "container:tailrace-nothing"}, "tailrace-nothing"),
    ],
)
async def test_a_refused_start_leaves_a_container_that_never_ran(
    harbour: Harbour, changes: dict[str, Any], words: str
) -> None:
    container = await harbour.engine.create(harbour.spec("true", **changes))
    with pytest.raises(StartRefused, match=words):
        await harbour.engine.start(container)
    seen = await harbour.engine.inspect(container)
    assert (seen.state, seen.started_at) == (ContainerState.CREATED, None)
    assert words in seen.error


@pytest.mark.parametrize(("command", "code"), [("nope", 127), ("/etc/passwd", 126)])
async def test_without_an_init_process_the_engine_says_what_is_wrong_with_the_command(
    harbour: Harbour, command: str, code: int
) -> None:
    body = {"Image": IMAGE, "Cmd": [command], "Labels": harbour.labels, "HostConfig": {"Init": False}}
    made = await harbour.engine._http.json("POST", "/containers/create", body=body)
    with pytest.raises(StartRefused, match=command):
        await harbour.engine.start(made["Id"])
    assert (await harbour.engine.inspect(made["Id"])).exit_code == code


async def test_a_second_start_of_a_running_container_does_nothing(harbour: Harbour) -> None:
    container = await harbour.engine.create(harbour.spec("sleep", "60"))
    await asyncio.gather(*(harbour.engine.start(container) for _ in range(4)))
    first = await harbour.engine.inspect(container)
    await harbour.engine.start(container)
    assert await harbour.engine.inspect(container) == first


async def test_a_removed_container_is_known_to_no_method(harbour: Harbour) -> None:
    engine = harbour.engine
    container = await engine.create(harbour.spec("true"))
    await engine.remove(container)
    for call in (engine.start(container), engine.signal(container, "TERM"), engine.inspect(container)):
        with pytest.raises(NoSuchContainer, match=container):
            await call
    for stream in (engine.attach(container), engine.wait(container), engine.read_log(container, follow=True)):
        with pytest.raises(NoSuchContainer, match=container):
            async with stream:
                pass
    await engine.remove(container)


async def test_a_running_container_is_removed_only_by_force(harbour: Harbour) -> None:
    container = await harbour.start("sleep", "60")
    with pytest.raises(EngineError, match="running"):
        await harbour.engine.remove(container)
    assert (await harbour.engine.inspect(container)).state is ContainerState.RUNNING
    await harbour.engine.remove(container, force=True)
    assert await harbour.engine.list_containers(harbour.labels) == []


async def test_removing_at_the_same_time_is_harmless(harbour: Harbour) -> None:
    container = await harbour.start("sleep", "60")
    await asyncio.gather(*(harbour.engine.remove(container, force=True) for _ in range(5)))
    await eventually(lambda: nothing_left(harbour))


async def nothing_left(harbour: Harbour) -> bool:
    return not await harbour.engine.list_containers(harbour.labels)


async def test_containers_are_listed_in_every_state_by_all_their_labels(harbour: Harbour) -> None:
    created = await harbour.engine.create(harbour.spec("true", labels=harbour.labels | {"a": "1"}))
    running = await harbour.start("sleep", "60", labels=harbour.labels | {"a": "1", "b": "2"})
    exited = (await harbour.run("sh", "-c", "exit 3")).seen.id

    async def listed(**labels: str) -> dict[str, ContainerState]:
        return {seen.id: seen.state for seen in await harbour.engine.list_containers(harbour.labels | labels)}

    states = {created: ContainerState.CREATED, running: ContainerState.RUNNING, exited: ContainerState.EXITED}
    assert await listed() == states
    assert (await listed(a="1")).keys() == {created, running}
    assert (await listed(a="1", b="2")).keys() == {running}
    assert await listed(a="2") == {}


async def test_a_listing_survives_containers_that_go_meanwhile(harbour: Harbour) -> None:
    made = await asyncio.gather(*(harbour.engine.create(harbour.spec("true")) for _ in range(12)))
    listings = [asyncio.create_task(harbour.engine.list_containers(harbour.labels)) for _ in range(8)]
    await asyncio.gather(*(harbour.engine.remove(container) for container in made))
    for seen in await asyncio.gather(*listings):
        assert {container.id for container in seen} <= set(made)
