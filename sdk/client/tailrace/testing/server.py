"""The fake server as tests have it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload
from uuid import uuid4

from tailrace._records import Record
from tailrace._version import VERSION
from tailrace.testing import batches, executions, files, methods, outputs
from tailrace.testing.hold import Hold
from tailrace.testing.job import Behaviour
from tailrace.testing.listener import Answer, Close, Frames, Listener, Request
from tailrace.testing.log import LogQuery
from tailrace.testing.owned import ADMIN
from tailrace.testing.problems import Problem
from tailrace.testing.routing import Call, Routes
from tailrace.testing.tail import follow
from tailrace.testing.world import World

if TYPE_CHECKING:
    from typing_extensions import Self

    from tailrace import AsyncClient, Client

_ROUTES = Routes(outputs.routes, executions.routes, batches.routes, methods.routes, files.routes)
_TOKEN = "tailrace-testing-"  # noqa: S105  it opens nothing
_CLOSES = {401: 4401, 403: 4403, 404: 4404, 422: 4400}


@dataclass(frozen=True)
class Exchange:
    """A request that was answered."""

    method: str
    """Such as `POST`"""
    path: str
    """Without its query"""
    query: Mapping[str, list[str]]
    """Its parameters, each with all its values"""
    json: Any
    """Its body; None if that is no JSON"""
    status: int | None
    """Of the answer; None if that was lost"""
    answer: Any
    """What came of it; None if that is no JSON"""


@dataclass
class _Fault:
    """What is to go wrong, and how often still."""

    status: int | None
    times: int
    path: str
    retry_after: int | None

    def befalls(self, request: Request) -> bool:
        return self.times > 0 and request.path.startswith(self.path)


class Server:
    """A Tailrace that a test has for itself, at a free port of this machine: `with Server() as server: …`

    It keeps everything in memory, and its programs are functions of the test. `url` and `token` are what a client
    needs; `requests` is all that was asked of it.
    """

    def __init__(self) -> None:
        self.requests: list[Exchange] = []
        self._world = World()
        self._faults: list[_Fault] = []
        self._listener = Listener(self._answer, self._follow)
        self.url = f"http://127.0.0.1:{self._listener.address[1]}"
        self.token = f"{_TOKEN}{ADMIN}"
        self._dispatcher = Thread(target=self._world.run, name="tailrace dispatcher", daemon=True)
        self._dispatcher.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop it. Programs that still run are told at their next word."""
        self._world.close()
        self._dispatcher.join(timeout=5)
        self._listener.close()

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which clients find it, also in other processes."""
        return {"TAILRACE_URL": self.url, "TAILRACE_TOKEN": self.token}

    def token_of(self, owner: str) -> str:
        """A token of a user who is no administrator, and sees what is theirs."""
        return f"{_TOKEN}{owner}"

    def client(self, owner: str = ADMIN, **options: Any) -> Client:
        """A client of it; options are those of `Client`."""
        from tailrace import Client

        return Client(self.url, self.token_of(owner), **options)

    def async_client(self, owner: str = ADMIN, **options: Any) -> AsyncClient:
        """The same for who has an event loop."""
        from tailrace import AsyncClient

        return AsyncClient(self.url, self.token_of(owner), **options)

    @overload
    def program(self, name: str) -> Callable[[Behaviour], Behaviour]: ...
    @overload
    def program(self, name: str, behaviour: Behaviour) -> Behaviour: ...
    def program(self, name: str, behaviour: Behaviour | None = None) -> Any:
        """Say what an image or a method does: `server.program("train:1", lambda job: 3)`, or as a decorator.

        `name` is an image as submissions have it, a method as `name` or `name@1.0.0`, or `*` for all others. The
        function is given a `Job`. It returns an exit code, or nothing for 0; what it yields, if it is a generator, are
        lines; what it raises ends it as it ends a Python program. Whatever has no program succeeds at once.
        """
        if behaviour is None:
            return lambda function: self.program(name, function)
        with self._world.changed:
            self._world.programs[name] = behaviour
        return behaviour

    def hold(self, step: str | None = None) -> Hold:
        """Let programs stand at `job.step(step)`, or without a step all that is submitted in the queue:
        `with server.hold("half") as held: …; held.reached(); …`. At its end they go on.
        """
        return Hold(self._world, step)

    def advance(self, seconds: float) -> None:
        """Let time pass for all of it: timeouts run out, what waits for its time is started. Nobody waits for that."""
        with self._world.changed:
            self._world.ahead += seconds
            self._world.changed.notify_all()

    def fail_next(
        self, status: int | None = 503, *, times: int = 1, path: str = "/", retry_after: int | None = None
    ) -> None:
        """Let the next requests, or those to addresses that begin with `path`, fail with a status.

        With the status None they are carried out, and the connection breaks before the answer.
        """
        self._faults.append(_Fault(status, times, path, retry_after))

    def cut_tails(self) -> int:
        """Break the connections of all who follow a log; how many that were."""
        return self._listener.cut_tails()

    def executions(self) -> list[Record]:
        """The records of all executions, the oldest first, without a request."""
        with self._world.changed:
            return [Record(each.record(alone=True)) for each in self._world.executions.values()]

    def _answer(self, request: Request) -> Answer:
        fault = self._fault(request)
        answer = self._refused(request, fault) if fault and fault.status else self._handled(request)
        lost = fault is not None and fault.status is None
        self.requests.append(
            Exchange(
                request.method,
                request.path,
                request.query,
                _json(request.body, request.headers.get("content-type", "")),
                None if lost else answer.status,
                _json(answer.body, answer.headers.get("Content-Type", "")),
            )
        )
        headers = {"Tailrace-Version": VERSION, "X-Request-Id": str(uuid4()), **answer.headers}
        return Answer(None) if lost else Answer(answer.status, answer.body, headers)

    def _fault(self, request: Request) -> _Fault | None:
        with self._world.changed:
            fault = next((each for each in self._faults if each.befalls(request)), None)
            if fault is not None:
                fault.times -= 1
            return fault

    def _refused(self, request: Request, fault: _Fault) -> Answer:
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return _problem(Problem(fault.status or 500, "The test wants it so.", headers=headers), request)

    def _handled(self, request: Request) -> Answer:
        if request.path in {"/healthz", "/readyz"}:
            return Answer.of({"status": "ok" if request.path == "/healthz" else "ready"})
        try:
            with self._world.changed:
                return _ROUTES.answer(Call(self._world, request, _owner(request)))
        except Problem as problem:
            return _problem(problem, request)

    def _follow(self, request: Request, has_gone: Callable[[], bool]) -> Answer | Frames:
        fault = self._fault(request)
        if fault is not None:
            return self._refused(request, fault) if fault.status else Answer(None)
        try:
            with self._world.changed:
                execution = executions.one(Call(self._world, request, _owner(request)), _followed(request))
                query = LogQuery(request.query, self._world.now().timestamp(), reading=False)
        except Problem as problem:
            return iter([Close(_CLOSES[problem.status], problem.detail[:120])])
        return follow(self._world, execution, query, has_gone)


def _owner(request: Request) -> str:
    """Whose token it is. Raises `Problem`."""
    token = request.headers.get("authorization", "").partition(" ")[2].strip()
    if not token:
        hint = "Send the header `Authorization: Bearer <token>`."
        raise Problem(401, "This needs a token.", hint=hint, headers={"WWW-Authenticate": "Bearer"})
    if not token.startswith(_TOKEN):
        hint = "Use `server.token`, or `server.token_of(…)`."
        raise Problem(401, "This token is not valid.", hint=hint, headers={"WWW-Authenticate": "Bearer"})
    return token.removeprefix(_TOKEN)


def _followed(request: Request) -> str:
    """The id of the execution whose log that is. Raises `Problem`."""
    *_, name, verb = request.path.split("/")
    if verb != "tail":
        raise Problem(404, f"The fake server of tailrace.testing has no `{request.path}`.")
    return name


def _problem(problem: Problem, request: Request) -> Answer:
    return Answer.of(
        problem.document(request.path), problem.status, "application/problem+json", **dict(problem.headers)
    )


def _json(body: bytes, media_type: str) -> Any:
    if not body or not media_type.partition(";")[0].endswith("json") or media_type.startswith("application/x-ndjson"):
        return None
    try:
        return json.loads(body)
    except ValueError:
        return None
