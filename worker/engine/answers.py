"""What the engine's JSON means. Pure.

The readers raise `KeyError`, `TypeError` or `ValueError` where an answer is not what the engine's API says; wrap them
in `understanding`, which makes an `EngineError` of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from worker.engine.port import ContainerState, EngineError, Image, Inspection, Recollection, Usage
from worker.engine.pull import parse_reference

_ZERO_YEAR: Final = 1  # the engine's zero time, "never", is the first of January of the year 1
_EVENTS_KEPT: Final = 256
_STATES: Final = {
    "created": ContainerState.CREATED,
    "running": ContainerState.RUNNING,
    "restarting": ContainerState.RUNNING,
    "paused": ContainerState.PAUSED,
    "exited": ContainerState.EXITED,
    "dead": ContainerState.EXITED,
    "removing": ContainerState.REMOVING,
}


@contextmanager
def understanding(what: str) -> Iterator[None]:
    """Raises `EngineError` where reading an answer about `what` fails."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise EngineError(f"The container engine's answer about {what} is not what its API says: {error!r}") from error


def read_message(answer: bytes) -> str:
    """The engine's words in an error answer: JSON as a rule, plain text from the endpoints that stream."""
    with suppress(orjson.JSONDecodeError, KeyError, TypeError):
        return str(orjson.loads(answer)["message"]).strip()
    return answer.decode(errors="replace").strip()


def read_version(text: str) -> tuple[int, int]:
    """An API version such as `1.41`."""
    major, minor = text.split(".")
    return int(major), int(minor)


def read_moment(text: str) -> datetime | None:
    """A time of the engine, to the microsecond; None for its zero time."""
    moment = datetime.fromisoformat(text)
    return None if moment.year == _ZERO_YEAR else moment


def read_image(found: Mapping[str, Any], name: str) -> Image:
    """The answer about an image asked for by `name`."""
    config = found.get("Config") or {}
    variables = (entry.partition("=") for entry in config.get("Env") or ())
    return Image(
        id=found["Id"],
        digest=_digest(found.get("RepoDigests") or (), name),
        env={key: value for key, _, value in variables},
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
    )


def read_inspection(found: Mapping[str, Any]) -> Inspection:
    """The answer about a container."""
    state = found["State"]
    now = _STATES[state["Status"]]
    started_at = read_moment(state["StartedAt"])
    # The engine says 0 also where nothing has ended yet, but leaves the code of a refused start on a created container.
    alive = now in (ContainerState.RUNNING, ContainerState.PAUSED)
    ended = not alive and (started_at is not None or state["ExitCode"] != 0)
    finished_at = read_moment(state["FinishedAt"]) if ended else None
    if started_at and finished_at:
        # The engine stamps the start after the fact: a program of a millisecond ends "before" it (measured).
        finished_at = max(started_at, finished_at)
    return Inspection(
        id=found["Id"],
        name=found["Name"].removeprefix("/"),
        state=now,
        exit_code=state["ExitCode"] if ended else None,
        oom_killed=bool(state["OOMKilled"]),
        error=state["Error"],
        started_at=started_at,
        finished_at=finished_at,
        labels=found["Config"]["Labels"] or {},
    )


def read_usage(found: Mapping[str, Any]) -> Usage | None:
    """The answer about what a container uses; None when it does not run."""
    cpu, memory = found["cpu_stats"]["cpu_usage"], found["memory_stats"]
    if not memory:
        return None
    stat = memory.get("stats") or {}
    inactive = stat.get("total_inactive_file", stat.get("inactive_file", 0))
    return Usage(
        cpu_seconds=cpu["total_usage"] / 1e9,
        memory=max(0, memory["usage"] - inactive),
        memory_peak=memory.get("max_usage"),
        pids=found["pids_stats"].get("current"),
    )


def read_recollection(events: Sequence[Mapping[str, Any]], container: str) -> Recollection:
    """All events that the engine still has, oldest first, as far as they concern one container."""
    own = [event for event in events if event["Type"] == "container" and container in _names(event["Actor"])]
    ends = [event for event in own if event["Action"] == "die"]
    started = any(event["Action"] == "start" for event in own)
    return Recollection(
        killed=any(event["Action"] == "kill" for event in own),
        exit_code=int(ends[-1]["Actor"]["Attributes"]["exitCode"]) if ends else None,
        exited_at=datetime.fromtimestamp(ends[-1]["timeNano"] / 1e9, UTC) if ends else None,
        # Nothing was crowded out, and yet it knows of no start: it was not there then.
        restarted=len(events) < _EVENTS_KEPT and not started,
        # It forgets the oldest first.
        never_started=not started and any(event["Action"] == "create" for event in own),
    )


def _names(actor: Mapping[str, Any]) -> tuple[str, str]:
    return actor["ID"], actor["Attributes"]["name"]


def _digest(known: Iterable[str], name: str) -> str | None:
    """The digest under which the asked repository knows the image, else any."""
    digests = dict(entry.split("@", 1) for entry in known)
    with suppress(ValueError):  # asked for by id
        if asked := digests.get(parse_reference(name).repository):
            return asked
    return next(iter(digests.values()), None)
