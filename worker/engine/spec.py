"""From our container specification to the engine's create request.

Pure, and the one place where the security profile of a container is written down. Nothing here comes from a
submission without a field of `ContainerSpec` for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from worker.engine.port import ContainerSpec, Mount, SpecRejected

# Linux refuses longer ones at exec. The engine does not look at them: its init process would fail to start the
# program and the attempt would look as if the program had ended with code 1.
_LONGEST_ARGUMENT: Final = 131_071
# When the host itself runs short of memory, the kernel is to take programs before the engine, the database and us.
_TAKEN_BEFORE_US: Final = 500


def create_body(spec: ContainerSpec) -> dict[str, Any]:
    """The JSON of `POST /containers/create`. Raises `SpecRejected` for strings that no program can be started with."""
    _check_strings(spec)
    body: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.env.items()],
        "Labels": dict(spec.labels),
        "Tty": False,
        "OpenStdin": False,
        "StdinOnce": False,
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        # The image's probe would run beside the program, count against its pids and mean nothing for a run to an end.
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": _host_config(spec),
    }
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    if spec.entrypoint is not None:
        body["Entrypoint"] = list(spec.entrypoint)
    given = {"WorkingDir": spec.workdir, "User": spec.user, "Hostname": spec.hostname}
    body.update((key, value) for key, value in given.items() if value is not None)
    return body


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    config: dict[str, Any] = {
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],  # seccomp unnamed: the engine's default profile applies
        "Privileged": False,
        "Init": True,
        "IpcMode": "private",
        "NetworkMode": spec.network,
        "PidsLimit": spec.pids,
        "Memory": spec.memory,
        "MemorySwap": spec.memory,  # memory and swap together: no swap
        "OomScoreAdj": _TAKEN_BEFORE_US,
        "NanoCpus": round(spec.cpus * 1_000_000_000),
        "ShmSize": spec.shm,
        # Only ever lower than the engine's own: it may lack the privilege to raise one, and then nothing starts.
        "Ulimits": [_ulimit("fsize", spec.file_size), _ulimit("core", 0)],
        "Mounts": [_bind(mount) for mount in spec.mounts],
        # One uncompressed file: the engine's follower loses whole files when they rotate, and reading on at a byte
        # offset needs the log's head to be there.
        "LogConfig": {
            "Type": "local",
            "Config": {"max-file": "1", "compress": "false", "max-size": str(spec.log_size)},
        },
        "AutoRemove": False,  # the exit code would go with the container
        "RestartPolicy": {"Name": "no"},
    }
    if spec.runtime is not None:
        config["Runtime"] = spec.runtime
    if spec.read_only:
        # Hardly any program does without it; it is memory, and counts as such.
        config |= {"ReadonlyRootfs": True, "Tmpfs": {"/tmp": f"rw,nosuid,nodev,mode=1777,size={spec.shm}"}}  # noqa: S108
    return config


def _ulimit(name: str, value: int) -> dict[str, Any]:
    return {"Name": name, "Soft": value, "Hard": value}


def _bind(mount: Mount) -> dict[str, Any]:
    # A bind by `Mounts` is refused when the source does not exist; the older `Binds` would create it as root. Not
    # recursive: nothing that happens to be mounted beneath the source on the host comes along, writable or not.
    return {
        "Type": "bind",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
        "BindOptions": {"Propagation": "private", "NonRecursive": True},
    }


def _check_strings(spec: ContainerSpec) -> None:
    for name, value in spec.env.items():
        if not name or "=" in name:
            raise SpecRejected(f"{name!r} cannot be the name of an environment variable")
        _check_length(f"The environment variable {name!r}", f"{name}={value}")
    for what, words in (("command", spec.command), ("entrypoint", spec.entrypoint)):
        _check_words(what, words or ())
    for what, text in (("working directory", spec.workdir), ("user", spec.user), ("host name", spec.hostname)):
        _check_length(f"The {what}", text or "")


def _check_words(what: str, words: Iterable[str]) -> None:
    for position, word in enumerate(words, 1):
        _check_length(f"Word {position} of the {what}", word)


def _check_length(what: str, text: str) -> None:
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise SpecRejected(f"{what} is not valid Unicode") from None
    if "\0" in text:
        raise SpecRejected(f"{what} holds a NUL byte")
    if length > _LONGEST_ARGUMENT:
        raise SpecRejected(f"{what} is longer than {_LONGEST_ARGUMENT} bytes")
