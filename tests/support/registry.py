"""Registries that live in a test, and images at the edge of being there."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from aiohttp import web

from stack.engine import ensure_engine

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
MISSING = "sha256:" + "0" * 64
REFUSALS: dict[str, tuple[int, str, str]] = {
    "unknown": (404, "MANIFEST_UNKNOWN", "manifest unknown"),
    "nameless": (404, "NAME_UNKNOWN", "repository name not known to registry"),
    "denied": (403, "DENIED", "requested access to the resource is denied"),
    "private": (401, "UNAUTHORIZED", "authentication required"),
    "limited": (429, "TOOMANYREQUESTS", "you have reached your pull rate limit"),
    "broken": (500, "UNKNOWN", "unknown error"),
    "busy": (503, "UNAVAILABLE", "service unavailable"),
}


def _layer(name: str, size: int = 0) -> bytes:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = size
        archive.addfile(entry, io.BytesIO(os.urandom(size)))
    return layer.getvalue()


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Registry:
    """Serves one image as `whole`, one of several layers as `layered`, one without its parts as `hollow`, one for other
    machines as `foreign`. Nothing is answered while the `gate` is closed, and the last layer not while `last_gate` is.
    """

    host: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    last_gate: asyncio.Event = field(default_factory=asyncio.Event)
    last_layer: str = ""

    def __post_init__(self) -> None:
        self.gate.set()
        self.last_gate.set()
        self._image("whole", [_layer("empty")])
        # Others than anybody ever pulled: what an engine has it does not ask for.
        layers = [_layer(f"{uuid4()}", size) for size in (10_000, 20_000, 3 * 2**20)]
        self._image("layered", layers)
        self.last_layer = digest_of(layers[-1])
        hollow = {"mediaType": CONFIG, "size": 2, "digest": MISSING}
        self._manifest("hollow", MANIFEST, {"config": hollow, "layers": []})
        foreign = {"mediaType": MANIFEST, "size": 2, "digest": MISSING}
        platform = {"platform": {"architecture": "s390x", "os": "linux"}}
        self._manifest("foreign", MANIFEST_LIST, {"manifests": [foreign | platform]})

    def _image(self, name: str, layers: list[bytes]) -> None:
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/bin", "A=b=c"], "Cmd": ["/empty"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        }
        parts = [self._blob(CONFIG, json.dumps(config).encode()), *(self._blob(LAYER, layer) for layer in layers)]
        self._manifest(name, MANIFEST, {"config": parts[0], "layers": parts[1:]})

    def _blob(self, kind: str, data: bytes) -> dict[str, Any]:
        self.blobs[digest_of(data)] = data
        return {"mediaType": kind, "size": len(data), "digest": digest_of(data)}

    def _manifest(self, name: str, kind: str, body: dict[str, Any]) -> None:
        self.manifests[name] = kind, json.dumps({"schemaVersion": 2, "mediaType": kind} | body).encode()

    def digest(self, name: str) -> str:
        return digest_of(self.manifests[name][1])

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/v2/":
            return web.json_response({})
        _, _, name, kind, what = request.path.split("/")
        self.asked.append(f"{request.method} {name} {kind}")
        if name == "dropped" and request.transport:
            request.transport.abort()
        if refusal := REFUSALS.get(name.removeprefix("bare-")):
            status, code, message = refusal
            # The engine shortens a usual message without details to its code, and answers 500 instead of 404.
            detail = {} if name.startswith("bare-") else {"detail": {}}
            return web.json_response({"errors": [{"code": code, "message": message} | detail]}, status=status)
        await self.gate.wait()
        if what == self.last_layer:
            await self.last_gate.wait()
        return self._serve(name, kind, what)

    def _serve(self, name: str, kind: str, what: str) -> web.Response:
        if kind == "manifests" and name in self.manifests:
            media, data = self.manifests[name]
            if what in ("1", "latest", digest_of(data)):
                headers = {"Content-Type": media, "Docker-Content-Digest": digest_of(data)}
                return web.Response(body=data, headers=headers)
        if kind == "blobs" and what in self.blobs:
            return web.Response(body=self.blobs[what])
        return web.json_response({"errors": [{"code": f"{kind[:-1].upper()}_UNKNOWN", "message": "?"}]}, status=404)


@asynccontextmanager
async def serving() -> AsyncIterator[Registry]:
    """A registry, for as long as the block lasts."""
    made = Registry()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.host = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        made.gate.set()
        made.last_gate.set()
        await runner.cleanup()
        _remove_images(made.host)


def _remove_images(host: str) -> None:
    """What was pulled from there."""
    with ensure_engine().client() as client:
        listed = client.get("/images/json", params={"filters": json.dumps({"reference": [f"{host}/*"]})}).json()
        for image in listed:
            for name in [*(image["RepoTags"] or ()), *(image["RepoDigests"] or ())]:
                client.delete(f"/images/{name}", params={"force": "1"})


@asynccontextmanager
async def silent_registry() -> AsyncIterator[str]:
    """A registry that takes every connection and never says a word; its address."""
    waiting: set[asyncio.StreamWriter] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting.add(writer)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for writer in waiting:
            writer.transport.abort()


@asynccontextmanager
async def tagged(name: str) -> AsyncIterator[None]:
    """`busybox:local` under another name too."""
    repository, _, tag = name.rpartition(":")
    with ensure_engine().client() as client:
        made = client.post("/images/busybox:local/tag", params={"repo": repository, "tag": tag})
        assert made.status_code == httpx.codes.CREATED, made.text
        try:
            yield
        finally:
            client.delete(f"/images/{name}")
