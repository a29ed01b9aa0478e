"""The compose file as a compose tool reads it: what it publishes, mounts and demands. Nothing is started here."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app.settings import Settings
from stack.engine import ensure_engine
from stack.errors import StackError
from stack.packages import ensure_program
from stack.programs import ROOT, search_path

FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
EXAMPLE = ROOT / "compose" / "env.example"
SECRETS = {
    name: f"{name.lower()}-value" for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "TAILRACE_BOOTSTRAP_TOKEN")
}
SOCKET = "/var/run/docker.sock"
IMAGE_USER = "10001:10001"

Json = dict[str, Any]


class Compose:
    """A compose tool, with nothing of our own environment in what it reads."""

    def __init__(self, command: list[str], directory: Path) -> None:
        self._command = command
        self._directory = directory

    def run(self, *arguments: str, variables: dict[str, str], files: tuple[Path, ...] = (FILE,)) -> Any:
        env_file = self._directory / "env"
        env_file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        named = [part for file in files for part in ("--file", str(file))]
        command = [*self._command, *named, "--env-file", str(env_file), "--project-name", "tailrace-test", *arguments]
        environment = {"PATH": search_path(), "HOME": str(self._directory), "DOCKER_BUILDKIT": "0", "LC_ALL": "C.UTF-8"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def read(self, **variables: str) -> Json:
        """The whole file, as the tool understands it."""
        read = self.run("config", variables={**SECRETS, **variables})
        assert read.returncode == 0, read.stderr
        document: Json = yaml.safe_load(read.stdout)
        return document


@pytest.fixture(scope="session")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Compose:
    """Compose v2 if it is here, else Debian's docker-compose, installed if we may."""
    return Compose(_find_compose(), tmp_path_factory.mktemp("compose"))


def _find_compose() -> list[str]:
    docker = shutil.which("docker", path=search_path())
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
        return [docker, "compose"]
    try:
        return [ensure_program("docker-compose")]
    except StackError as error:
        pytest.skip(f"there is neither `docker compose` nor `docker-compose`: {error}")


@pytest.fixture(scope="session")
def document(compose: Compose) -> Json:
    return compose.read()


@pytest.fixture(scope="session")
def services(document: Json) -> dict[str, Json]:
    found: dict[str, Json] = document["services"]
    return found


def ports_of(service: Json) -> list[str]:
    """As `host:published:target`; the tools write them in two ways."""
    return [_port(port) for port in service.get("ports", [])]


def _port(port: str | Json) -> str:
    if isinstance(port, str):
        return port.removesuffix("/tcp")
    return f"{port.get('host_ip')}:{port['published']}:{port['target']}"


def mounts_of(service: Json) -> dict[str, tuple[str, bool]]:
    """Target → source, and whether it can be written."""
    mounts: dict[str, tuple[str, bool]] = {}
    for mount in service.get("volumes", []):
        if isinstance(mount, str):
            source, target, mode = mount.split(":")
            mounts[target] = (source, mode != "ro")
        else:
            mounts[mount["target"]] = (mount["source"], not mount.get("read_only", False))
    return mounts


def test_the_services_are_those_that_the_manual_names(services: dict[str, Json]) -> None:
    assert set(services) == {"postgres", "redis", "migrate", "api", "worker"}


def test_only_the_api_has_a_port_and_only_on_the_loopback_address(services: dict[str, Json]) -> None:
    assert {name: ports_of(service) for name, service in services.items() if ports_of(service)} == {
        "api": ["127.0.0.1:8700:8700"]
    }


def test_the_published_port_can_be_chosen(compose: Compose) -> None:
    assert ports_of(compose.read(TAILRACE_PORT="9000")["services"]["api"]) == ["127.0.0.1:9000:8700"]


def test_only_who_is_called_or_calls_has_a_way_out(document: Json, services: dict[str, Json]) -> None:
    """The API is called; a worker calls webhooks, and fetches files."""
    assert document["networks"]["inside"]["internal"] is True
    assert {name for name, service in services.items() if set(service["networks"]) != {"inside"}} == {"api", "worker"}


def test_only_the_worker_has_the_engines_socket(services: dict[str, Json]) -> None:
    assert {name for name, service in services.items() if SOCKET in mounts_of(service)} == {"worker"}


def test_only_the_worker_sees_what_the_kernel_counts_of_containers(services: dict[str, Json]) -> None:
    """It finds a control group by a process of the host, and reads it (`worker/engine/cgroups.py`)."""
    assert {name for name, service in services.items() if service.get("pid") == "host"} == {"worker"}
    groups = {name: mounts_of(service).get("/sys/fs/cgroup") for name, service in services.items()}
    assert {name: mount for name, mount in groups.items() if mount} == {"worker": ("/sys/fs/cgroup", False)}


@pytest.mark.parametrize("data", ["/var/lib/tailrace", "/srv/some where/else"])
def test_the_data_directory_has_the_same_path_in_the_worker_as_on_the_host(compose: Compose, data: str) -> None:
    services = compose.read(TAILRACE_DATA=data)["services"]
    assert mounts_of(services["worker"])[data] == (data, True)
    assert {services[name]["environment"]["TAILRACE_DATA"] for name in ("worker", "api", "migrate")} == {data}


def test_the_api_sees_of_the_data_only_files_and_bundles(services: dict[str, Json]) -> None:
    directories = ("/var/lib/tailrace/artifacts", "/var/lib/tailrace/imports")
    assert mounts_of(services["api"]) == {directory: (directory, True) for directory in directories}
    prepared = " ".join(map(str, services["migrate"]["command"]))
    for directory in directories:
        assert f'--owner tailrace --group tailrace "$TAILRACE_DATA/{directory.rpartition("/")[2]}"' in prepared.replace(
            "$$", "$"
        )


def test_the_api_is_confined(services: dict[str, Json]) -> None:
    api = services["api"]
    assert api["read_only"] is True
    assert api["cap_drop"] == ["ALL"]
    assert api["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in api, "the user is the image's"
    assert not any(service.get("privileged") for service in services.values())


def test_everything_starts_again_but_the_migration(services: dict[str, Json]) -> None:
    policies = {name: service.get("restart", "no") for name, service in services.items()}
    assert policies.pop("migrate") == "no"
    assert set(policies.values()) == {"unless-stopped"}


def test_nothing_starts_before_what_it_needs(services: dict[str, Json]) -> None:
    needs = {name: _conditions(service) for name, service in services.items()}
    ready = {"migrate": "service_completed_successfully", "redis": "service_healthy"}
    assert needs == {
        "postgres": {}, "redis": {}, "migrate": {"postgres": "service_healthy"}, "api": ready, "worker": ready,
    }  # fmt: skip
    assert "healthcheck" in services["postgres"]
    assert "healthcheck" in services["redis"]


def _conditions(service: Json) -> dict[str, str]:
    return {name: how["condition"] for name, how in service.get("depends_on", {}).items()}


@pytest.mark.parametrize("missing", SECRETS)
def test_a_missing_secret_is_an_error_that_names_it(compose: Compose, missing: str) -> None:
    for variables in (SECRETS | {missing: ""}, {name: value for name, value in SECRETS.items() if name != missing}):
        read = compose.run("config", variables=variables)
        assert read.returncode != 0
        assert f"set {missing} in .env" in read.stderr


def test_no_secret_is_given_to_who_does_not_need_it(services: dict[str, Json]) -> None:
    told = {name: json.dumps(service) for name, service in services.items()}
    having = {secret: {name for name, text in told.items() if value in text} for secret, value in SECRETS.items()}
    assert having == {
        "POSTGRES_PASSWORD": {"postgres", "migrate", "api", "worker"},
        "REDIS_PASSWORD": {"redis", "migrate", "api", "worker"},
        "TAILRACE_BOOTSTRAP_TOKEN": {"api"},
    }


def test_the_key_of_secrets_is_for_who_seals_and_who_opens_them(compose: Compose) -> None:
    services = compose.read(TAILRACE_SECRET_KEY="of-secrets")["services"]
    assert {name for name, service in services.items() if "of-secrets" in json.dumps(service)} == {"api", "worker"}


def test_the_example_names_every_variable_that_the_file_reads() -> None:
    read = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", FILE.read_text()))
    assert set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE)) == read


def test_every_default_in_the_example_is_the_files(compose: Compose, document: Json) -> None:
    defaults = dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    assert compose.read(**defaults) == document


def test_the_services_are_given_settings_that_exist(services: dict[str, Json]) -> None:
    known = {f"TAILRACE_{name.upper()}" for name in Settings.model_fields}
    for name in ("migrate", "api", "worker"):
        assert set(services[name]["environment"]) <= known


def test_the_image_of_the_api_is_the_last_stage_and_not_root() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE.read_text(), flags=re.MULTILINE)[1:]
    names = [re.match(r"\S+ AS (\S+)", stage)[1] for stage in stages]  # type: ignore[index]
    assert names == ["build", "runtime", "worker", "web", "api"]
    assert f"\nUSER {IMAGE_USER}\n" in stages[-1]
    assert all("HEALTHCHECK" in stages[names.index(name)] for name in ("worker", "api"))
    assert "\nUSER" not in "".join(stages[:-1])


def test_a_build_gets_what_it_copies_and_nothing_that_lies_about() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE)
    needed = {path.rstrip("/") for paths in copied for path in paths.split()}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == needed
    assert all((ROOT / path).exists() for path in needed)


def test_images_are_built_with_the_uv_that_developers_get() -> None:
    pinned = re.compile(r"UV_VERSION=([\d.]+)")
    (ours,), (theirs,) = (pinned.findall(path.read_text()) for path in (DOCKERFILE, ROOT / "stack" / "setup.sh"))
    assert ours == theirs


@pytest.fixture
def built(compose: Compose, tmp_path: Path, images: None) -> Iterator[str]:
    """All images of the compose file on `python:local`, under names of this test's own."""
    tag = f"tailrace-test-{os.getpid()}"
    context = tmp_path / "context"
    listed = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"]
    for path in [".dockerignore", "Dockerfile", *listed]:
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, context / path, ignore=shutil.ignore_patterns("node_modules", "dist*"))
        else:
            shutil.copyfile(ROOT / path, context / path)
    # Where this machine trusts certificates of its own, the build needs them too.
    for certificate in Path("/usr/local/share/ca-certificates").rglob("*.crt"):
        shutil.copy(certificate, context / "compose" / "certificates")
    file = context / "docker-compose.yml"
    file.write_text(re.sub(r"image: tailrace-(\w+):local", rf"image: {tag}-\1", FILE.read_text()))
    try:
        read = compose.run(
            "build", variables={**SECRETS, "BASE": "python:local", "BUILD_NETWORK": "host"}, files=(file,)
        )
        assert read.returncode == 0, read.stdout[-3000:] + read.stderr[-3000:]
        yield tag
    finally:
        with ensure_engine().client() as client:
            for name in ("api", "migrate", "worker"):
                client.delete(f"/images/{tag}-{name}")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_images_build_without_a_registry_and_hold_what_they_run(built: str) -> None:
    with ensure_engine().client() as client:
        api = client.get(f"/images/{built}-api/json").raise_for_status().json()["Config"]
        assert api["User"] == IMAGE_USER
        assert list(api["ExposedPorts"]) == ["8700/tcp"]
        assert api["Healthcheck"]["Test"][0] == "CMD"
        assert output(client, f"{built}-api", "import app.main, os; print(os.getuid())") == "10001"
        assert output(client, f"{built}-worker", "import worker.main, worker.workspace as w; print(w.KIT.name)")
        assert output(client, f"{built}-migrate", "import alembic, os; print(os.path.exists('alembic.ini'))") == "True"
        built_page = "import os; print(os.path.exists('web/dist/index.html'))"
        assert output(client, f"{built}-api", built_page) == "True"
        tools = "import shutil; print(*map(shutil.which, ('uv', 'pip', 'gcc')))"
        assert output(client, f"{built}-worker", tools) == "None None None"


def output(client: httpx.Client, image: str, program: str) -> str:
    """What a Python program prints in a container of its own, without a network."""
    body = {"Image": image, "Cmd": ["python", "-c", program], "HostConfig": {"NetworkMode": "none"}}
    made = client.post("/containers/create", json=body).raise_for_status().json()["Id"]
    try:
        client.post(f"/containers/{made}/start").raise_for_status()
        assert client.post(f"/containers/{made}/wait").json()["StatusCode"] == 0
        logs = client.get(f"/containers/{made}/logs", params={"stdout": "1"}).content
        return logs[8:].decode().strip()
    finally:
        client.delete(f"/containers/{made}", params={"force": "1"})
