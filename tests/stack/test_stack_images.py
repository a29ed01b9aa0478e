import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from stack.engine import Engine
from stack.errors import ImageUnavailable
from stack.images import IMAGES, _make, _pulled, build_image, ensure_images, has_image
from stack.packages import unpack_package

BUSYBOX, PYTHON = IMAGES


@pytest.fixture
def client(engine: Engine) -> Iterator[httpx.Client]:
    with engine.client() as client:
        yield client


@pytest.fixture
def scratch(client: httpx.Client) -> Iterator[str]:
    """The name of an image that is removed afterwards."""
    name = f"tailrace-test-{uuid.uuid4().hex}"
    yield name
    client.delete(f"/images/{name}:local", params={"force": "1"})


def output_of(client: httpx.Client, image: str, *command: str) -> str:
    """What a container of the image prints; it must end with 0."""
    body = {
        "Image": image,
        "Cmd": command,
        "Tty": True,
        "HostConfig": {"NetworkMode": "none"},
    }
    container = client.post("/containers/create", json=body).raise_for_status().json()["Id"]
    try:
        client.post(f"/containers/{container}/start").raise_for_status()
        status = client.post(f"/containers/{container}/wait").json()["StatusCode"]
        text = client.get(f"/containers/{container}/logs", params={"stdout": 1, "stderr": 1}).text
        assert status == 0, text
        return text.strip()
    finally:
        client.delete(f"/containers/{container}", params={"force": "1"})


def id_of(client: httpx.Client, tag: str) -> str:
    return str(client.get(f"/images/{tag}/json").raise_for_status().json()["Id"])


def test_the_base_images_are_there_and_stay_as_they_are(engine: Engine, client: httpx.Client) -> None:
    ensure_images(engine)
    before = [id_of(client, image.tag) for image in IMAGES]
    said: list[str] = []
    ensure_images(engine, say=said.append)
    assert [id_of(client, image.tag) for image in IMAGES] == before
    assert said == []


@pytest.mark.parametrize("program", ["python", "python3"])
def test_python_is_called_by_either_name(engine: Engine, client: httpx.Client, program: str) -> None:
    ensure_images(engine)
    script = "import csv, json, sqlite3, ssl, sys; print(sys.version_info >= (3, 10))"
    assert output_of(client, "python:local", program, "-c", script) == "True"


def test_busybox_is_made_of_a_package(client: httpx.Client, scratch: str) -> None:
    _make(client, replace(BUSYBOX, name=scratch), print)
    script = "id -un; stat -c %a /tmp; echo a | /usr/bin/env tr a b; echo $PATH | cut -d: -f1"
    assert output_of(client, f"{scratch}:local", "sh", "-c", script).split() == ["root", "1777", "b", "/usr/local/sbin"]


@pytest.mark.slow
def test_python_is_made_of_packages(client: httpx.Client, scratch: str) -> None:
    _make(client, replace(PYTHON, name=scratch), print)
    assert output_of(client, f"{scratch}:local", "python", "-c", "print(6 * 7)") == "42"


def test_a_pull_that_fails_is_told_and_is_no_end(client: httpx.Client) -> None:
    said: list[str] = []
    nowhere = replace(BUSYBOX, pulled_from="127.0.0.1:1/nowhere/busybox:stable")
    assert not _pulled(client, nowhere, said.append)
    assert "pulling 127.0.0.1:1/nowhere/busybox:stable" in said[0]
    assert "refused" in said[1]


def test_what_can_be_neither_pulled_nor_made_is_named(client: httpx.Client) -> None:
    with pytest.raises(ImageUnavailable, match="missing:local can be neither pulled nor made"):
        _make(client, replace(BUSYBOX, name="missing", make=_make_of_nothing), print)


def _make_of_nothing(directory: Path) -> Path:
    unpack_package("no-such-package-of-tailrace", directory)
    return directory


def test_an_image_is_built_of_files_and_kept_by_the_cache(engine: Engine, client: httpx.Client, scratch: str) -> None:
    ensure_images(engine)
    tag = f"{scratch}:local"
    files = {"Dockerfile": b"ARG BASE\nFROM ${BASE}\nCOPY . /here\n", "deep/greeting": b"hello\n"}
    build_image(client, tag, files, arguments={"BASE": "busybox:local"})
    first = id_of(client, tag)
    assert output_of(client, tag, "cat", "/here/deep/greeting") == "hello"
    build_image(client, tag, files, arguments={"BASE": "busybox:local"})
    assert id_of(client, tag) == first


def test_a_build_that_fails_says_why(client: httpx.Client, scratch: str) -> None:
    with pytest.raises(ImageUnavailable, match="nowhere"):
        build_image(client, f"{scratch}:local", {"Dockerfile": b"FROM busybox:local\nCOPY nowhere /\n"})
    assert not has_image(client, f"{scratch}:local")
