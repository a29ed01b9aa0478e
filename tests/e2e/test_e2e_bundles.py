"""An execution out of one installation and into another: the same there, or refused."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from prov.model import ProvDocument
from uuid_utils.compat import uuid7

from app.artifacts.model import Kind
from app.bundles import repository
from app.bundles.document import Contents
from app.bundles.reading import DOCUMENT_BYTES, BadBundle, Bundle
from support.crashes import dies
from support.eventually import eventually
from support.own import StartOwn
from support.running import Json, Running
from support.verifying import run_verify

PROGRAM = (
    "mkdir -p /tailrace/outputs/a/b; echo one > /tailrace/outputs/a/b/c.txt; echo two > '/tailrace/outputs/x y.csv'; "
    "head -c 300000 /dev/urandom > /tailrace/outputs/random; echo saved > /tailrace/checkpoint/state; "
    "seq 1 20000; printf 'a\\0b\\n'; printf 'caf\\351\\n'; echo oops >&2; printf 'no newline'"
)
# What is another in the other installation.
THERE = {"owner", "source", "updated_at", "imported", "retention", "expires_at", "lineage", "queue_position"}
MOST = 2**30

Zip = dict[str, bytes]


@pytest.fixture(scope="module")
async def original(tailrace: Running) -> Json:
    first = await tailrace.submit("sh", "-c", "echo first > /tailrace/checkpoint/state")
    await tailrace.ended(first)
    execution = await tailrace.submit(
        "sh",
        "-c",
        PROGRAM,
        name="a bundle",
        labels={"team": "a"},
        env={"A": "1"},
        inputs={"rows": 100},
        secrets={"PASSWORD": "a very secret password"},
        resume_from=first,
    )
    record = await tailrace.ended(execution)
    assert record["status"] == "succeeded", record["message"]
    return record


@pytest.fixture(scope="module")
async def bundle(tailrace: Running, original: Json) -> bytes:
    return await exported(tailrace, original)


async def exported(tailrace: Running, record: Json, contents: Contents = Contents.ALL) -> bytes:
    response = await tailrace.request("GET", f"/v1/executions/{record['id']}/bundle", params={"contents": contents})
    assert response.status_code == 200, response.text
    return response.content


async def imported(installation: Running, content: bytes) -> httpx.Response:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 100_000):
            yield content[start : start + 100_000]

    return await installation.request(
        "POST", "/v1/imports", content=pieces(), headers={"Content-Type": "application/zip"}
    )


def unzipped(content: bytes) -> Zip:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(members: Zip) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


async def test_a_bundle_has_everything_and_no_secret(original: Json, bundle: bytes) -> None:
    members = unzipped(bundle)
    assert set(members) == {
        "record.json", "events.json", "attempts.json", "files.ndjson", "prov.json", "log.ndjson", "manifest.json",
        "outputs/a/b/c.txt", "outputs/x y.csv", "outputs/random", "checkpoint/state",
    }  # fmt: skip
    assert members["outputs/a/b/c.txt"] == b"one\n"
    assert members["log.ndjson"].count(b"\n") == original["log"]["lines"]
    assert b"very secret" not in b"".join(members.values())


async def test_its_provenance_is_prov(original: Json, bundle: bytes) -> None:
    document: Any = ProvDocument.deserialize(content=unzipped(bundle)["prov.json"].decode(), format="json")
    said = document.get_provn()
    assert f"tr:execution/{original['id']}" in said
    assert f"tr:execution/{original['lineage']['resumed_from']}" in said
    assert "outputs/a/b/c.txt" in said
    assert ProvDocument.deserialize(content=document.serialize(format="json"), format="json") == document


async def test_what_was_deleted_comes_back_as_it_was(tailrace: Running, own: StartOwn) -> None:
    """In an installation of its own: files, history, attempts and every byte of the log."""
    elsewhere = await own()
    execution = await elsewhere.submit("sh", "-c", PROGRAM, name="there and back", max_attempts=2)
    before = await elsewhere.ended(execution)
    content = await exported(elsewhere, before)
    told = [await view_of(elsewhere, execution, before)]
    assert (await elsewhere.request("DELETE", f"/v1/executions/{execution}")).status_code == 204
    for installation in (elsewhere, tailrace):
        response = await imported(installation, content)
        assert response.status_code == 201, response.text
        after = await installation.execution(execution)
        assert response.json()["id"] == execution
        assert {name: after[name] for name in after.keys() - THERE} == {
            name: before[name] for name in before.keys() - THERE
        }
        assert after["imported"]["instance"] == before_instance(content)
        assert after["imported"]["sealed"]
        told.append(await view_of(installation, execution, before))
        again = await imported(installation, content)
        assert again.status_code == 409
    assert told[0] == told[1] == told[2]
    code, said = await run_verify(elsewhere.environment, "--all")
    assert code == 0, said
    rerun = await (await tailrace.api.get(execution)).rerun(from_checkpoint=True)
    assert (await rerun.wait(90)).status == "succeeded"


def before_instance(content: bytes) -> str:
    instance: str = json.loads(unzipped(content)["manifest.json"])["instance"]
    return instance


async def view_of(installation: Running, execution: str, record: Json) -> dict[str, Any]:
    """All that can be seen of it beside the record."""
    events = await installation.events(execution)
    outputs = await installation.get(f"/v1/executions/{execution}/outputs")
    raw = await installation.request("GET", f"/v1/executions/{execution}/logs", params={"format": "raw"})
    log = await installation.request("GET", f"/v1/executions/{execution}/logs", params={"format": "ndjson"})
    return {
        "events": [event for event in events if not (event["message"] or "").startswith("Imported by")],
        "attempts": await installation.attempts(execution),
        "outputs": outputs,
        "random": await installation.output(execution, "random"),
        "raw": raw.content,
        "log": log.content,
        "frames": await text_of_frames(installation, execution),
    }


async def text_of_frames(installation: Running, execution: str) -> list[Any]:
    frames = await installation.frames(execution)
    return [line for frame in frames if frame["type"] == "lines" for line in frame["lines"]]


async def test_of_two_who_import_the_same_at_once_one_does(own: StartOwn, original: Json, bundle: bytes) -> None:
    elsewhere = await own()
    other = unsealed(forged(unzipped(bundle)))
    answers = await asyncio.gather(*(imported(elsewhere, each) for each in [bundle, zipped(other)] * 3))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 5]
    content = await elsewhere.output(original["id"], "a/b/c.txt")
    (listed,) = [item for item in await elsewhere.outputs(original["id"]) if item["path"] == "a/b/c.txt"]
    assert hashlib.sha256(content).hexdigest() == listed["sha256"]


@pytest.mark.parametrize(("contents", "files"), [("record", 0), ("outputs", 3), ("all", 3)])
async def test_a_bundle_may_have_less(
    contents: Contents, files: int, original: Json, tailrace: Running, own: StartOwn
) -> None:
    elsewhere = await own()
    response = await imported(elsewhere, await exported(tailrace, original, contents))
    assert response.status_code == 201, response.text
    record = await elsewhere.execution(original["id"])
    assert record["outputs"]["files"] == files
    assert record["log"]["lines"] == original["log"]["lines"]
    text = await elsewhere.log_text(original["id"])
    assert ("oops" in text) == (contents == "all")
    assert ("are not kept: not_imported" in text) == (contents != "all")


def unsealed(members: Zip) -> Zip:
    manifest = json.loads(members["manifest.json"]) | {"seal": None}
    return members | {"manifest.json": json.dumps(manifest).encode()}


def forged(members: Zip) -> Zip:
    """With another output, of which all that is beside the seal says so."""
    sums = [hashlib.sha256(text).hexdigest().encode() for text in (b"one\n", b"two\n")]
    listed = members["files.ndjson"].replace(*sums, 1)
    return _with_checksum(members | {"outputs/a/b/c.txt": b"two\n", "files.ndjson": listed}, "files.ndjson")


def as_at_first(members: Zip) -> Zip:
    """The same in the first form of bundles."""
    files = [json.loads(line) for line in members["files.ndjson"].splitlines()]
    members = {name: content for name, content in unsealed(members).items() if name != "files.ndjson"}
    members = {"files.json": json.dumps(files).encode(), **members}
    manifest = json.loads(members["manifest.json"]) | {"version": 1}
    del manifest["members"]["files.ndjson"]
    members["manifest.json"] = json.dumps(manifest).encode()
    for name in ("files.json", *(file["member"] for file in files)):
        members = _with_checksum(members, name)
    return members


def changed(name: str, old: bytes, new: bytes, *, checksum: bool) -> Callable[[Zip], Zip]:
    """Something in a member is another, and with `checksum` the manifest says so."""

    def change(members: Zip) -> Zip:
        assert old in members[name]
        content = members[name].replace(old, new, 1)
        members = members | {name: content}
        return _with_checksum(members, name) if checksum else members

    return change


def _with_checksum(members: Zip, name: str) -> Zip:
    manifest = json.loads(members["manifest.json"])
    manifest["members"][name] = {"bytes": len(members[name]), "sha256": hashlib.sha256(members[name]).hexdigest()}
    return members | {"manifest.json": json.dumps(manifest).encode()}


def without(name: str) -> Callable[[Zip], Zip]:
    return lambda members: {each: content for each, content in members.items() if each != name}


TAMPERED: dict[str, tuple[Callable[[Zip], Zip], str]] = {
    "an output": (changed("outputs/a/b/c.txt", b"one", b"two", checksum=False), "was changed"),
    "the log": (changed("log.ndjson", b"oops", b"okay", checksum=False), "was changed"),
    "the record": (changed("record.json", b'"exit_code": 0', b'"exit_code": 1', checksum=False), "was changed"),
    "a longer output": (changed("outputs/a/b/c.txt", b"one", b"three", checksum=False), "as the list of files says"),
    "no output": (without("outputs/a/b/c.txt"), "as the list of files says"),
    "an output twice": (
        lambda members: _with_checksum(
            members | {"files.ndjson": members["files.ndjson"] + members["files.ndjson"].split(b"\n")[0] + b"\n"},
            "files.ndjson",
        ),
        "the same place",
    ),
    "a document for an output": (
        changed("files.ndjson", b'"outputs/a/b/c.txt"', b'"record.json"', checksum=True),
        "is no file",
    ),
    "no manifest": (without("manifest.json"), "no bundle of an execution"),
    "one more": (lambda members: members | {"outputs/more": b"x"}, "belong to nothing"),
    "not ended": (changed("record.json", b'"succeeded"', b'"running"', checksum=True), "is no end"),
    "another end": (changed("record.json", b'"succeeded"', b'"failed"', checksum=True), "not that of"),
    "no history": (lambda members: _with_checksum(members | {"events.json": b"[]"}, "events.json"), "history"),
    "a line less": (changed("log.ndjson", b"\n", b"", checksum=True), "log"),
    "bytes that are none": (changed("log.ndjson", b'"raw":"', b'"raw":"!', checksum=True), "log"),
    "a result that nobody has": (
        changed("record.json", b'"result": null', b'"result": "' + b"x" * 2**20 + b'"', checksum=True),
        "too large",
    ),
    "a path": (changed("files.ndjson", b'"a/b/c.txt"', b'"../../c.txt"', checksum=True), "out of its place"),
    "a later format": (changed("manifest.json", b'"version": 2', b'"version": 3', checksum=False), "version"),
    "another execution": (
        changed("manifest.json", b'"execution": "01', b'"execution": "02', checksum=False),
        "another",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_what_was_changed_is_refused(how: str, bundle: bytes) -> None:
    change, sentence = TAMPERED[how]
    assert list(Bundle(io.BytesIO(bundle), most=MOST).log())
    with pytest.raises(BadBundle, match=sentence):
        list(Bundle(io.BytesIO(zipped(change(unzipped(bundle)))), most=MOST).log())


def test_one_of_the_first_form_is_read(bundle: bytes) -> None:
    members = as_at_first(unzipped(bundle))
    before, after = (Bundle(io.BytesIO(each), most=MOST) for each in (zipped(members), bundle))
    assert (before.manifest.version, after.manifest.version) == (1, 2)
    assert (list(before.files()), before.totals) == (list(after.files()), after.totals)
    assert list(before.log()) == list(after.log())
    listed = members["files.json"].replace(hashlib.sha256(b"one\n").hexdigest().encode(), b"0" * 64)
    for changed_, sentence in (
        (members | {"outputs/a/b/c.txt": b"two\n"}, "was changed"),
        (_with_checksum(members | {"files.json": listed}, "files.json"), "was changed"),
        (_with_checksum(members | {"outputs/a/b/c.txt": b"two\n"}, "outputs/a/b/c.txt"), "was changed"),
        (_with_checksum(members | {"outputs/more": b"x"}, "outputs/more"), "belong to nothing"),
    ):
        with pytest.raises(BadBundle, match=sentence):
            Bundle(io.BytesIO(zipped(changed_)), most=MOST)


def test_its_files_may_be_many(bundle: bytes) -> None:
    """More than one document could list."""
    members = unzipped(bundle)
    one = json.loads(members["files.ndjson"].split(b"\n")[0])
    empty = {"bytes": 0, "sha256": hashlib.sha256().hexdigest(), "kind": "output"}
    files = [one | empty | {"member": f"outputs/{n}", "path": f"{n}/{'x' * 1000}"} for n in range(27_000)]
    listed = b"".join(json.dumps(file).encode() + b"\n" for file in files)
    assert len(listed) > DOCUMENT_BYTES
    stay = {name: members[name] for name in members if "/" not in name}
    many = {**stay, "files.ndjson": listed, **{file["member"]: b"" for file in files}}
    content = zipped(_with_checksum(unsealed(many), "files.ndjson"))
    assert Bundle(io.BytesIO(content), most=MOST).totals[Kind.OUTPUT].files == len(files)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(BadBundle):
        Bundle(io.BytesIO(content), most=MOST)


def test_a_part_of_one_is_refused(bundle: bytes) -> None:
    for size in (len(bundle) - 1, len(bundle) // 2, 100):
        with pytest.raises(BadBundle):
            Bundle(io.BytesIO(bundle[:size]), most=MOST)


def test_one_that_is_larger_than_it_looks_is_refused(bundle: bytes) -> None:
    with pytest.raises(BadBundle, match="Unpacked"):
        Bundle(io.BytesIO(bundle), most=100_000)


def test_one_of_too_many_members_is_refused() -> None:
    content = zipped({f"{index}{'x' * 60_000}": b"" for index in range(300)})
    with pytest.raises(BadBundle, match="too many"):
        Bundle(io.BytesIO(content), most=MOST)


def test_one_that_would_be_out_of_order_is_refused(bundle: bytes, original: Json) -> None:
    members = renamed(unzipped(bundle), original["id"], str(uuid7()))
    assert Bundle(io.BytesIO(zipped(members)), most=MOST)
    members = renamed(members, json.loads(members["record.json"])["id"], str(uuid4()))
    with pytest.raises(BadBundle, match="Its id"):
        Bundle(io.BytesIO(zipped(members)), most=MOST)


def renamed(members: Zip, old: str, new: str) -> Zip:
    """The same of another execution, without a seal."""
    members = {name: content.replace(old.encode(), new.encode()) for name, content in members.items()}
    members = unsealed(members)
    for name in json.loads(members["manifest.json"])["members"]:
        members = _with_checksum(members, name)
    return members


# What only an attacker writes: each is a part of the record, and what is there instead.
UNFIT = {
    "a name that is code": (b'"PASSWORD"', b'"A}$(id)"'),
    "no image": (b'"image": "', b'"image": "  '),
    "no signal": (b'"SIGTERM"', b'"SIGNAL"'),
    "no pool": (b'"pool": "', b'"pool": "../'),
    "a character that is not kept": (b'"result": null', b'"result": "\\u0000"'),
    "a time before the calendar": (b'"created_at": "20', b'"created_at": "00'),
    "a number that is not kept": (b'"warnings": []', b'"warnings": [1' + b"0" * 30 + b"]"),
}


@pytest.mark.parametrize("how", UNFIT)
async def test_what_could_not_be_here_is_refused(how: str, bundle: bytes, original: Json, tailrace: Running) -> None:
    other = str(uuid7())
    members = renamed(unzipped(bundle), original["id"], other)
    response = await imported(tailrace, zipped(changed("record.json", *UNFIT[how], checksum=True)(members)))
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["code"] == "bad_bundle"
    assert (await tailrace.request("GET", f"/v1/executions/{other}")).status_code == 404


async def test_nothing_is_left_of_what_is_refused(own: StartOwn, bundle: bytes, original: Json) -> None:
    """Also where it is found out last: with a seal that is not ours any more, a log that lies, and no room for it."""
    elsewhere = await own(TAILRACE_MAX_FILE_BYTES_PER_OWNER="400000")
    members = unzipped(bundle)
    response = await imported(elsewhere, zipped(forged(members)))
    assert response.status_code == 422
    assert "sealed" in response.json()["detail"]
    other = unsealed(forged(members))
    shorter = _with_checksum(other | {"log.ndjson": other["log.ndjson"].split(b"\n", 1)[1]}, "log.ndjson")
    response = await imported(elsewhere, zipped(shorter))
    assert response.status_code == 422
    assert "line 1" in response.json()["detail"]
    assert (await elsewhere.request("GET", f"/v1/executions/{original['id']}")).status_code == 404

    def stored() -> list[Path]:
        return [path for path in (elsewhere.data / "artifacts").rglob("*") if path.is_file()]

    await eventually(lambda: not stored(), within=60)
    # Unsealed it is taken, and says so: who made it cannot be told.
    response = await imported(elsewhere, zipped(other))
    assert response.status_code == 201, response.text
    assert not response.json()["imported"]["sealed"]
    assert await elsewhere.output(original["id"], "a/b/c.txt") == b"two\n"
    used = (await elsewhere.get("/v1/me"))["quota"]["file_bytes"]["used"]
    assert used == sum(response.json()[kind]["bytes"] for kind in ("outputs", "checkpoint"))
    kept, another = set(stored()), str(uuid7())
    refused = await imported(elsewhere, zipped(renamed(members, original["id"], another)))
    assert (refused.status_code, refused.json()["limit"], refused.json()["used"]) == (429, 400_000, used)
    assert (await elsewhere.request("POST", "/v1/files?name=a", content=b"x" * 100_000)).status_code == 429
    assert (await elsewhere.request("GET", f"/v1/executions/{another}")).status_code == 404
    await eventually(lambda: set(stored()) == kept, within=60)
    assert (await elsewhere.request("DELETE", f"/v1/executions/{original['id']}")).status_code == 204
    assert (await elsewhere.get("/v1/me"))["quota"]["file_bytes"]["used"] == 0


async def test_nobody_sees_a_part_of_an_import_and_who_dies_over_it_leaves_nothing(
    own: StartOwn, bundle: bytes, original: Json
) -> None:
    elsewhere = await own(TAILRACE_CRASH_AT="importing:2", TAILRACE_RECONCILE_EVERY="1")
    members, other = with_long_log(unzipped(bundle)), str(uuid7())
    content = zipped(renamed(members, original["id"], other))
    with pytest.raises(httpx.TransportError):
        await imported(elsewhere, content)
    await dies(elsewhere, "api")
    await elsewhere.start("api", "app", TAILRACE_CRASH_AT="")
    await elsewhere.until_ready()
    assert (await elsewhere.request("GET", f"/v1/executions/{other}")).status_code == 404
    assert await elsewhere.api.list().all() == []
    assert (await elsewhere.get("/v1/stats/counts"))["total"] == 0
    assert (await imported(elsewhere, content)).status_code == 409
    segments = "SELECT count(*) FROM log_segments WHERE execution_id = $1"
    connection = await asyncpg.connect(elsewhere.database_url)
    try:
        assert await connection.fetchval(segments, UUID(other)) > repository.SEGMENTS_AT_ONCE
        await connection.execute("UPDATE imports SET until = now()")

        async def nothing_left() -> bool:
            left = await connection.fetchval(segments, UUID(other))
            return left + await connection.fetchval("SELECT count(*) FROM imports") == 0

        await eventually(nothing_left, within=60)
    finally:
        await connection.close()
    response = await imported(elsewhere, content)
    assert response.status_code == 201, response.text
    (last,) = await elsewhere.lines(other, tail=1)
    assert last.text == f"{LONG_LOG - 1:6} " + "x" * 16_000
    assert (await elsewhere.request("DELETE", f"/v1/executions/{other}")).status_code == 204
    async with asyncio.timeout(60):
        connection = await asyncpg.connect(elsewhere.database_url)
        assert await connection.fetchval(segments, UUID(other)) == 0
        await connection.close()


# Lines of 16 kB: of more segments than two transactions have.
LONG_LOG = 3_000


def with_long_log(members: Zip) -> Zip:
    lines = [
        {"seq": seq, "at": 1_700_000_000_000, "stream": "stdout", "text": f"{seq - 1:6} " + "x" * 16_000}
        for seq in range(1, LONG_LOG + 1)
    ]
    record = json.loads(members["record.json"]) | {"log_lines": LONG_LOG}
    long = {
        "record.json": json.dumps(record, indent=2).encode(),
        "log.ndjson": b"".join(json.dumps(line).encode() + b"\n" for line in lines),
    }
    members = members | long
    for name in long:
        members = _with_checksum(members, name)
    return members


async def test_only_what_has_ended_is_bundled(tailrace: Running) -> None:
    execution = await tailrace.submit("true", hold=True)
    response = await tailrace.request("GET", f"/v1/executions/{execution}/bundle")
    assert response.status_code == 409
    assert "queued" in response.json()["detail"]
