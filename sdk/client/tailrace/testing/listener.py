"""A loopback server: HTTP by the standard library, WebSockets by the library that the client has anyway."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Event, Lock, Thread
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

from typing_extensions import override
from websockets.http11 import Request as Handshake
from websockets.protocol import State
from websockets.server import ServerProtocol

JSON = "application/json"
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Request:
    """What a client asks for."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = b""

    def said(self, name: str, default: str = "") -> str:
        """A parameter, the last of several."""
        return self.query.get(name, [default])[-1]


@dataclass(frozen=True)
class Answer:
    """What it gets. Without a status the connection breaks off instead."""

    status: int | None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Any, status: int = 200, media_type: str = JSON, **headers: str) -> Answer:
        """Of JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = json.dumps(document, ensure_ascii=False, default=str).encode()
        return cls(status, body, {"Content-Type": media_type, **named})


@dataclass(frozen=True)
class Close:
    """The end of a WebSocket."""

    code: int
    reason: str = ""


Frames = Iterator["Mapping[str, Any] | Close"]


class Listener:
    """Serves at a free port of 127.0.0.1, each connection in a thread of its own, until it is closed.

    `follow` is given a request and what says whether the client has gone.
    """

    def __init__(
        self, answer: Callable[[Request], Answer], follow: Callable[[Request, Callable[[], bool]], Answer | Frames]
    ) -> None:
        self.answer = answer
        self.follow = follow
        self._closed = False
        self._open: dict[socket.socket, Thread] = {}
        self._tails: set[socket.socket] = set()
        self._lock = Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address: tuple[str, int] = self._socket.getsockname()
        self._thread = Thread(target=self._accept, name="tailrace testing", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            thread = Thread(target=self._serve, args=[connection], name="tailrace connection", daemon=True)
            with self._lock:
                if self._closed:
                    connection.close()
                    return
                self._open[connection] = thread
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            # Clients go as they like.
            with suppress(OSError):
                _Connection(connection, self.address, cast("Any", self))
        finally:
            with self._lock:
                self._open.pop(connection, None)
                self._tails.discard(connection)
            connection.close()

    def tails(self, connection: socket.socket) -> None:
        """Somebody follows a log here."""
        with self._lock:
            self._tails.add(connection)

    def cut_tails(self) -> int:
        """Break the connections of all who follow a log; how many that were."""
        with self._lock:
            cut = list(self._tails)
            self._tails.clear()
        for connection in cut:
            _break(connection)
        return len(cut)

    def close(self) -> None:
        """Break all connections, and wait for their threads."""
        with self._lock:
            self._closed = True
            still = list(self._open.items())
        for connection, _ in still:
            _break(connection)
        # Whoever waits for a connection notices nothing else on all systems.
        with suppress(OSError):
            socket.create_connection(self.address, timeout=1).close()
        self._thread.join(timeout=5)
        self._socket.close()
        for _, thread in still:
            thread.join(timeout=5)


def _break(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Connection(BaseHTTPRequestHandler):
    """One connection, with one request after another."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _any(self) -> None:
        listener = cast("Listener", self.server)
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        # Of a body in pieces nothing is read: what is sent so is not in the fake.
        self.close_connection = self.close_connection or "Transfer-Encoding" in self.headers
        request = Request(
            self.command,
            unquote(parts.path),
            parse_qs(parts.query, keep_blank_values=True),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length) if length else b"",
        )
        if request.headers.get("upgrade", "").lower() == "websocket":
            self._follow(listener, request)
        else:
            self._send(listener.answer(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815  the library's names

    def _send(self, answer: Answer) -> None:
        if answer.status is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status not in {204, 304}:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _follow(self, listener: Listener, request: Request) -> None:
        self.close_connection = True
        gone = Event()
        frames = listener.follow(request, gone.is_set)
        if isinstance(frames, Answer):
            self._send(frames)
            return
        listener.tails(self.connection)
        lines = [self.requestline, *(f"{name}: {value}" for name, value in self.headers.items()), "", ""]
        _WebSocket(self.connection, "\r\n".join(lines).encode("latin-1"), gone).run(frames)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests have their own."""


class _WebSocket:
    """Frames to one client, and answers to its pings."""

    def __init__(self, connection: socket.socket, head: bytes, gone: Event) -> None:
        self._connection = connection
        self._gone = gone
        self._lock = Lock()
        self._protocol = ServerProtocol()
        self._protocol.receive_data(head)
        (handshake,) = self._protocol.events_received()
        assert isinstance(handshake, Handshake)  # noqa: S101  nothing else comes first
        self._protocol.send_response(self._protocol.accept(handshake))
        self._flush()

    def run(self, frames: Frames) -> None:
        """Send all of them, unless the client goes."""
        reader = Thread(target=self._read, name="tailrace websocket", daemon=True)
        reader.start()
        try:
            for frame in frames:
                with self._lock:
                    if self._protocol.state is not State.OPEN:
                        break
                    if isinstance(frame, Close):
                        self._protocol.send_close(frame.code, frame.reason)
                    else:
                        self._protocol.send_text(json.dumps(frame, ensure_ascii=False).encode())
                    self._flush()
            # Its answer to the close, if there was one.
            reader.join(timeout=1)
        finally:
            _break(self._connection)
            reader.join(timeout=5)

    def _read(self) -> None:
        with suppress(OSError):
            while data := self._connection.recv(_PIECE):
                with self._lock:
                    self._protocol.receive_data(data)
                    self._protocol.events_received()
                    self._flush()
                    if self._protocol.close_rcvd is not None:
                        break
        self._gone.set()

    def _flush(self) -> None:
        # An empty piece stands for the end, which closing the socket says.
        self._connection.sendall(b"".join(self._protocol.data_to_send()))
