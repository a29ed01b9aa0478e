"""The base images `busybox:local` and `python:local`: pulled where a registry answers, else made of Debian packages."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from stack.engine import Engine, Say, ensure_engine
from stack.errors import ImageUnavailable, StackError
from stack.packages import ensure_program, source_files, system_codename, unpack_package
from stack.programs import search_path

REGISTRY_SECONDS = 5.0
# An engine that pulls says something all the time; one that imports says nothing until it is done.
PULL_SILENCE = 60.0
IMPORT_SILENCE = 300.0
PIECE_BYTES = 1024 * 1024
QUOTED_LINES = 8
SEARCH_PATH = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUP = b"root:x:0:\nnogroup:x:65534:\n"
# Nothing that a program reads, and a quarter of the image.
LEFT_OUT = ("doc", "man", "info", "locale", "lintian", "i18n")


@dataclass(frozen=True, slots=True)
class BaseImage:
    """An image that the examples and the tests run on."""

    name: str
    pulled_from: str
    make: Callable[[Path], Path]
    making: str
    changes: tuple[str, ...]

    @property
    def tag(self) -> str:
        """The name under which executions refer to it."""
        return f"{self.name}:local"


def ensure_images(engine: Engine | None = None, *, say: Say = print) -> None:
    """Make sure that the base images are there; what is there already is kept as it is.

    Raises `ImageUnavailable` when one can be neither pulled nor made, and what `ensure_engine` raises.
    """
    engine = engine or ensure_engine(say=say)
    with engine.client() as client:
        missing = [image for image in IMAGES if not has_image(client, image.tag)]
        if not missing:
            return
        can_pull = _registry_answers(client, missing[0].pulled_from)
        for image in missing:
            if not (can_pull and _pulled(client, image, say)):
                _make(client, image, say)


def has_image(client: httpx.Client, tag: str) -> bool:
    """Whether the engine has an image."""
    return client.get(f"/images/{tag}/json").is_success


def build_image(
    client: httpx.Client, tag: str, files: Mapping[str, bytes], *, arguments: Mapping[str, str] | None = None
) -> None:
    """Build an image from a few files, one of them its `Dockerfile`. Raises `ImageUnavailable`."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, content in files.items():
            # Without times and owners the same files are the same layers, and the engine's cache knows them.
            _add_file(archive, name, content, 0o644)
    query = {"t": tag, "forcerm": "1", "buildargs": json.dumps(arguments or {})}
    _post(client, "/build", query, silence=IMPORT_SILENCE, content=context.getvalue())


def _registry_answers(client: httpx.Client, reference: str) -> bool:
    """One short question for all images: without a registry nobody wants to wait once per image."""
    try:
        return client.get(f"/distribution/{reference}/json", timeout=REGISTRY_SECONDS).is_success
    except httpx.TransportError:
        return False


def _pulled(client: httpx.Client, image: BaseImage, say: Say) -> bool:
    name, _, version = image.pulled_from.rpartition(":")
    say(f"{image.tag}: pulling {image.pulled_from}")
    try:
        _post(client, "/images/create", {"fromImage": name, "tag": version}, silence=PULL_SILENCE)
    except ImageUnavailable as error:
        say(f"{image.tag}: {error}")
        return False
    client.post(f"/images/{image.pulled_from}/tag", params={"repo": image.name, "tag": "local"}).raise_for_status()
    return True


def _make(client: httpx.Client, image: BaseImage, say: Say) -> None:
    say(f"{image.tag}: no registry answers, making it of Debian packages ({image.making})")
    with tempfile.TemporaryDirectory(prefix="tailrace-image-") as directory:
        try:
            root = image.make(Path(directory))
        except StackError as error:
            raise ImageUnavailable(f"{image.tag} can be neither pulled nor made here. {error}") from error
        query = [("fromSrc", "-"), ("repo", image.name), ("tag", "local"), *(("changes", c) for c in image.changes)]
        _post(client, "/images/create", query, silence=IMPORT_SILENCE, content=_pieces(root))


def _post(
    client: httpx.Client,
    path: str,
    query: Mapping[str, str] | Sequence[tuple[str, str]],
    *,
    silence: float,
    content: bytes | Iterator[bytes] = b"",
) -> None:
    """A call that the engine answers with a stream of messages; the last may say, after a 200, that it failed."""
    parameters = httpx.QueryParams(dict(query) if isinstance(query, Mapping) else list(query))
    headers = {"Content-Type": "application/x-tar"}
    try:
        with client.stream(
            "POST", path, params=parameters, headers=headers, content=content, timeout=silence
        ) as answer:
            for line in answer.iter_lines():
                message = json.loads(line) if line.startswith("{") else {}
                if "error" in message or not answer.is_success:
                    raise ImageUnavailable(message.get("error") or message.get("message") or line)
    except httpx.TransportError as error:
        raise ImageUnavailable(f"The engine did not answer: {error!r}") from error


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _make_busybox(directory: Path) -> Path:
    """One static program under three hundred names."""
    unpack_package("busybox-static", directory)
    busybox = directory / "bin" / "busybox"
    if not busybox.exists():
        busybox = directory / "usr" / "bin" / "busybox"
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    root = directory / "root.tar"
    with tarfile.open(root, "w") as archive:
        for name, mode in {"bin": 0o755, "etc": 0o755, "root": 0o700, "tmp": 0o1777, "usr/bin": 0o755}.items():
            archive.addfile(_entry(name, tarfile.DIRTYPE, mode))
        _add_file(archive, "bin/busybox", busybox.read_bytes(), 0o755)
        for applet in applets:
            if applet != "busybox":
                archive.addfile(_entry(f"bin/{applet}", tarfile.SYMTYPE, 0o777, target="busybox"))
        archive.addfile(_entry("usr/bin/env", tarfile.SYMTYPE, 0o777, target="../../bin/env"))
        _add_file(archive, "etc/passwd", PASSWD, 0o644)
        _add_file(archive, "etc/group", GROUP, 0o644)
    return root


def _entry(name: str, kind: bytes, mode: int, *, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname = kind, mode, target
    return entry


def _add_file(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = _entry(name, tarfile.REGTYPE, mode)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _make_python(directory: Path) -> Path:
    """A small Debian of the release that runs here, with its Python."""
    root = directory / "root.tar"
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
    link = '--customize-hook=ln --symbolic python3 "$1/usr/bin/python"'
    command = [ensure_program("mmdebstrap"), "--variant=apt", "--include=python3", *left_out, link]
    command += [system_codename(), str(root), *source_files()]
    environment = {**os.environ, "PATH": search_path(), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError("mmdebstrap failed:\n" + "\n".join(done.stderr.strip().splitlines()[-QUOTED_LINES:]))
    return root


IMAGES = (
    BaseImage(
        name="busybox",
        pulled_from="busybox:stable",
        make=_make_busybox,
        making="a second",
        changes=(SEARCH_PATH, 'CMD ["sh"]'),
    ),
    BaseImage(
        name="python",
        pulled_from="python:3.11-slim",
        make=_make_python,
        making="half a minute",
        changes=(SEARCH_PATH, "ENV LANG=C.UTF-8", 'CMD ["python3"]'),
    ),
)
