"""What nobody would think of sending: every answer is one that the OpenAPI document has, and none is our fault."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from socket import SHUT_WR
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from app.__main__ import WS_MAX_MESSAGE
from app.events.query import EventsQuery
from app.logs.query import TailQuery
from support.migrations import NewDatabase
from support.running import Running, installed
from support.tokens import another_user

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 3
# What a client of WebSockets may send us wrongly, by RFC 6455: no frame, no text, too much.
PROTOCOL_CODES = {1002, 1007, 1009}
# Without a word.
CUT = 1006
NAMES = sorted({*TailQuery.model_fields, *EventsQuery.model_fields, "ticket", "share", "", "a[]", "after\x00"})
ODD = [
    "",
    "0",
    "-1",
    "1e400",
    str(2**63),
    "nan",
    "(",
    "\x00",
    "٣",
    "stdout,",
    "2h",
    "0001-01-01T00:00:00+23:00",
    "=",
    "a=\ud7ff",
]
QUERY = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(ODD) | st.text(max_size=20)), max_size=4)
WRITTEN = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from(["Origin", "Cookie", "X-Request-Id", "X-Forwarded-For", "Accept-Encoding", "Last-Event-ID"]),
    WRITTEN,
)
VALID = "the token of an admin"
BEARERS = st.sampled_from([VALID, VALID, VALID, None]) | WRITTEN
MESSAGES = st.lists(st.text(max_size=50) | st.binary(max_size=50) | st.just("x" * (WS_MAX_MESSAGE + 1)), max_size=3)
SENT = MESSAGES | st.binary(min_size=1, max_size=60)

Query = list[tuple[str, str]]
Sent = list[str | bytes] | bytes


@pytest.fixture(scope="module")
async def alone(
    new_database: NewDatabase, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """An API that no worker serves: nothing that is submitted runs."""
    installation = installed(tmp_path_factory.mktemp("fuzz"), database_url=await new_database(), redis_url=redis_url)
    try:
        await installation.start("api", "app")
        await installation.until_ready()
        yield installation
    finally:
        await installation.stop_all()


@pytest.mark.slow
@pytest.mark.parametrize("admin", [True, False], ids=["admin", "user"])
async def test_no_request_is_answered_with_what_is_not_documented(
    alone: Running, tmp_path: Path, *, admin: bool
) -> None:
    caller = alone if admin else await another_user(alone, "ann")
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("st"),
        "--no-color",
        f"--config-file={CONFIG}",
        "run",
        f"{caller.url}/openapi.json",
        f"--header=Authorization: Bearer {caller.token}",
        "--phases=fuzzing,stateful",
        f"--max-examples={EXAMPLES}",
        "--continue-on-failure",
        *(["--generation-deterministic"] if "CI" in os.environ else []),
        cwd=tmp_path,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, told.decode()
    assert_nothing_is_our_fault(alone)


@pytest.mark.slow
@pytest.mark.parametrize("route", ["tail", "events"])
async def test_no_websocket_ends_for_a_reason_that_is_not_documented(alone: Running, route: str) -> None:
    execution = await alone.submit()
    document = await alone.get("/openapi.json")
    codes = {int(code) for code in document["paths"]["/v1/executions/{id}/tail"]["x-websocket"]["closeCodes"]}
    ids = st.sampled_from([execution, execution, str(uuid4()), "x", "%00"])
    paths = st.just("/v1/events") if route == "events" else ids.map("/v1/executions/{}/tail".format)

    @given(path=paths, query=QUERY, headers=HEADERS, bearer=BEARERS, sent=SENT)
    @settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
    def call(path: str, query: Query, headers: dict[str, str], bearer: str | None, sent: Sent) -> None:
        if bearer is not None:
            headers = {**headers, "Authorization": f"Bearer {alone.token if bearer == VALID else bearer}"}
        first, last = ends_of(f"{alone.url.replace('http', 'ws', 1)}{path}?{urlencode(query)}", headers, sent)
        assert first in codes | {None}
        assert last in codes | PROTOCOL_CODES | {None}

    await asyncio.to_thread(call)
    assert_nothing_is_our_fault(alone)


def ends_of(url: str, headers: dict[str, str], sent: Sent) -> tuple[int | None, int | None]:
    """The close code that came instead of a first frame, and the one that came after all that is sent."""
    with connect(url, additional_headers=headers, compression=None, proxy=None, max_size=2**24) as socket:
        try:
            socket.recv(timeout=30)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else CUT, None
        try:
            for message in sent if isinstance(sent, list) else []:
                socket.send(message)
            if isinstance(sent, bytes):
                socket.socket.sendall(sent)
            socket.socket.shutdown(SHUT_WR)
            while True:
                socket.recv(timeout=30)
        except (ConnectionClosed, OSError):
            return None, socket.protocol.close_rcvd and socket.protocol.close_rcvd.code


def assert_nothing_is_our_fault(installation: Running) -> None:
    log = installation.log.read_text()
    assert "[error" not in log
    assert "Traceback" not in log
