"""`tailrace doctor`: whether all is well, by what the API itself says, and what to do if it is not."""

from __future__ import annotations

import os
import shlex
import stat
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tailrace.cli.failures import failure_of
from tailrace.cli.noun import Noun
from tailrace.cli.output import DEFAULT, Format, FormatOption, console, show_document
from tailrace.cli.session import CHOSEN
from tailrace.cli.shown import plain, rough, size

if TYPE_CHECKING:
    from tailrace import Client

app = Noun()

OK, WARNING, BAD = "ok", "warning", "bad"
_MARKS = {OK: ("✓", "green"), WARNING: ("!", "yellow"), BAD: ("✗", "red")}
# What waits for longer than this although there is room deserves a look.
LONG_IN_QUEUE = 300.0
# Seconds to open a WebSocket, and again to its first frame.
LIVE = 10.0
_PROXY = "Following logs needs it: a proxy in between has to pass on `Upgrade` and `Connection`, and HTTP/1.1."
NEARLY_FULL = 0.9


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and what to do about it."""

    check: str
    state: str
    found: str
    advice: str | None = None


@app.verb("doctor", "tailrace doctor", "tailrace doctor -o json | jq '.[] | select(.state != \"ok\")'")
def doctor(*, form: FormatOption = DEFAULT) -> None:
    """Look at configuration, connection, versions, token, live connection, database, Redis, workers, engines, queues.

    The exit code is 1 if something is bad. A warning is none.
    """
    findings = list(examine())
    if form is Format.TABLE:
        _show(findings)
    else:
        show_document([asdict(finding) for finding in findings], form)
    if any(finding.state == BAD for finding in findings):
        raise typer.Exit(1)


def examine() -> Iterator[Finding]:
    """All findings; those that make no sense after a bad one are left out."""
    import tailrace

    chosen = CHOSEN.get()
    try:
        client = tailrace.Client(chosen.url, profile=chosen.profile, timeout=10.0, patience=2.0)
    except tailrace.ConfigError as error:
        yield Finding("configuration", BAD, str(error), error.hint or "`tailrace login` writes one.")
        return
    with client:
        yield Finding("address", OK, f"{client.url} (from {client.config.url_from})")
        yield from _readable()
        reached = list(_reached(client))
        yield from reached
        if any(finding.state == BAD for finding in reached):
            return
        readiness = list(_ready(client))
        yield from readiness
        mine = list(_token(client))
        yield from mine
        if any(finding.state == BAD for finding in [*readiness, *mine]):
            return
        yield live(client)
        yield from _workers(client)
        yield from _queue(client)


def _reached(client: Client) -> Iterator[Finding]:
    import tailrace

    began = time.monotonic()
    try:
        welcome = client.request("GET", "/")
    except tailrace.ConnectionFailed as error:
        advice = "Start it (`make up`), or correct the address: `tailrace login`, --url or TAILRACE_URL."
        yield Finding("connection", BAD, str(error), advice)
        return
    except tailrace.ApiError as error:
        yield Finding("connection", BAD, f"It answers {error.status}: {error.detail}", "Is this a Tailrace?")
        return
    if not isinstance(welcome, dict) or welcome.get("name") != "Tailrace":
        yield Finding("connection", BAD, "Something else answers there.", "Correct the address: `tailrace login`.")
        return
    yield Finding("connection", OK, f"answers in {(time.monotonic() - began) * 1000:.0f} ms")
    yield versions(tailrace.__version__, str(welcome.get("version")))


def versions(ours: str, theirs: str) -> Finding:
    """Whether they are alike, and which to update."""
    found = f"client {ours}, server {plain(theirs)}"
    if theirs == ours:
        return Finding("versions", OK, found)
    older = "the client (`pip install -U tailrace`)" if _numbers(ours) < _numbers(theirs) else "the server"
    return Finding("versions", WARNING, found, f"Mostly that works; what is new in one does not. Update {older}.")


def _numbers(version: str) -> list[int]:
    """To be compared; what is no number is none."""
    return [int(part) for part in version.split(".") if part.isdecimal()]


def _readable() -> Iterator[Finding]:
    """Files with a token that others of this machine can read."""
    import tailrace

    if os.name != "posix":
        return
    for path in {tailrace.config_path(), Path(os.environ.get("TAILRACE_TOKEN_FILE") or os.devnull)}:
        try:
            mode, text = path.stat().st_mode, path.read_text(encoding="utf-8")
        except OSError:
            continue
        if mode & (stat.S_IRWXG | stat.S_IRWXO) and "trt_" in text:
            found = f"others can read the token in {path} (mode {stat.S_IMODE(mode):o})"
            yield Finding("secrecy", WARNING, found, f"`chmod 600 {shlex.quote(str(path))}`; then make another token.")


def live(client: Client) -> Finding:
    """Whether what follows logs gets through: a WebSocket, opened and closed."""
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    began = time.monotonic()
    headers = {"Authorization": f"Bearer {client.config.token}"}
    url = f"{client.url.replace('http', 'ws', 1)}/v1/events"
    try:
        with connect(url, additional_headers=headers, open_timeout=LIVE, close_timeout=1) as socket:
            frame = str(socket.recv(timeout=LIVE))
    except (OSError, WebSocketException) as error:
        return Finding("live", BAD, f"no WebSocket gets through: {plain(error)}", _PROXY)
    if '"hello"' not in frame:
        return Finding("live", BAD, "something else answers where logs are followed", _PROXY)
    return Finding("live", OK, f"WebSockets get through, in {(time.monotonic() - began) * 1000:.0f} ms")


def _ready(client: Client) -> Iterator[Finding]:
    import tailrace

    try:
        found = client.request("GET", "/readyz")
    except tailrace.ServerError as error:
        found = error.problem
    database, schema, redis = (found.get(name, "unknown") for name in ("database", "migrations", "redis"))
    yield Finding(
        "database",
        OK if database == "ok" else BAD,
        plain(database),
        None if database == "ok" else "PostgreSQL does not answer the API: look at it, and at TAILRACE_DATABASE_URL.",
    )
    if schema == "other":
        advice = "Run `alembic upgrade head`, or start the API of the version that the database has."
        yield Finding("schema", BAD, "of another version", advice)
    yield Finding(
        "Redis",
        OK if redis == "ok" else WARNING,
        plain(redis),
        None if redis == "ok" else "All works, a bit later: look at Redis, and at TAILRACE_REDIS_URL.",
    )


def _token(client: Client) -> Iterator[Finding]:
    import tailrace

    if client.config.token is None:
        advice = "`tailrace login`, or TAILRACE_TOKEN. `make up` keeps one in data/token."
        yield Finding("token", BAD, "none", advice)
        return
    try:
        me = client.me()
    except tailrace.TailraceError as error:
        failure = failure_of(error)
        yield Finding("token", BAD, str(error), (failure.hint if failure else None) or "Use another: `tailrace login`.")
        return
    scopes = list(me["scopes"])
    missing = [scope for scope in ("read", "submit", "cancel") if scope not in scopes and "admin" not in scopes]
    yield Finding(
        "token",
        WARNING if missing else OK,
        f"{plain(me['owner'])}: {', '.join(scopes)} (from {client.config.token_from})",
        f"It may not {' and '.join(missing)}; `tailrace token create` makes another." if missing else None,
    )
    for name, share in me["quota"].items():
        if share["limit"] and share["used"] >= NEARLY_FULL * share["limit"]:
            used, limit = (size(share[key]) if name.endswith("bytes") else share[key] for key in ("used", "limit"))
            yield Finding(f"quota {name}", WARNING, f"{used} of {limit}", "Delete something, or ask for more.")


def _workers(client: Client) -> Iterator[Finding]:
    import tailrace

    found = client.request("GET", "/v1/workers", params={"all": True})["items"]
    present = [worker for worker in found if worker["state"] in {"active", "paused", "draining"}]
    able = [
        worker
        for worker in present
        if worker["state"] == "active" and worker["engine"]["ok"] and not worker.get("message")
    ]
    slots = f"{sum(worker['busy'] for worker in able)} of {sum(worker['slots'] for worker in able)} slots busy"
    advice = None if able else "Start one (`python -m worker`), or let one take work: `tailrace worker resume`."
    yield Finding("workers", OK if able else BAD, f"{len(able)} take work, {slots}", advice)
    for worker in found:
        name = f"worker {plain(worker['host'])}/{worker['pid']}"
        engine = worker["engine"]
        if worker["state"] == "lost":
            since = rough(_age(worker["heartbeat_at"]))
            yield Finding(name, WARNING, f"nothing heard for {since}", "Look at its host and its log.")
        elif worker in present and not engine["ok"]:
            yield Finding(
                name, BAD, f"its engine: {plain(engine['message'])}", "Look at the engine on its host, and its disk."
            )
        elif worker in present and worker.get("message"):
            yield Finding(name, BAD, f"takes nothing new: {plain(worker['message'])}", "Make room on its host.")
        if worker in present and worker["version"] != tailrace.__version__:
            yield Finding(name, WARNING, f"is of version {plain(worker['version'])}", "Update it, or the others.")


def _queue(client: Client) -> Iterator[Finding]:
    for pool in client.request("GET", "/v1/pools")["items"]:
        if pool["queued"] and not pool["slots"]:
            found = f"{pool['queued']} wait, and no worker takes work from it"
            yield Finding(f"pool {plain(pool['name'])}", WARNING, found, "Start a worker with TAILRACE_POOL set to it.")
    queue = client.stats()["queue"]
    oldest = queue["oldest_seconds"] or 0.0
    state = WARNING if oldest > LONG_IN_QUEUE else OK
    found = f"{queue['queued']} queued" + (f", the first for {rough(oldest)}" if queue["queued"] else "")
    advice = (
        "`tailrace ps` says for what they wait; more slots, workers or limits may help." if state is WARNING else None
    )
    yield Finding("queue", state, found, advice)


def _age(at: str) -> float:
    from datetime import datetime, timezone

    from tailrace.cli.shown import moment

    return max(0.0, (datetime.now(timezone.utc) - moment(at)).total_seconds())


def _show(findings: list[Finding]) -> None:
    from rich.text import Text

    terminal = console()
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        mark, style = _MARKS[finding.state]
        terminal.print(Text.assemble((mark, style), f" {finding.check:{width}}  {finding.found}"))
        if finding.advice:
            terminal.print(Text(f"  {'':{width}}  → {finding.advice}", style="dim"))
