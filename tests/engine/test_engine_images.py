"""Images on a real engine, pulled from a registry that lives in the test."""

import asyncio
import hashlib
import io
import json
import tarfile
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from harbour import IMAGE, Harbour

from support.eventually import eventually
from worker.engine.docker import DockerRuntime
from worker.engine.port import EngineError, ImageNotFound, ImagePullFailed

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


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Registry:
    """Serves one image as `whole`, one without its parts as `hollow`, one for other machines as `foreign`."""

    host: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("empty"))
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/bin", "A=b=c"], "Cmd": ["/empty"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer.getvalue())]},
        }
        parts = [self._blob(CONFIG, json.dumps(config).encode()), self._blob(LAYER, layer.getvalue())]
        self._manifest("whole", MANIFEST, {"config": parts[0], "layers": parts[1:]})
        hollow = {"mediaType": CONFIG, "size": 2, "digest": MISSING}
        self._manifest("hollow", MANIFEST, {"config": hollow, "layers": []})
        foreign = {"mediaType": MANIFEST, "size": 2, "digest": MISSING}
        platform = {"platform": {"architecture": "s390x", "os": "linux"}}
        self._manifest("foreign", MANIFEST_LIST, {"manifests": [foreign | platform]})

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


@pytest.fixture
async def registry(engine: DockerRuntime) -> AsyncIterator[Registry]:
    made = Registry()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.host = f"127.0.0.1:{runner.addresses[0][1]}"
    yield made
    for name in (f"{made.host}/whole:1", f"{made.host}/whole:latest", f"{made.host}/whole@{made.digest('whole')}"):
        with suppress(EngineError):
            await engine._http.call("DELETE", f"/images/{name}")
    await runner.cleanup()


async def test_an_image_is_found_by_name_and_by_id(engine: DockerRuntime) -> None:
    by_name = await engine.find_image(IMAGE)
    assert by_name is not None
    assert by_name.id.startswith("sha256:")
    assert by_name.digest is None
    assert await engine.find_image(by_name.id) == by_name


async def test_a_container_can_be_made_from_an_image_id(harbour: Harbour) -> None:
    image = await harbour.engine.find_image(IMAGE)
    assert image is not None
    ended = await harbour.run("echo", "hi", image=image.id)
    assert ended.out == b"hi\n"


async def test_the_beginning_of_an_id_is_no_name(harbour: Harbour) -> None:
    image = await harbour.engine.find_image(IMAGE)
    assert image is not None
    beginning = image.id.removeprefix("sha256:")[:12]
    assert await harbour.engine.find_image(beginning) is None
    with pytest.raises(ImageNotFound):
        await harbour.engine.create(harbour.spec("true", image=beginning))


@pytest.mark.parametrize("name", ["tailrace/nothing:1", "Not A Name", "../../info", "busybox:local?x=1", ""])
async def test_what_is_not_here_is_not_found(engine: DockerRuntime, name: str) -> None:
    assert await engine.find_image(name) is None


async def test_a_pulled_image_has_its_registry_s_digest(engine: DockerRuntime, registry: Registry) -> None:
    name = f"{registry.host}/whole:1"
    assert await engine.find_image(name) is None
    await engine.pull_image(name)
    image = await engine.find_image(name)
    assert image is not None
    assert image.digest == registry.digest("whole")
    assert image.env == {"PATH": "/bin", "A": "b=c"}
    assert image.has_command


async def test_an_image_is_pulled_by_digest(engine: DockerRuntime, registry: Registry) -> None:
    name = f"{registry.host}/whole@{registry.digest('whole')}"
    await engine.pull_image(name)
    image = await engine.find_image(name)
    assert image is not None
    assert image.digest == registry.digest("whole")


async def test_without_a_tag_the_latest_is_pulled_and_nothing_else(engine: DockerRuntime, registry: Registry) -> None:
    await engine.pull_image(f"{registry.host}/whole")
    assert await engine.find_image(f"{registry.host}/whole:latest") is not None
    assert await engine.find_image(f"{registry.host}/whole:1") is None


async def test_one_pull_serves_everyone_who_wants_the_image(engine: DockerRuntime, registry: Registry) -> None:
    registry.gate.clear()
    pulls = [asyncio.create_task(engine.pull_image(f"{registry.host}/whole:1")) for _ in range(5)]
    await eventually(lambda: registry.asked)
    registry.gate.set()
    await asyncio.gather(*pulls)
    assert registry.asked.count("HEAD whole manifests") == 1


async def test_a_pull_that_nobody_waits_for_any_more_ends(engine: DockerRuntime, registry: Registry) -> None:
    registry.gate.clear()
    pull = asyncio.create_task(engine.pull_image(f"{registry.host}/whole:1"))
    await eventually(lambda: registry.asked)
    pull.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pull
    registry.gate.set()
    await engine.pull_image(f"{registry.host}/whole:1")
    assert await engine.find_image(f"{registry.host}/whole:1") is not None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("unknown", ImageNotFound),
        ("nameless", ImageNotFound),
        ("denied", ImageNotFound),
        ("private", ImageNotFound),
        ("bare-unknown", ImageNotFound),
        ("bare-nameless", ImageNotFound),
        ("bare-denied", ImageNotFound),
        ("bare-private", ImageNotFound),
        ("whole:2", ImageNotFound),
        (f"whole@{MISSING}", ImageNotFound),
        ("foreign:1", ImageNotFound),
        ("Not A Name", ImageNotFound),
        ("limited", ImagePullFailed),
        ("bare-limited", ImagePullFailed),
        ("broken", ImagePullFailed),
        ("busy", ImagePullFailed),
        ("dropped", ImagePullFailed),
        ("hollow:1", ImagePullFailed),
    ],
)
async def test_a_missing_image_is_told_from_a_registry_in_trouble(
    engine: DockerRuntime, registry: Registry, name: str, kind: type[EngineError]
) -> None:
    with pytest.raises(EngineError, match=name.partition("@")[0].partition(":")[0]) as failure:
        await engine.pull_image(f"{registry.host}/{name}")
    assert type(failure.value) is kind


async def test_a_registry_that_is_not_there_fails_the_pull(engine: DockerRuntime) -> None:
    with pytest.raises(ImagePullFailed, match="connection refused"):
        await engine.pull_image("127.0.0.1:1/app:1")


async def test_an_image_id_cannot_be_pulled(engine: DockerRuntime) -> None:
    with pytest.raises(ImageNotFound, match="the id of an image"):
        await engine.pull_image(MISSING)
