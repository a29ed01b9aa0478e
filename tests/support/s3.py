"""A server on this host that speaks S3: moto's, with a bucket that is empty at first."""

from __future__ import annotations

import os
import threading
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from stack.ports import free_port

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "kept", "AWS_SECRET_ACCESS_KEY": "safe"}
BUCKET = "tailrace"


@dataclass
class S3:
    """It may be away for a while: what it has stays."""

    port: int
    server: Any = None
    _thread: threading.Thread | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def setting(self, prefix: str) -> str:
        """What TAILRACE_STORE says of it."""
        return f"s3://{BUCKET}/{prefix}?endpoint={self.endpoint}"

    def start(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415 - takes a second
            from werkzeug.serving import make_server  # noqa: PLC0415 - the same

            application = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", self.port, application, threaded=True)
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def ask(self, method: str, path: str = "", content: bytes | None = None) -> bytes:
        """As one of its users."""
        request = urllib.request.Request(f"{self.endpoint}/{BUCKET}{path}", method=method, data=content)  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
            body: bytes = answer.read()
        return body


@contextmanager
def serving_s3() -> Iterator[S3]:
    """One with its bucket; its credentials are in the environment meanwhile, where the store looks for them."""
    server = S3(free_port("127.0.0.1"))
    before = {name: os.environ.get(name) for name in CREDENTIALS}
    os.environ.update(CREDENTIALS)
    server.start()
    try:
        server.ask("PUT")
        yield server
    finally:
        server.stop()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
