"""What the fake server and the real one have in common: programs for both, and what their answers have to be."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from websockets.sync.client import connect

from app.main import create_app
from app.settings import Settings
from tailrace import Client, Handle, Record
from tailrace.testing import Exchange, Job, Server, Stopped

IMAGE = "busybox:local"
Json = dict[str, Any]


@dataclass(frozen=True)
class Program:
    """One program, said twice: for a shell, and for the fake."""

    shell: str
    fake: Callable[[Job], Any]
    fields: Json = field(default_factory=dict)

    @property
    def submission(self) -> Json:
        return {"image": IMAGE, "command": ["sh", "-c", self.shell], **self.fields}


class _Reached(Exception):
    """Enough was seen."""


@dataclass(frozen=True)
class Site:
    """One of the two."""

    client: Client
    name: str

    def run(self, program: Program, **fields: Any) -> Handle:
        return self.client.submit({**program.submission, **fields})

    def ended(self, program: Program, **fields: Any) -> Handle:
        handle = self.run(program, **fields)
        handle.wait(60)
        return handle

    def until(self, handle: Handle, status: str) -> None:
        """Until it has this status, as the client is told of changes."""

        def look(record: Record) -> None:
            if record.status == status:
                raise _Reached

        with pytest.raises(_Reached):
            look(handle.refresh())
            handle.wait(60, on_change=look)

    def until_it_may_save(self, handle: Handle) -> None:
        """Until its record says that it saves checkpoints, which is heard on another way than its lines."""
        deadline = time.monotonic() + 60
        while not handle.refresh()["saves_checkpoints"]:
            assert time.monotonic() < deadline

    def frames(self, handle: Handle, query: str = "after=0") -> list[Json]:
        url = f"{self.client.url.replace('http', 'ws', 1)}/v1/executions/{handle.id}/tail?{query}"
        token = self.client.config.token
        with connect(url, additional_headers={"Authorization": f"Bearer {token}"}, compression=None) as socket:
            return [json.loads(message) for message in socket]


def visited(handle: Handle) -> list[str]:
    """The statuses, one after the other."""
    seen: list[str] = []
    for event in handle.events():
        if not seen or seen[-1] != event.to or event.raw["from"] != event.to:
            seen.append(event.to)
    return seen


def _hello(job: Job) -> None:
    job.say("one")
    job.say("two", "stderr")
    job.progress(40, "half")
    job.warn("no GPU")
    job.result({"loss": 0.5})
    job.write("deep/a.csv", "1\n")
    job.write("hi.txt", "hi\n")
    job.say("three")


HELLO = Program(
    """echo one; echo two >&2
    echo '{"progress": 40, "phase": "half"}' >> /tailrace/events
    echo '{"warning": "no GPU"}' >> /tailrace/events; echo '{"result": {"loss": 0.5}}' >> /tailrace/events
    mkdir /tailrace/outputs/deep; echo 1 > /tailrace/outputs/deep/a.csv; echo hi > /tailrace/outputs/hi.txt
    echo three""",
    _hello,
    {"name": "hello", "note": "of the contract", "env": {"A": "1"}, "inputs": {"rows": 3}, "limits": {"timeout": 60}},
)
TRUE = Program("true", lambda _: 0)
THREE = Program("echo failing; exit 3", lambda job: job.say("failing") or 3)
SUCCESS = Program("exit 4", lambda _: 4, {"exit_codes": {"4": "success"}})
ABORTED = Program("kill -ABRT $$", lambda _: 134)
MISSING = Program("true", lambda _: 0, {"outputs": [{"path": "report.html"}, {"path": "*.txt", "required": False}]})


def _cancels_itself(job: Job) -> int:
    job.checkpoint["n"] = b"1"
    return 86


CANCELS_ITSELF = Program("""echo '{"checkpoints": true}' >> /tailrace/events; exit 86""", _cancels_itself)
RETRIED = Program(
    "[ $TAILRACE_ATTEMPT = 2 ] || exit 3",
    lambda job: 0 if job.attempt == 2 else 3,
    {"max_attempts": 2, "retry_on": [3]},
)


def _endless(job: Job) -> None:
    job.say("begun")
    job.wait_for_stop()
    raise Stopped("cancel")


ENDLESS = Program("echo begun; exec sleep 600", _endless, {"limits": {"grace": 1}})
LATE = Program(
    "exec sleep 600",
    lambda job: job.sleep(600),
    {"limits": {"timeout": 1, "grace": 10}, "name": "late"},
)


def _saves(job: Job) -> int:
    job.say("begun")
    job.wait_for_stop()
    job.write("partial.txt", "some\n")
    return 7


SAVES = Program(
    """trap 'echo some > /tailrace/outputs/partial.txt; exit 7' TERM; echo begun; while :; do sleep 0.1; done""",
    _saves,
)


def _checkpoints(job: Job) -> int:
    if "n" in job.checkpoint:
        job.say("again")
        return 0
    job.say("begun")
    job.wait_for_stop()
    job.checkpoint["n"] = b"1\n"
    return 85


CHECKPOINTS = Program(
    """echo '{"checkpoints": true}' >> /tailrace/events
    if [ -f /tailrace/checkpoint/n ]; then echo again; exit 0; fi
    echo begun; while [ ! -f /tailrace/stop ]; do sleep 0.1; done
    echo 1 > /tailrace/checkpoint/n; exit 85""",
    _checkpoints,
)
READS = Program(
    "cat /tailrace/inputs/rows.csv /tailrace/inputs/note.txt",
    lambda job: [job.say(job.files[name].decode().rstrip("\n")) for name in ("rows.csv", "note.txt")] and None,
)
INDEX = Program(
    "echo $INPUT_RATE $GREETING; exit $CODE",
    lambda job: job.say(f"{job.env['INPUT_RATE']} {job.env['GREETING']}") or int(job.env["CODE"]),
    {"env": {"GREETING": "hi", "CODE": "0"}, "inputs": {"rate": 0.5}},
)
PROGRAMS = [value for value in globals().values() if isinstance(value, Program)]


def teach(server: Server) -> None:
    """Let the fake run the programs of this suite, by what their shell would read."""
    behaviours = {program.shell: program.fake for program in PROGRAMS}

    @server.program(IMAGE)
    def run(job: Job) -> Any:
        command = job.command
        if command[:2] == ["sh", "-c"]:
            return behaviours[command[2]](job)
        assert command[0] == "echo", command
        job.say(" ".join(command[1:]))
        return 0


@contextmanager
def faked() -> Iterator[Server]:
    """A fake whose answers are judged at the end, every one of them."""
    with Server() as server:
        teach(server)
        yield server
    assert server.requests
    for exchange in server.requests:
        judge(exchange)


@cache
def document() -> Json:
    """What the real server says that it answers. Nothing else may be in there."""
    whole: Json = create_app(Settings(database_url="postgresql://nobody@localhost/none")).openapi()
    for schema in whole["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    # A 429 says how much there is and may be, too.
    whole["components"]["schemas"]["Problem"]["additionalProperties"] = True
    return whole


def judge(exchange: Exchange) -> None:
    """Whether an answer is one that the real server could have given."""
    if exchange.status is None:
        return
    operation = _operation(exchange.method.lower(), exchange.path)
    if operation is None:
        assert (exchange.status, exchange.path.startswith("/v1/")) == (404, False), exchange.path
        check({"$ref": "#/components/schemas/Problem"}, exchange.answer)
        return
    response = operation["responses"].get(str(exchange.status))
    where = f"{exchange.method} {exchange.path} → {exchange.status}"
    assert response is not None, f"{where} is nothing that the API knows: {exchange.answer}"
    content = response.get("content", {})
    media_type = "application/json" if exchange.status < 400 else "application/problem+json"
    if exchange.answer is not None:
        assert media_type in content, where
        check(content[media_type]["schema"], exchange.answer)
    else:
        assert media_type not in content or len(content) > 1, f"{where} has no body"


def check(schema: Json, value: Any) -> None:
    whole = {**schema, "components": document()["components"]}
    wrong = [f"{error.json_path}: {error.message[:300]}" for error in Draft202012Validator(whole).iter_errors(value)]
    assert not wrong, wrong


def check_frame(frame: Json) -> None:
    check(document()["paths"]["/v1/executions/{id}/tail"]["x-websocket"]["frames"][frame["type"]], frame)


def _operation(method: str, path: str) -> Json | None:
    parts = path.split("/")
    found = [
        item[method]
        for template, item in document()["paths"].items()
        if method in item and _fits(template.split("/"), parts, is_open=template.endswith("{path}"))
    ]
    return found[0] if found else None


def _fits(template: list[str], parts: list[str], *, is_open: bool) -> bool:
    if len(template) != len(parts) and not (is_open and len(parts) >= len(template)):
        return False
    return all(want.startswith("{") or want == part for want, part in zip(template, parts, strict=False))


def kinds(value: Any, path: str = "") -> dict[str, str]:
    """The type of everything in a document, by its path; of lists that of the first item."""
    if isinstance(value, dict):
        return {name: kind for key, item in value.items() for name, kind in kinds(item, f"{path}.{key}").items()}
    if isinstance(value, list):
        return {path: "list", **(kinds(value[0], f"{path}[]") if value else {})}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {path: "number"}
    return {path: type(value).__name__}


def alike(fake: Any, real: Any) -> None:
    """The same names everywhere, and the same types where neither is null."""
    ours, theirs = kinds(fake), kinds(real)
    differing = {
        name: (ours.get(name), theirs.get(name))
        for name in ours.keys() | theirs.keys()
        if ours.get(name) != theirs.get(name) and "NoneType" not in {ours.get(name), theirs.get(name)}
    }
    # Below what one of them has as null there is nothing to compare.
    nulls = {name for each in (ours, theirs) for name, kind in each.items() if kind == "NoneType"}
    left = {name: pair for name, pair in differing.items() if not any(name.startswith(f"{null}.") for null in nulls)}
    assert not left, left
