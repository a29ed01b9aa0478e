"""A server on this host that notes what it is sent and answers as it is told: receivers of webhooks, hosts of files."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Act = Callable[[Received], Awaitable[web.StreamResponse]]


async def _ok(_: Received) -> web.StreamResponse:
    return web.Response(status=204)


@dataclass
class Receiver:
    """`received` is all that came; `act` answers, and `hang` holds every answer back until `go_on` is set."""

    url: str = ""
    act: Act = _ok
    received: list[Received] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.go_on.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        received = Received(request.method, request.path_qs, request.headers, await request.read())
        self.received.append(received)
        await self.go_on.wait()
        return await self.act(received)

    def hang(self) -> None:
        self.go_on.clear()

    def answer(self, status: int, body: str = "", **headers: str) -> None:
        """The same to everybody from now on."""

        async def act(_: Received) -> web.StreamResponse:
            return web.Response(status=status, text=body, headers=headers)

        self.act = act


@asynccontextmanager
async def receiving(host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver at a port of its own; those that it lets hang are dropped at the end."""
    receiver = Receiver()
    application = web.Application(client_max_size=2**26)
    application.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield receiver
    finally:
        receiver.go_on.set()
        await runner.cleanup()


def certify(directory: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server shows that says that it is `name`, and what a client trusts that believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = directory / f"{name}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(path)
    return serving, ssl.create_default_context(cadata=certificate.public_bytes(Encoding.PEM).decode())
