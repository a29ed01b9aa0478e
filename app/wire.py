"""How our server speaks WebSocket: what goes to many sockets is not made anew for each, and who does not read is not
answered.

Passed to uvicorn as `ws`. On any other server sockets send as usual.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

from fastapi import WebSocket, WebSocketDisconnect
from typing_extensions import override
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

Send = Callable[[bytes], Awaitable[None]]

EXTENSION = "tailrace.text"
# Up to here to copy it is less work than to write two pieces.
COPIED_BYTES = 4096
_TEXT = 0x81
_PONG = b"\x8a"


def sender(socket: WebSocket) -> Send:
    """Sends the text that these bytes are, when there is room. It raises `WebSocketDisconnect`."""
    send: Send | None = socket.scope.get("extensions", {}).get(EXTENSION, {}).get("send")
    return send or (lambda frame: socket.send_text(frame.decode()))


def head_of(size: int) -> bytes:
    """What precedes a text of so many bytes: a server masks nothing, so all sockets get the same (RFC 6455 §5.2)."""
    if size < 126:
        return struct.pack("!BB", _TEXT, size)
    if size < 2**16:
        return struct.pack("!BBH", _TEXT, 126, size)
    return struct.pack("!BBQ", _TEXT, 127, size)


class WireProtocol(WebSocketsSansIOProtocol):
    """One socket."""

    # The answer to the newest ping, as long as there is no room for it.
    _pong: bytes | None = None

    async def send_frame(self, frame: bytes) -> None:
        """Past everything that an ASGI message passes, which for a thousand sockets takes longer than to send it."""
        if not self.writable.is_set():
            await self.writable.wait()
        if self.disconnected or self.close_sent or self.transport.is_closing():
            raise WebSocketDisconnect(CloseCode.ABNORMAL_CLOSURE)
        head = head_of(len(frame))
        if len(frame) <= COPIED_BYTES:
            self.transport.write(head + frame)
        else:
            self.transport.writelines((head, frame))

    @override
    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            # Its task begins after this.
            self.scope["extensions"][EXTENSION] = {"send": self.send_frame}

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # The scope holds us as we hold it, and the garbage collector comes seldom. Without a handshake there is none.
        with suppress(AttributeError):
            del self.scope

    @override
    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
            return
        for data in self.conn.data_to_send():
            # Whoever asks and does not read would fill our memory. Only the newest needs an answer (RFC 6455 §5.5.3).
            if data.startswith(_PONG):
                self._pong = data
            else:
                # They have said goodbye as well.
                self.transport.write(data)

    @override
    def handle_cont(self, event: Frame) -> None:
        # Of empty pieces a message could have any number.
        if event.data or event.fin:
            super().handle_cont(event)

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        if self._pong is not None and not self.close_sent and not self.transport.is_closing():
            self.transport.write(self._pong)
        self._pong = None
