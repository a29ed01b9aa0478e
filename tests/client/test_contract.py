"""What the fake server of `tailrace.testing` and the real one have in common, told by the same tests of both."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import contract
import pytest
from contract import Site

from tailrace import ApiError, Client, Conflict, ExecutionFailed, Invalid, NotFound, Unauthorized

NOWHERE = "01a1fc28-1093-71a3-9f09-0315d31d4c8a"


@pytest.fixture
def fake() -> Iterator[Site]:
    with contract.faked() as server, server.client() as client:
        yield Site(client, "fake")


@pytest.fixture
def real(request: pytest.FixtureRequest) -> Iterator[Site]:
    tailrace = request.getfixturevalue("tailrace")
    with Client(tailrace.url, tailrace.token) as client:
        yield Site(client, "real")


@pytest.fixture(params=["fake", "real"])
def site(request: pytest.FixtureRequest) -> Site:
    found: Site = request.getfixturevalue(request.param)
    return found


def test_a_run_from_its_submission_to_its_files(site: Site, tmp_path: Path) -> None:
    handle = site.run(contract.HELLO, labels={"team": "a=b"})
    assert handle.record.status == "queued"
    assert handle.record.waiting_on == "slot"
    followed = list(handle.logs(follow=True, stream=["stdout", "stderr", "system"]))
    assert [line.seq for line in followed] == list(range(1, len(followed) + 1))
    assert [line.text for line in followed if line.stream == "stdout"] == ["one", "three"]
    assert [line.text for line in followed if line.stream == "stderr"] == ["two"]
    told = [line.text for line in followed if line.stream == "system"]
    assert told[0] == "Queued by admin in pool default."
    assert told[-1] == "Ended, ok: Finished with exit code 0."
    record = handle.wait(60, check=True)
    assert contract.visited(handle) == ["queued", "preparing", "running", "succeeded"]
    assert (record.cause, record.exit_code, record.message) == ("ok", 0, "Finished with exit code 0.")
    assert (record.progress.percent, record.progress.phase) == (40, "half")  # type: ignore[union-attr]
    assert (record.warnings, record.result) == (["no GPU"], {"loss": 0.5})
    assert (record.log.lines, record.log.bytes, record.log.complete) == (len(followed), 14, True)
    assert (record.outputs.files, record.outputs.bytes, record.outputs.partial) == (2, 5, False)

    assert list(handle.logs()) == [line for line in followed if line.stream != "system"]
    third = followed[2].seq
    everything = ["stdout", "stderr", "system"]
    assert list(handle.logs(after=third, stream=everything)) == followed[3:]
    assert list(handle.logs(follow=True, after=third, stream=everything)) == followed[3:]
    assert list(handle.logs(tail=1)) == list(handle.logs(follow=True, tail=1)) == list(handle.logs())[-1:]
    assert [line.text for line in handle.logs(grep="^t", stream="stdout")] == ["three"]
    assert [line.seq for line in handle.logs(limit=2, stream=everything)] == [1, 2]

    written = handle.outputs.download(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in written] == ["deep/a.csv", "hi.txt"]
    assert [(file.path, file.bytes, file.media_type) for file in handle.outputs.list()] == [
        ("deep/a.csv", 2, "text/csv"),
        ("hi.txt", 3, "text/plain"),
    ]
    assert handle.outputs.text("hi.txt") == "hi\n"
    assert handle.outputs.zip(tmp_path / "all.zip").stat().st_size > 100
    with pytest.raises(NotFound):
        handle.outputs.read("nothing")


def test_what_a_run_is_told_as_has_one_shape(fake: Site, real: Site) -> None:
    """Field by field: the record at its submission and at its end, pages, events, attempts, and who one is."""
    told: list[list[Any]] = []
    for site in (fake, real):
        handle = site.run(contract.HELLO)
        first = handle.record.raw
        handle.wait(60)
        stopped = site.run(contract.ENDLESS, hold=True)
        stopped.cancel()
        ask = site.client.request
        own = f"/v1/executions/{handle.id}"
        told.append(
            [
                first,
                ask("GET", own),
                stopped.refresh().raw,
                ask("GET", "/v1/executions", params={"limit": 1})["items"][0].keys(),
                ask("GET", f"{own}/events"),
                ask("GET", f"{own}/attempts"),
                ask("GET", f"{own}/outputs"),
                ask("GET", f"{own}/outputs", params={"limit": 1}).keys(),
                ask("GET", "/v1/me"),
                site.client.dry_run(contract.HELLO.submission).raw,
            ]
        )
        for frame in site.frames(handle):
            contract.check_frame(frame)
    for ours, theirs in zip(*told, strict=True):
        contract.alike(ours, theirs)
        if isinstance(theirs, dict):
            assert list(ours) == list(theirs) or sorted(ours) == sorted(theirs)


def test_how_programs_end(site: Site) -> None:
    expected = [
        (contract.TRUE, ("succeeded", "ok", 0)),
        (contract.THREE, ("failed", "exit_nonzero", 3)),
        (contract.SUCCESS, ("succeeded", "ok", 4)),
        (contract.ABORTED, ("failed", "signaled", 134)),
        (contract.CANCELS_ITSELF, ("canceled", "self_canceled", 86)),
        (contract.MISSING, ("failed", "output_missing", 0)),
        (contract.LATE, ("timed_out", "run_timeout", 143)),
    ]
    handles = [(site.run(program), wanted) for program, wanted in expected]
    for handle, wanted in handles:
        record = handle.wait(60)
        assert (record.status, record.cause, record.exit_code) == wanted
        assert record.hint == (None if record.cause == "ok" else record.hint or "")
        end = ["stopping", record.status] if record.cause == "run_timeout" else [record.status]
        assert contract.visited(handle) == ["queued", "preparing", "running", *end]
    with pytest.raises(ExecutionFailed, match="exit_nonzero"):
        handles[1][0].wait(check=True)


def test_another_attempt_follows_where_it_may(site: Site) -> None:
    handle = site.ended(contract.RETRIED)
    assert (handle.record.cause, handle.record.attempt, len(handle.attempts())) == ("ok", 2, 2)
    assert contract.visited(handle) == ["queued", "preparing", "running"] * 2 + ["succeeded"]
    assert [attempt.exit_code for attempt in handle.attempts()] == [3, 0]


def test_a_stop_gives_time_to_save(site: Site) -> None:
    handle = site.run(contract.SAVES)
    assert next(iter(handle.logs(follow=True))).text == "begun"
    stopping = handle.cancel()
    assert (stopping.status, stopping.stop.reason, stopping.stop.by) == ("stopping", "cancel", "admin")  # type: ignore[union-attr]
    record = handle.wait(60)
    assert (record.status, record.cause, record.exit_code) == ("canceled", "canceled_by_user", 7)
    assert record.message == "Canceled by admin."
    assert handle.outputs.text("partial.txt") == "some\n"
    assert handle.cancel().status == "canceled"
    assert contract.visited(handle) == ["queued", "preparing", "running", "stopping", "canceled"]


def test_a_kill_gives_none(site: Site) -> None:
    handle = site.run(contract.ENDLESS)
    assert next(iter(handle.logs(follow=True))).text == "begun"
    assert handle.kill().status == "stopping"
    record = handle.wait(60)
    assert (record.cause, record.exit_code) == ("canceled_by_user", 137)
    queued = site.run(contract.ENDLESS, hold=True)
    assert queued.record.waiting_on == "hold"
    assert queued.cancel().message == "Canceled by admin before it was started"
    assert contract.visited(queued) == ["queued", "canceled"]
    deleted = site.run(contract.ENDLESS, hold=True)
    deleted.delete()
    with pytest.raises(NotFound):
        deleted.refresh()


def test_it_is_frozen_and_goes_on(site: Site) -> None:
    handle = site.run(contract.ENDLESS)
    assert next(iter(handle.logs(follow=True))).text == "begun"
    with pytest.raises(Conflict, match="saves checkpoints"):
        handle.pause("checkpoint")
    with pytest.raises(Conflict) as late:
        handle.change(priority=5, limits={"timeout": 7200, "pids": 3})
    assert [(error["field"], error["code"]) for error in late.value.errors] == [
        ("priority", "too_late"),
        ("limits.pids", "too_late"),
    ]
    before = handle.record.deadline or handle.refresh().deadline
    assert handle.change(limits={"timeout": 7200}).deadline > before  # type: ignore[operator]
    assert handle.pause().pause.mode == "freeze"  # type: ignore[union-attr]
    site.until(handle, "paused")
    assert handle.refresh().pause.paused_at is not None  # type: ignore[union-attr]
    assert handle.record.deadline is None
    assert handle.pause().status == "paused"
    handle.resume()
    site.until(handle, "running")
    assert handle.resume().pause is None
    handle.kill()
    handle.wait(60)
    assert contract.visited(handle)[2:6] == ["running", "paused", "running", "stopping"]


def test_it_saves_a_checkpoint_and_goes_on_from_it(site: Site) -> None:
    handle = site.run(contract.CHECKPOINTS)
    assert next(iter(handle.logs(follow=True))).text == "begun"
    site.until_it_may_save(handle)
    handle.pause("checkpoint")
    site.until(handle, "paused")
    assert handle.resume().status == "queued"
    record = handle.wait(60)
    assert (record.cause, record.attempt, [line.text for line in handle.logs()]) == ("ok", 2, ["begun", "again"])
    from_it = handle.rerun(from_checkpoint=True)
    assert from_it.wait(60).lineage.resumed_from == handle.id
    assert [line.text for line in from_it.logs()] == ["again"]


def test_it_is_run_again_put_aside_and_deleted(site: Site) -> None:
    team = uuid4().hex
    handle = site.run(contract.INDEX, labels={"team": team}, hold=True)
    with pytest.raises(Conflict) as early:
        handle.rerun()
    assert early.value.detail == "Its status is queued, which does not allow this: rerun."
    handle.release()
    handle.wait(60)
    with pytest.raises(Conflict):
        handle.cancel()
    again = handle.rerun(env={"GREETING": "ho"}, labels={"team": None, "tier": "b"})
    assert again.wait(60).lineage.rerun_of == handle.id
    assert [line.text for line in again.logs()] == ["0.5 ho"]
    assert dict(again.record.labels) == {"tier": "b"}
    assert [record.id for record in site.client.list(rerun_of=handle.id)] == [again.id]

    assert handle.archive("record").archived_at is not None
    assert handle.record.log.expired_at is not None
    assert site.client.list(label={"team": team}).all() == []
    assert [record.id for record in site.client.list(label={"team": team}, archived="true")] == [handle.id]
    assert handle.restore().archived_at is None
    seen = handle.refresh().revision
    assert handle.change(name="other", labels={"tier": "c"}).name == "other"
    assert handle.record.revision != seen
    with pytest.raises(Conflict) as overtaken:
        site.client.request(
            "PATCH", f"/v1/executions/{handle.id}", json={"name": "x"}, headers={"If-Match": f'"{seen}"'}
        )
    assert overtaken.value.status == 412
    with pytest.raises(Conflict) as late:
        handle.change(limits={"timeout": 5})
    assert late.value.detail == "Its status is succeeded, which does not allow this: PATCH limits."
    handle.delete()
    with pytest.raises(NotFound):
        site.client.get(handle.id)
    assert again.refresh().lineage.rerun_of is None


def test_a_submission_with_a_key_is_one(site: Site) -> None:
    key, body = uuid4().hex, contract.TRUE.submission
    first = site.client.submit(body, idempotency_key=key)
    assert site.client.submit({**body, "priority": 0}, idempotency_key=f'"{key}"').id == first.id
    with pytest.raises(Invalid) as other:
        site.client.submit({**body, "name": "other"}, idempotency_key=key)
    assert [(error["field"], error["code"]) for error in other.value.errors] == [("Idempotency-Key", "key_reused")]
    assert first.id in other.value.detail
    assert site.client.submit({**body, "name": "other"}).id != first.id
    before = len(site.client.list(q=key).all())
    assert site.client.dry_run({**body, "name": key}).status == "queued"
    assert len(site.client.list(q=key).all()) == before == 0


def test_lists_are_found_and_paged(site: Site) -> None:
    team = uuid4().hex
    made = [site.run(contract.TRUE, hold=True, labels={"team": team}, name=f"n{n} {team}").id for n in range(5)]
    ended = site.ended(contract.THREE, labels={"team": team, "a=b": "c"})
    path, label = "/v1/executions", {"team": team}
    pages, cursor = [], None
    while cursor is not None or not pages:
        page = site.client.request("GET", path, params={"label": label, "limit": 4, "cursor": cursor})
        pages.append([item["id"] for item in page["items"]])
        cursor = page["next"]
    assert pages == [[ended.id, *made[:1:-1]], made[1::-1]]

    def found(**filters: Any) -> list[str]:
        return [record.id for record in site.client.list(label=label, **filters)]

    assert found(status="queued", sort="created") == made
    assert found(status=["failed", "succeeded"], cause="exit_nonzero", owner="admin") == [ended.id]
    assert [record.id for record in site.client.list(label={"a=b": None, **label})] == [ended.id]
    assert found(method="nothing") == found(owner="nobody") == found(q="nothing") == []
    assert found(q=f"N1 {team[:9]}") == [made[1]]
    assert found(sort="-finished") == found(image="busybox:*", min_duration=0) == [ended.id]
    first = site.client.request("GET", path, params={"label": label, "limit": 1})
    with pytest.raises(Invalid) as other:
        site.client.request("GET", path, params={"limit": 1, "cursor": first["next"]})
    assert [(error["field"], error["code"]) for error in other.value.errors] == [("cursor", "other_cursor")]
    for name in made:
        site.client.get(name).delete()


def test_batches(site: Site) -> None:
    rates = {"defaults": contract.INDEX.submission, "matrix": {"inputs": {"rate": [1, 2]}, "env": {"CODE": ["0", "3"]}}}
    batch = site.client.batch({**rates, "name": "sweep"})
    record = batch.wait(60)
    assert (record.status, record.progress.total, record.progress.ended) == ("failed", 4, 4)
    assert {name: count for name, count in record.progress.by_status.items() if count} == {"succeeded": 2, "failed": 2}
    handles = batch.handles()
    assert [handle.record.exit_code for handle in handles] == [0, 3, 0, 3]
    assert [handle.record.lineage.batch["index"] for handle in handles] == [0, 1, 2, 3]
    assert [line.text for line in handles[2].logs()] == ["2 hi"]
    again = batch.rerun()
    assert again.wait(60).lineage["rerun_of"] == batch.id
    assert [handle.record.lineage.batch["index"] for handle in again.handles()] == [1, 3]
    with pytest.raises(Conflict, match="It has ended"):
        again.cancel()

    held = site.client.batch({"defaults": {**contract.ENDLESS.submission, "hold": True}, "count": 2})
    assert held.record.status == "queued"
    assert held.cancel().stop["reason"] == "cancel"
    assert held.wait(60).status == "canceled"
    assert held.id in [record.id for record in site.client.batches.list()]
    held.delete()
    with pytest.raises(NotFound):
        held.refresh()
    failing = {**contract.THREE.submission}
    fast = site.client.batch({"items": [failing, contract.ENDLESS.submission], "fail_fast": True})
    assert (fast.wait(60).status, fast.record.cause) == ("failed", "fail_fast")
    assert fast.handles()[1].record.cause == "canceled_by_system"
    with pytest.raises(Invalid) as wrong:
        site.client.batch({"defaults": {"image": contract.IMAGE, "colour": 1}, "items": [{}, {"priority": "x"}]})
    assert {error["field"] for error in wrong.value.errors} == {"defaults.colour", "items[1].priority"}
    with pytest.raises(Invalid) as neither:
        site.client.batch({"defaults": {"image": contract.IMAGE}})
    assert [(error["field"], error["code"]) for error in neither.value.errors] == [("items", "not_one_way")]


def test_methods(site: Site) -> None:
    name = f"m-{uuid4().hex[:8]}"
    document = {
        "name": name,
        "version": "1.0.0",
        "title": "Greets",
        "image": contract.IMAGE,
        "command": ["echo", "hello {{whom}}", "--n={{n}}"],
        "inputs": {
            "type": "object",
            "properties": {"whom": {"type": "string", "default": "world"}, "n": {"type": "integer", "minimum": 1}},
        },
        "labels": {"from": "method"},
        "limits": {"timeout": 60},
    }
    methods = site.client.methods
    draft = methods.create(**document)
    assert (draft["status"], draft.version) == ("draft", "1.0.0")
    with pytest.raises(Conflict):
        methods.create(**document)
    with pytest.raises(Invalid) as unpublished:
        site.client.run(method=name)
    assert [(error["field"], error["code"]) for error in unpublished.value.errors] == [("method", "unknown_version")]
    assert methods.publish(name, "1.0.0").status == "published"
    handle = site.client.run(method=name, inputs={"n": 2})
    handle.wait(60, check=True)
    assert [line.text for line in handle.logs()] == ["hello world --n=2"]
    assert (handle.record.method.name, handle.record.method.version) == (name, "1.0.0")  # type: ignore[union-attr]
    assert handle.record.labels["from"] == "method"
    assert handle.record.limits["timeout"] == 60
    again = handle.rerun(inputs={"whom": "Ann"})
    again.wait(60, check=True)
    assert [line.text for line in again.logs()] == ["hello Ann --n=2"]
    assert {record.id for record in site.client.list(method=f"{name}@1.0.0")} == {handle.id, again.id}
    with pytest.raises(Invalid) as wrong:
        site.client.run(method=name, inputs={"n": 0, "colour": 1, "whom": 2}, command=["true"])
    assert {(error["field"], error["code"]) for error in wrong.value.errors} == {
        ("inputs.n", "minimum"),
        ("inputs.colour", "unknown_input"),
        ("inputs.whom", "type"),
        ("command", "methods_own"),
    }
    assert methods.get(name).latest == "1.0.0"
    assert methods.version(name).document["title"] == "Greets"
    assert name in [method.name for method in methods.list(q=name)]
    assert methods.disable(name, "moving").runnable is False
    with pytest.raises(Conflict, match="moving"):
        site.client.run(method=name)
    assert methods.enable(name).runnable


def test_files_go_along(site: Site) -> None:
    file = site.client.files.upload(b"a,b\n", name="rows.csv")
    assert (file.name, file.bytes, file.media_type) == ("rows.csv", 4, "text/csv")
    handle = site.ended(contract.READS, files={"rows.csv": file, "note.txt": {"text": "note\n"}})
    assert [line.text for line in handle.logs()] == ["a,b", "note"]
    assert site.client.files.read(file.id) == b"a,b\n"
    assert file.id in [each.id for each in site.client.files.list(name="rows")]
    site.client.files.delete(file.id)
    with pytest.raises(NotFound):
        site.client.files.get(file.id)


BAD: list[Any] = [
    {},
    [],
    {"image": "", "colour": "red", "limits": {"timeout": -1, "cpus": "x", "nothing": 1}, "command": []},
    {"image": "Not An Image", "command": "echo hi"},
    {"image": "x", "command": ["a", 1], "env": {"1A": "x", "TAILRACE_X": "y", "B": 1}, "labels": {"a": None}},
    {"image": "x", "limits": {"grace": 5, "notice": 5}},
    {"image": "x", "limits": {"memory": "lots", "pids": 0, "timeout": 10**9, "shm": -1, "log_bytes": "1KiB"}},
    {"image": "x", "limits": [], "env": [], "hold": "yes", "priority": 101, "max_attempts": 1.5},
    {"image": "x", "network": "host", "image_policy": 3, "lane": "fast", "archive": "none", "on_timeout": "x"},
    {"image": "x", "retry_on": ["ok", 0, 3, "exit_nonzero"], "exit_codes": {"3": "unknown"}},
    {"image": "x", "workdir": "relative", "user": "a:b:c", "stop_signal": "TERM", "name": "n" * 201},
    {"image": "x", "profile": "p"},
    {"image": "x", "resume_from": "nothing"},
    {"image": "x", "resume_from": NOWHERE},
    {"image": "x", "outputs": [{}, {"path": "a", "required": 1}], "setup": {"command": []}},
    {"method": "no-such-method"},
    {"image": "x", "not_before": "tomorrow"},
]
BAD_QUERIES: list[Any] = [
    {"status": ["nothing", "failed"]},
    {"limit": 0},
    {"limit": "x", "colour": 1},
    {"limit": 201},
    {"cursor": "nonsense"},
    {"batch": "x", "created_after": "yesterday"},
    {"cause": "bad"},
]
BAD_READS: list[Any] = [
    {"after": -1},
    {"tail": "x"},
    {"streams": "stdin"},
    {"level": "loud"},
    {"since": "never"},
    {"colour": 1},
]


def _problem(client: Client, method: str, path: str, **options: Any) -> Any:
    with pytest.raises(ApiError) as refused:
        client.request(method, path, **options)
    problem = refused.value.problem
    errors = [(error["field"], error["code"], error["message"]) for error in problem["errors"]]
    return problem["status"], problem["type"], problem["title"], sorted(errors)


def test_what_is_wrong_is_told_in_the_same_words(fake: Site, real: Site) -> None:
    """The same codes and sentences, field by field."""
    handle = {site.name: site.run(contract.TRUE, hold=True) for site in (fake, real)}
    requests: list[tuple[str, str, dict[str, Any]]] = [
        *(("POST", "/v1/executions", {"json": body}) for body in BAD),
        *(("POST", "/v1/executions", {"json": body, "params": {"dry_run": True}}) for body in BAD[2:4]),
        *(("GET", "/v1/executions", {"params": query}) for query in BAD_QUERIES),
        *(("GET", "/v1/executions/{id}/logs", {"params": query}) for query in BAD_READS),
        ("GET", f"/v1/executions/{NOWHERE}", {}),
        ("GET", "/v1/executions/nonsense", {}),
        ("GET", "/v1/executions/{id}", {"params": {"wait": -1}}),
        ("GET", "/v1/executions/{id}", {"params": {"wait": 61, "colour": 1}}),
        ("POST", "/v1/executions/{id}/cancel", {"json": {"force": "yes", "colour": 1}}),
        ("POST", "/v1/executions/{id}/pause", {"json": {"mode": "stop"}}),
        ("POST", "/v1/executions/{id}/pause", {}),
        ("POST", "/v1/executions/{id}/archive", {}),
        ("PATCH", "/v1/executions/{id}", {"json": {"name": 1, "colour": 2, "limits": {"timeout": 0}}}),
        ("GET", "/v1/executions/{id}/outputs/nothing", {}),
        ("POST", "/v1/executions", {"json": {"image": "x"}, "idempotency_key": "a b"}),
        ("POST", "/v1/executions", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        ("POST", "/v1/batches", {"json": {"count": 0, "colour": 1, "defaults": {"image": "x"}}}),
        ("POST", "/v1/methods", {"json": {"name": "A", "version": "1"}}),
        ("GET", "/v1/methods/no-such-method", {}),
        ("GET", "/nowhere", {}),
    ]
    differing = []
    for method, path, options in requests:
        told = {
            site.name: _problem(site.client, method, path.replace("{id}", handle[site.name].id), **options)
            for site in (fake, real)
        }
        if told["fake"] != told["real"]:
            differing.append((method, path, options, told))
    for each in handle.values():
        each.delete()
    assert not differing, "\n".join(map(str, differing))


def test_who_has_no_token_is_told(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_CONFIG", str(tmp_path / "none.toml"))
    for token in (None, "trt_nothing"):
        with Client(site.client.url, token) as nobody, pytest.raises(Unauthorized) as refused:
            nobody.me()
        assert refused.value.code == "not_authenticated"
