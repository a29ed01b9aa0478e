from dataclasses import replace
from typing import Any

import pytest

from worker.engine.port import ContainerSpec, Mount, SpecRejected
from worker.engine.spec import create_body

SPEC = ContainerSpec(
    name="tailrace-1",
    image="busybox:local",
    labels={"tailrace.execution": "1"},
    env={"A": "1", "B": "x=y", "EMPTY": ""},
    mounts=(
        Mount("/data/w", "/tailrace", read_only=True),
        Mount("/data/w/outputs", "/tailrace/outputs", read_only=False),
    ),
    cpus=0.5,
    memory=64 << 20,
    pids=128,
    shm=16 << 20,
    file_size=1 << 30,
    log_size=80 << 20,
)


def host_config(**changes: Any) -> dict[str, Any]:
    config: dict[str, Any] = create_body(replace(SPEC, **changes))["HostConfig"]
    return config


def test_the_profile_is_tight() -> None:
    config = host_config()
    assert config["CapDrop"] == ["ALL"]
    assert "CapAdd" not in config
    assert config["SecurityOpt"] == ["no-new-privileges"]
    assert config["Privileged"] is False
    assert config["Init"] is True
    assert config["IpcMode"] == "private"
    assert config["NetworkMode"] == "none"
    assert not {"Binds", "Devices", "PidMode", "UTSMode", "UsernsMode", "CgroupParent"} & config.keys()


def test_the_limits_are_those_of_the_specification() -> None:
    config = host_config()
    assert config["Memory"] == config["MemorySwap"] == 64 << 20
    assert config["NanoCpus"] == 500_000_000
    assert config["PidsLimit"] == 128
    assert config["ShmSize"] == 16 << 20
    assert config["Ulimits"] == [
        {"Name": "fsize", "Soft": 1 << 30, "Hard": 1 << 30},
        {"Name": "core", "Soft": 0, "Hard": 0},
    ]


@pytest.mark.parametrize(("cpus", "nano"), [(0.1, 100_000_000), (1.1, 1_100_000_000), (0.29, 290_000_000)])
def test_cores_are_rounded_not_cut(cpus: float, nano: int) -> None:
    assert host_config(cpus=cpus)["NanoCpus"] == nano


def test_the_engine_keeps_one_plain_log_file() -> None:
    assert host_config()["LogConfig"] == {
        "Type": "local",
        "Config": {"max-file": "1", "compress": "false", "max-size": "83886080"},
    }


def test_the_engine_neither_removes_nor_restarts_it() -> None:
    assert host_config()["AutoRemove"] is False
    assert host_config()["RestartPolicy"] == {"Name": "no"}


def test_mounts_are_plain_private_binds() -> None:
    options = {"Propagation": "private", "NonRecursive": True}
    assert host_config()["Mounts"] == [
        {"Type": "bind", "Source": "/data/w", "Target": "/tailrace", "ReadOnly": True, "BindOptions": options},
        {
            "Type": "bind",
            "Source": "/data/w/outputs",
            "Target": "/tailrace/outputs",
            "ReadOnly": False,
            "BindOptions": options,
        },
    ]


def test_output_is_two_plain_streams_and_there_is_no_input() -> None:
    body = create_body(SPEC)
    assert body["AttachStdout"] is body["AttachStderr"] is True
    assert body["Tty"] is body["OpenStdin"] is body["StdinOnce"] is body["AttachStdin"] is False


def test_the_image_decides_what_the_specification_leaves_open() -> None:
    body = create_body(SPEC)
    assert not {"Cmd", "Entrypoint", "WorkingDir", "User", "Hostname", "StopSignal"} & body.keys()
    assert body["Env"] == ["A=1", "B=x=y", "EMPTY="]
    assert body["Labels"] == {"tailrace.execution": "1"}
    assert body["Image"] == "busybox:local"
    assert body["Healthcheck"] == {"Test": ["NONE"]}


def test_what_is_given_is_passed_on_also_when_empty() -> None:
    given = {"command": ("sh", "-c", "true"), "entrypoint": (), "workdir": "/w", "user": "1:1", "hostname": "h"}
    body = create_body(replace(SPEC, **given))
    assert body["Cmd"] == ["sh", "-c", "true"]
    assert body["Entrypoint"] == []
    assert (body["WorkingDir"], body["User"], body["Hostname"]) == ("/w", "1:1", "h")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"command": ("echo", "a\0b")}, "Word 2 of the command holds a NUL byte"),
        ({"command": ("echo", "é" * 65_536)}, "Word 2 of the command is longer than 131071 bytes"),
        ({"entrypoint": ("\ud800",)}, "Word 1 of the entrypoint is not valid Unicode"),
        ({"env": {"A": "\0"}}, "The environment variable 'A' holds a NUL byte"),
        ({"env": {"A": "x" * 131_070}}, "The environment variable 'A' is longer than 131071 bytes"),
        ({"env": {"": "x"}}, "'' cannot be the name of an environment variable"),
        ({"env": {"A=B": "x"}}, "'A=B' cannot be the name of an environment variable"),
        ({"workdir": "/a\0"}, "The working directory holds a NUL byte"),
        ({"user": "\0"}, "The user holds a NUL byte"),
        ({"hostname": "\0"}, "The host name holds a NUL byte"),
    ],
)
def test_strings_that_no_program_can_be_started_with_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecRejected) as refusal:
        create_body(replace(SPEC, **changes))
    assert str(refusal.value) == words


def test_the_longest_possible_strings_are_accepted() -> None:
    body = create_body(replace(SPEC, command=("echo", "x" * 131_071), env={"A": "x" * 131_069}))
    assert len(body["Cmd"][1]) == len(body["Env"][0]) == 131_071
