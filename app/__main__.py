"""`python -m app`: the API on a listening socket of our own.

`python -m app token` makes a token instead, `python -m app openapi` prints the OpenAPI document.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import signal
import socket
import sys

import structlog
import uvicorn
from fastapi import FastAPI

from app.auth.command import main as make_token
from app.auth.streaming import is_no_cut
from app.bootstrap import SchemaOutOfDate
from app.db.engine import is_outage
from app.main import create_app
from app.observability.logging import configure_logging
from app.policy.file import BadPolicy
from app.secrets.vault import BadKey
from app.settings import CANNOT_START, Settings, read_settings
from app.stalled import StallWatch
from app.wire import WireProtocol

log = structlog.get_logger(__name__)

BACKLOG = 2048
WS_PING_SECONDS = 20.0
WS_MAX_MESSAGE = 65_536
# So many new objects until garbage is looked for among them. A look at all of a thousand sockets' takes 0.1 s, and with
# Python's own 700 there are several per second.
YOUNG_OBJECTS = 50_000


def main() -> int:
    """Serve until SIGTERM or SIGINT. The exit code of the process."""
    settings = read_settings()
    configure_logging(settings.log_format)
    try:
        listener = open_listener(settings)
    except OSError as error:
        log.error("api.cannot_listen", host=settings.host, port=settings.port, error=str(error))  # noqa: TRY400
        return CANNOT_START
    log.info("api.bound", host=settings.host, port=listener.getsockname()[1])
    app = create_app(settings)
    logging.getLogger("uvicorn.error").addFilter(is_no_cut)
    config = _configure(app, settings)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        return runner.run(_serve(app, uvicorn.Server(config), listener))


async def _serve(app: FastAPI, server: uvicorn.Server, listener: socket.socket) -> int:
    app.state.is_closing = lambda: server.should_exit
    # uvicorn listens to signals while it serves, and raises them once more afterwards: they must end neither the
    # opening before nor the closing after it half-way.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    try:
        async with app.router.lifespan_context(app):
            settings: Settings = app.state.settings
            watch = StallWatch(lambda: server.server_state.connections, settings.stalled_after)
            watching = asyncio.create_task(watch.run())
            # What is there by now stays. To look for garbage in it takes a tenth of a second, and everybody waits.
            gc.freeze()
            gc.set_threshold(YOUNG_OBJECTS)
            try:
                await server.serve(sockets=[listener])
            finally:
                watching.cancel()
    except Exception as error:
        if not isinstance(error, SchemaOutOfDate | BadKey | BadPolicy) and not is_outage(error):
            raise
        log.error("api.cannot_start", error=str(error) or repr(error))  # noqa: TRY400
        return CANNOT_START
    return 0


def _configure(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",  # entered by us: a database that is away is one line in the log, not a page
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=settings.shutdown_grace,
        ws=WireProtocol,
        ws_ping_interval=WS_PING_SECONDS,
        # On a thin line a ping waits behind what was sent before it: late is not gone.
        ws_ping_timeout=None,
        ws_per_message_deflate=False,
        ws_max_size=WS_MAX_MESSAGE,
    )


def open_listener(settings: Settings) -> socket.socket:
    """The listening socket; its options pass on to every connection. Raises `OSError`.

    The kernel takes little that it cannot send yet, so that a slow peer holds up its reader and fills no memory; what
    is on its way may be as much as a long and fast line holds. See docs/adr/0013-who-takes-nothing-is-cut.md.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, settings.send_buffer)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def print_document() -> int:
    """Print what is served as `/openapi.json`, without any server. The exit code of the process."""
    print(json.dumps(create_app(Settings()).openapi()))  # noqa: T201
    return 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["token", *arguments]:
            sys.exit(make_token(arguments))
        case ["openapi"]:
            sys.exit(print_document())
        case _:
            sys.exit(main())
