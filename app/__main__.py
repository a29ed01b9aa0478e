"""`python -m app`: the API on a listening socket of our own."""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

import structlog
import uvicorn

from app.main import create_app
from app.observability.logging import configure_logging
from app.settings import Settings

log = structlog.get_logger(__name__)

BACKLOG = 2048
WS_PING_SECONDS = 20.0
WS_MAX_MESSAGE = 65_536
CANNOT_START = 3


def main() -> int:
    """Serve until SIGTERM or SIGINT. The exit code of the process."""
    settings = Settings()
    configure_logging(settings.log_format)
    try:
        listener = open_listener(settings)
    except OSError as error:
        log.error("api.cannot_listen", host=settings.host, port=settings.port, error=str(error))  # noqa: TRY400
        return CANNOT_START
    log.info("api.bound", host=settings.host, port=listener.getsockname()[1])
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=settings.shutdown_grace,
            ws="websockets-sansio",
            ws_ping_interval=WS_PING_SECONDS,
            ws_per_message_deflate=False,
            ws_max_size=WS_MAX_MESSAGE,
        ),
    )
    app.state.is_closing = lambda: server.should_exit
    with suppress(KeyboardInterrupt):  # uvicorn raises SIGINT again after a clean stop
        server.run(sockets=[listener])
    return 0 if server.started else CANNOT_START


def open_listener(settings: Settings) -> socket.socket:
    """The listening socket; its options pass on to every connection. Raises `OSError`.

    A peer that stopped reading is the kernel's to cut: while its buffers are full no ping of ours gets through.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.send_buffer)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, settings.stalled_after * 1000)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


if __name__ == "__main__":
    sys.exit(main())
