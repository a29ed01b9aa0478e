"""A program prints its secrets in every way; nothing that anybody can read has one of them."""

import hashlib
import io
import json
import os
import shutil
import signal
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from support.eventually import eventually
from support.everything import all_bytes
from support.history import check_history
from support.logs import Follower, raw_log
from support.own import StartOwn
from support.programs import until_it_says
from support.running import Running
from worker.secret_forms import forms_of

pytestmark = pytest.mark.timeout(400)

TOKEN = "correct-horse/battery+staple?é"
LINES = [f"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj{number:024}" for number in range(20)]
PEM = "\n".join(["-----BEGIN PRIVATE KEY-----", *LINES, "-----END PRIVATE KEY-----", ""])
SECRETS = {"TOKEN": TOKEN, "PEM": PEM}
FORMS = sorted({form for value in SECRETS.values() for form in forms_of(value)})

# Every line ends with what says which one it is.
PROGRAM = """
import base64, json, os, sys, time, urllib.parse
token, pem = os.environ["TOKEN"], os.environ["PEM"]
data = token.encode()
out = sys.stdout.buffer
def write(*pieces, pause=0.0):
    for piece in pieces:
        out.write(piece if isinstance(piece, bytes) else piece.encode())
        out.flush()
        time.sleep(pause)
write(token, " whole\\n")
write(token[:12], token[12:], " in pieces\\n", pause=0.7)
write(token[:3], token[3:], " of which the first is short\\n", pause=3)
write(*[bytes([byte]) for byte in data], " byte by byte\\n", pause=0.02)
write("x" * 16370 + token, " over a record\\n")
for before in ("", "a", "ab", "user:"):
    write(base64.b64encode((before + token + ":after").encode()), " base64\\n")
    write(base64.urlsafe_b64encode((before + token).encode()).rstrip(b"="), " base64\\n")
write(base64.b64encode(data + b"\\n"), " of a line\\n")
write(urllib.parse.quote(token), urllib.parse.quote_plus(token), urllib.parse.quote(token, safe="").lower(), " url\\n")
write(json.dumps({"token": token, "pem": pem}), " json\\n")
write(data.hex(), data.hex().upper(), " hex\\n")
for line in pem.splitlines():
    write("[app] ", line, " of a key\\n")
write(pem, "the end of the key\\n")
write(base64.encodebytes(pem.encode()))
print("Traceback: cannot log in with", token, file=sys.stderr)
with open("/tailrace/events", "a") as events:
    for event in ({"progress": 50, "phase": "with " + token}, {"warning": token + " is old"},
                  {"result": {token: [token, {"nested": pem}]}}):
        events.write(json.dumps(event) + "\\n")
print(token, end="")
"""


async def check_nothing_shows(installation: Running) -> None:
    """Neither the database nor our own log has a secret in any form."""
    # In order that it finds what is there at all:
    everything = await all_bytes(installation.database_url)
    assert any(b"[app] ***" in each for each in everything) or any(b"***" in each for each in everything)
    everything.append(installation.log.read_bytes())
    assert not [form for form in FORMS if any(form in each for each in everything)]


async def test_whatever_a_program_does_with_its_secrets_nobody_reads_them(own: StartOwn) -> None:
    installation = await own(slots=2)
    execution = await installation.submit("python3", "-c", PROGRAM, image="python:local", secrets=SECRETS)
    reader = Follower(installation, execution)
    await reader.read()
    record = await check_history(installation, execution)
    assert (record["status"], record["secrets"], record["log"]["complete"]) == ("succeeded", ["PEM", "TOKEN"], True)
    log = await raw_log(installation, execution)
    assert reader.text("o").encode() == log
    lines = log.decode().splitlines()
    assert "*** whole" in lines
    assert "*** in pieces" in lines
    assert "cor*** of which the first is short" in lines
    assert "*** byte by byte" in lines
    assert "x" * 16370 + "*** over a record" in lines
    assert sum(line.endswith(" base64") and "***" in line for line in lines) == 8
    assert "*** of a line" in lines
    assert "*** url" in lines
    assert "*** hex" in lines
    assert lines.count("[app] *** of a key") == len(PEM.splitlines())
    assert lines[-1].endswith("***")
    assert "cannot log in with ***" in await installation.log_text(execution, streams="stderr")
    assert record["progress"]["phase"] == "with ***"
    assert "*** is old" in record["warnings"]
    assert record["result"] == {"***": ["***", {"nested": "***"}]} or "***" in str(record["result"])
    assert not [form for form in FORMS if form in log + str(record).encode()]
    await check_nothing_shows(installation)


HALF = """
import os, time
token = os.environ["TOKEN"]
print("ready", flush=True)
print("half:", token[:int(os.environ["CUT"])], end="", flush=True)
while not os.path.exists("/tailrace/outputs/go"):
    time.sleep(0.05)
print(token[int(os.environ["CUT"]):], "and on", flush=True)
"""


def outputs_of(installation: Running, execution: str) -> Path:
    (outputs,) = (installation.data / "work" / execution).glob("*/outputs")
    return outputs


@pytest.mark.faults
@pytest.mark.parametrize(("cut", "shown", "whole"), [(3, "cor", "cor***"), (12, "", "***")])
async def test_a_worker_that_dies_in_the_middle_of_a_secret_gives_nothing_away(
    own: StartOwn, cut: int, shown: str, whole: str
) -> None:
    """What was held back was not counted: the adopter takes it up, and knows what was shown before."""
    installation = await own(slots=1)
    execution = await installation.submit(
        "python3", "-c", HALF, image="python:local", secrets=SECRETS, env={"CUT": str(cut)}
    )

    async def is_shown() -> bool:
        return await raw_log(installation, execution) == f"ready\nhalf: {shown}".encode()

    await eventually(is_shown, within=60)
    await installation.stop("worker", signal.SIGKILL)
    (outputs_of(installation, execution) / "go").touch()
    await installation.start("worker", "worker")
    record = await check_history(installation, execution)
    assert (record["status"], record["attempt"], record["log"]["complete"]) == ("succeeded", 1, True)
    assert await raw_log(installation, execution) == f"ready\nhalf: {whole} and on\n".encode()
    await check_nothing_shows(installation)


async def test_a_worker_without_the_key_starts_nothing_and_says_why(own: StartOwn) -> None:
    installation = await own(slots=1)
    await installation.stop("worker")
    for key, words in (
        ("", "TAILRACE_SECRET_KEY is not set"),
        ("another key than that of the API is", "does not open"),
    ):
        await installation.start("worker", "worker", TAILRACE_SECRET_KEY=key)
        execution = await installation.submit("echo", "ran", secrets=SECRETS)
        plain = await installation.submit("echo", "ran")
        record = await check_history(installation, execution)
        assert (record["status"], record["cause"]) == ("crashed", "engine_error")
        assert words in record["message"]
        assert await installation.log_text(execution) == ""
        assert (await installation.ended(plain))["status"] == "succeeded"
        await installation.stop("worker")


NAMED = {"FILE": PEM, "VARIABLE": TOKEN}
# Fails once, and then waits until it has been looked at.
BY_NAME = """
import hashlib, os, sys, time
path, variable = "/tailrace/secrets/FILE", os.environ["VARIABLE"]
file = open(path).read()
sums = [hashlib.sha256(value.encode()).hexdigest() for value in (file, variable)]
print("sums", *sums)
print("file", file.strip().splitlines()[1], "variable", variable)
print("FILE" in os.environ, os.listdir("/tailrace/secrets"))
print([line.split()[2] for line in open("/proc/mounts") if line.split()[1] == "/tailrace/secrets"])
try:
    open(path, "w")
except OSError as error:
    print("refused", error.errno)
if os.environ["TAILRACE_ATTEMPT"] == "1":
    sys.exit(7)
open("/tailrace/checkpoint/ready", "w")
print("ready", flush=True)
while not os.path.exists("/tailrace/outputs/go"):
    time.sleep(0.05)
"""


@pytest.fixture
def memory() -> Iterator[Path]:
    """A place in memory, gone afterwards."""
    place = Path(f"/dev/shm/tailrace-test-{uuid4().hex}")  # noqa: S108 - only its owner may enter it
    yield place
    shutil.rmtree(place)


def read_below(directory: Path) -> list[bytes]:
    """All files that are there; some may go while we read."""
    contents = []
    for parent, _, names in os.walk(directory):
        for name in names:
            with suppress(FileNotFoundError):
                if (path := Path(parent, name)).is_file():
                    contents.append(path.read_bytes())
    return contents


async def inspect(execution: str) -> str:
    """All that the engine says of its container."""
    socket = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=socket), base_url="http://engine") as engine:
        wanted = json.dumps({"label": [f"tailrace.execution={execution}"]})
        (container,) = (await engine.get("/containers/json", params={"filters": wanted})).json()
        return (await engine.get(f"/containers/{container['Id']}/json")).text


async def test_secrets_by_name_reach_the_program_and_nobody_else(own: StartOwn, memory: Path) -> None:
    """What they were when it was submitted holds for all attempts, though they are changed and deleted meanwhile."""
    installation = await own(slots=1, TAILRACE_SECRETS=str(memory))
    for name, value in NAMED.items():
        await installation.api.secrets.put(f"my-{name}", value)
    named = {"FILE": {"name": "my-FILE"}, "VARIABLE": {"name": "my-VARIABLE", "via": "env"}}
    execution = await installation.submit(
        "python3", "-c", BY_NAME, image="python:local", hold=True, named_secrets=named, max_attempts=2, retry_on=[7]
    )
    await installation.api.secrets.put("my-FILE", "another value")
    await installation.api.secrets.delete("my-VARIABLE")
    await (await installation.api.get(execution)).release()
    await until_it_says(installation, execution, "ready")
    seen = (await inspect(execution)).encode()
    assert TOKEN.encode() in json.dumps(json.loads(seen), ensure_ascii=False).encode()
    assert not [form for form in forms_of(PEM) if form in seen]
    assert read_below(memory) == [PEM.encode()]
    on_disk = read_below(installation.data)
    (outputs_of(installation, execution) / "go").touch()
    record = await check_history(installation, execution)
    assert (record["status"], record["attempt"]) == ("succeeded", 2)
    await eventually(lambda: read_below(memory) == [])
    log = (await installation.log_text(execution)).splitlines()
    sums = " ".join(hashlib.sha256(value.encode()).hexdigest() for value in NAMED.values())
    for line in (f"sums {sums}", "file *** variable ***", "False ['FILE']", "['tmpfs']", "refused 30"):
        assert log.count(line) == 2, (line, log)
    paths = ("", "/events", "/attempts", "/code?language=python", "/outputs", "/bundle", "/checkpoint")
    answers = [(await installation.request("GET", f"/v1/executions/{execution}{path}")).content for path in paths]
    (bundle,) = [answer for answer in answers if answer.startswith(b"PK")]
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        answers += [archive.read(name) for name in archive.namelist()]
    answers += [(await installation.request("GET", path)).content for path in ("/v1/secrets", "/v1/audit")]
    assert b"my-VARIABLE" in answers[0]
    assert b"my-VARIABLE" in answers[3]
    assert not [form for form in FORMS if any(form in each for each in (*answers, *on_disk))]
    await check_nothing_shows(installation)


async def until_taken_over(installation: Running, execution: str, times: int) -> None:
    async def is_adopted() -> bool:
        return (await installation.log_text(execution, streams="system")).count("Taken over") == times

    await eventually(is_adopted, within=90)


@pytest.mark.faults
@pytest.mark.parametrize("others", [0, 1])
async def test_a_worker_without_the_key_sees_to_what_runs_but_keeps_nothing_of_its_log(
    own: StartOwn, others: int
) -> None:
    program = "echo begin; while [ ! -f /tailrace/stop ]; do echo $TOKEN; sleep 0.2; done; echo $TOKEN; exit 85"
    installation = await own(slots=1)
    execution = await installation.submit("sh", "-c", program, secrets=SECRETS, limits={"grace": 30, "notice": 29})
    await until_it_says(installation, execution, "begin")
    await installation.stop("worker", signal.SIGKILL)
    await installation.start("worker", "worker", TAILRACE_SECRET_KEY="")
    await until_taken_over(installation, execution, 1)
    known = await raw_log(installation, execution)
    if others:
        await installation.stop("worker", signal.SIGKILL)
        await installation.start("worker", "worker")
        await until_taken_over(installation, execution, 2)
    assert (await installation.cancel(execution)).status_code == 202
    reader = Follower(installation, execution)
    await reader.read()
    # What is missing is missing, whoever comes afterwards.
    record = await check_history(installation, execution, log_complete=False)
    assert (record["status"], record["exit_code"]) == ("canceled", 85)
    log = await raw_log(installation, execution)
    assert log.startswith(known)
    assert (log == known) is not bool(others)
    reasons = ["masking_unavailable", "engine_log_rotated"] if others else ["masking_unavailable"]
    assert [gap["reason"] for gap in reader.gaps] == reasons
    await check_nothing_shows(installation)
