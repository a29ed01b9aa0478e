"""Whatever is wrong with a request: every field is named, and nothing is left behind."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from served import Api, Submit

from app.bootstrap import Process
from app.executions.model import RETRIABLE

JSON = {"Content-Type": "application/json"}


async def refused(client: httpx.AsyncClient, fields: dict[str, Any], **request: Any) -> dict[str, str]:
    """Submit, expect 422, and give the message of each field."""
    response = await client.post("/v1/executions", **(request or {"json": {"image": "busybox", **fields}}))
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "urn:tailrace:problem:invalid_request"
    assert (problem["status"], problem["instance"]) == (422, "/v1/executions")
    assert (await client.get("/v1/executions")).json()["items"] == []
    return {error["field"]: error["message"] for error in problem["errors"]}


async def test_everything_wrong_is_named_in_one_answer(client: httpx.AsyncClient) -> None:
    body = {
        "command": [],
        "entrypoint": "sh -c",
        "env": {"A-B": "x", "TAILRACE_ID": "x", "OK": 1},
        "inputs": {"1st": 1},
        "labels": {"k" * 64: "v" * 256},
        "name": "n" * 201,
        "note": "n" * 4001,
        "workdir": "relative",
        "user": "a b",
        "stop_signal": "SIGNOPE",
        "network": "host",
        "image_policy": "sometimes",
        "max_attempts": 0,
        "retry_on": [0, "ok"],
        "on_timeout": "again",
        "on_interrupted": True,
        "resume_from": "yesterday",
        "limits": {"timeout": -1, "grace": 1.5, "cpus": "many", "memory": "lots", "pids": 0, "speed": 1},
        "privileged": True,
    }
    response = await client.post("/v1/executions", json=body)
    errors = {error["field"]: error["message"] for error in response.json()["errors"]}
    assert errors == {
        "image": "is required",
        "command": "must not be empty; leave it out to use the image's own",
        "entrypoint": 'must be a list of strings, such as `["sh", "-c", "echo hi"]`',
        "env.A-B": "must be named with letters, digits and underscores, not beginning with a digit",
        "env.TAILRACE_ID": "is reserved: names that begin with TAILRACE_ are set by Tailrace",
        "env.OK": "must be a string",
        "inputs.1st": "must be named with letters, digits and underscores, not beginning with a digit",
        f"labels.{'k' * 64}": "must be at most 255 characters long",
        "name": "must be at most 200 characters long",
        "note": "must be at most 4000 characters long",
        "workdir": "must be an absolute path such as `/srv`",
        "user": "must be a user such as `1000`, `nobody` or `1000:1000`",
        "stop_signal": "must be the name of a signal, such as SIGTERM or SIGINT",
        "network": "must be 'none' or 'bridge'",
        "image_policy": "must be 'missing', 'always' or 'never'",
        "max_attempts": "must be at least 1",
        "retry_on[0]": f"must be an exit code from 1 to 255 or one of these causes: {', '.join(sorted(RETRIABLE))}",
        "retry_on[1]": f"must be an exit code from 1 to 255 or one of these causes: {', '.join(sorted(RETRIABLE))}",
        "on_timeout": "must be 'fail' or 'retry'",
        "on_interrupted": "must be 'fail' or 'retry'",
        "resume_from": "must be a UUID",
        "limits.timeout": "must be at least 1",
        "limits.grace": "must be a whole number",
        "limits.cpus": "must be a number",
        "limits.memory": "must be a size: a number of bytes, or a string with a unit such as `512MiB`",
        "limits.pids": "must be at least 1",
        "limits.speed": "is not a known field",
        "privileged": "is not a known field",
    }


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"image": ""}, "image"),
        ({"image": "a" * 513}, "image"),
        ({"image": "Upper/Case"}, "image"),
        ({"image": "busybox:"}, "image"),
        ({"image": "busybox local"}, "image"),
        ({"image": "busybox\n"}, "image"),
        ({"image": "-rm"}, "image"),
        ({"image": None}, "image"),
        ({"image": ["busybox"]}, "image"),
        ({"command": [""]}, "command"),
        ({"command": ["sh", 1]}, "command[1]"),
        ({"command": ["sh", "a\0b"]}, "command[1]"),
        ({"command": ["sh", "x" * 131_072]}, "command[1]"),
        ({"command": ["x"] * 4097}, "command"),
        ({"command": {"sh": "-c"}}, "command"),
        ({"env": {"A": "a\0b"}}, "env.A"),
        ({"env": {"": "x"}}, "env."),
        ({"env": {"tailrace_x": "x"}}, "env.tailrace_x"),
        ({"env": {"A": "x" * (2 * 2**20)}}, "env"),
        ({"env": {f"A{number}": "x" * 1000 for number in range(200)}}, "env"),
        ({"env": ["A=1"]}, "env"),
        ({"inputs": {"a": "x" * (256 * 1024)}}, "inputs"),
        ({"inputs": {"a": {"b": ["ok", "a\0b"]}}}, "inputs.a.b[1]"),
        ({"inputs": {"a": {"b\0": 1}}}, "inputs.a.b\0"),
        ({"inputs": {"a": 2**70}}, "inputs"),
        ({"inputs": {"a" * 201: 1}}, f"inputs.{'a' * 201}"[:200]),
        ({"inputs": []}, "inputs"),
        ({"labels": {str(number): "" for number in range(65)}}, "labels"),
        ({"labels": {"a": "\0"}}, "labels.a"),
        ({"labels": {"": "a"}}, "labels."),
        ({"name": "a\0b"}, "name"),
        ({"user": "a:b:c"}, "user"),
        ({"workdir": "/a\0"}, "workdir"),
        ({"stop_signal": "SIG_BLOCK"}, "stop_signal"),
        ({"max_attempts": 101}, "max_attempts"),
        ({"max_attempts": "2"}, "max_attempts"),
        ({"max_attempts": 2.0}, "max_attempts"),
        ({"max_attempts": True}, "max_attempts"),
        ({"max_attempts": None}, "max_attempts"),
        ({"retry_on": "oom_killed"}, "retry_on"),
        ({"retry_on": None}, "retry_on"),
        ({"retry_on": [1] * 65}, "retry_on"),
        *(
            ({"retry_on": ["oom_killed", wrong]}, "retry_on[1]")
            for wrong in (256, -1, 10**30, 1.0, "1", True, None, [1], {"a": 1}, "bad_luck", "canceled_by_user")
        ),
        ({"on_timeout": "RETRY"}, "on_timeout"),
        ({"on_timeout": None}, "on_timeout"),
        ({"on_interrupted": ["retry"]}, "on_interrupted"),
        ({"limits": {"timeout": "60"}}, "limits.timeout"),
        ({"limits": {"timeout": 60.0}}, "limits.timeout"),
        ({"limits": {"timeout": True}}, "limits.timeout"),
        ({"limits": {"timeout": 0}}, "limits.timeout"),
        ({"limits": {"timeout": 10**30}}, "limits.timeout"),
        ({"limits": {"memory": "1KiB"}}, "limits.memory"),
        ({"limits": {"memory": "9" * 400 + "GiB"}}, "limits.memory"),
        ({"limits": {"memory": "5 parsecs"}}, "limits.memory"),
        ({"limits": {"notice": 5, "grace": 5}}, "limits.notice"),
        ({"limits": {"notice": 10}}, "limits.notice"),
        ({"limits": None}, "limits"),
    ],
)
async def test_one_bad_field_is_named(fields: dict[str, Any], field: str, client: httpx.AsyncClient) -> None:
    assert list(await refused(client, fields)) == [field]


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "localhost:5000/a/b-c__d.e:V1.0-x"},
        {"image": "sha256:" + "0" * 64},
        {"image": "[::1]:5000/a"},
        {"command": ["sh", "-c", ""]},
        {"command": ["x" * 131_071]},
        {"env": {"_a1": ""}},
        {"inputs": {"a": 2**63 - 1, "b": "😀", "c": {"any key": []}}},
        {"labels": {str(number): "" for number in range(64)}},
        {"limits": {"notice": 0, "grace": 0}},
        {"limits": {"memory": "0.5 GiB", "cpus": 0.01}},
        {"stop_signal": "SIGKILL"},
        {"name": "😀" * 200},
        {"max_attempts": 100, "retry_on": [1, 255, *sorted(RETRIABLE)]},
        {"retry_on": [137] * 64},
    ],
)
async def test_what_is_unusual_but_right_is_accepted(fields: dict[str, Any], client: httpx.AsyncClient) -> None:
    body = {"image": "busybox", **fields}
    response = await client.post("/v1/executions?dry_run=true", json=body)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (r'{"image": "busybox", "name": "\ud800"}', "name"),
        (r'{"image": "busybox", "env": {"A": "\udfff"}}', "env.A"),
        (r'{"image": "busybox", "inputs": {"a": "\ud800"}}', "inputs"),
        (r'{"image": "busybox", "\ud800": 1}', "body"),
        ('{"image": "busybox", "inputs": {"a": NaN}}', "inputs.a"),
        ('{"image": "busybox", "inputs": {"a": [Infinity]}}', "inputs.a[0]"),
        ('{"image": "busybox", "inputs": {"a": 1e999}}', "inputs.a"),
        ('{"image": "busybox", "inputs": {"a": ' + "[" * 400 + "]" * 400 + "}}", "inputs"),
        ('{"image": "busybox", "limits": {"cpus": NaN}}', "limits.cpus"),
        ("[]", "body"),
        ("null", "body"),
        ('"image"', "body"),
        ("", "body"),
    ],
)
async def test_json_that_only_looks_right_is_refused(body: str, field: str, client: httpx.AsyncClient) -> None:
    assert list(await refused(client, {}, content=body, headers=JSON)) == [field]


@pytest.mark.parametrize("body", [b"{", b"image=busybox", b"\xff\xfe\x00", b'{"a": 1,}', b"[" * 100_000, b"1" * 5000])
async def test_what_is_not_json_is_malformed(body: bytes, client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/executions", content=body, headers=JSON)
    assert response.status_code == 400
    assert response.json()["type"] == "urn:tailrace:problem:malformed_request"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
async def test_another_content_type_is_refused(content_type: str, client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    response = await client.post("/v1/executions", content=b'{"image": "busybox"}', headers=headers)
    assert response.status_code == 415
    assert response.json()["type"] == "urn:tailrace:problem:unsupported_media_type"


@pytest.mark.parametrize("path", ["/v1/imports", "/v1/files?name=a.zip"])
async def test_a_form_is_not_taken_for_the_file_in_it(path: str, client: httpx.AsyncClient) -> None:
    response = await client.post(path, files={"file": ("a.zip", b"PK\x05\x06" + bytes(18), "application/zip")})
    assert response.status_code == 415
    assert "--data-binary" in response.json()["hint"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/me"),
        ("GET", "/v1/executions/{own}/events"),
        ("POST", "/v1/executions/{own}/cancel"),
        ("DELETE", "/v1/executions/{own}"),
        # What has parameters of its own names them all itself.
        ("GET", "/v1/executions/{own}"),
    ],
)
async def test_a_parameter_that_is_not_known_is_refused(
    method: str, path: str, client: httpx.AsyncClient, anonymous: httpx.AsyncClient, submit: Submit
) -> None:
    own = path.format(own=await submit())
    response = await client.request(method, f"{own}?force=1&b=2")
    assert response.status_code == 422
    errors = {error["field"]: error["code"] for error in response.json()["errors"]}
    assert errors == dict.fromkeys(["force", "b"], "extra_forbidden")
    assert response.json()["hint"]
    assert (await anonymous.request(method, f"{own}?force=1")).status_code == 401


async def test_a_charset_beside_the_content_type_is_fine(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "Application/JSON; charset=UTF-8"}
    response = await client.post("/v1/executions", content=b'{"image": "busybox"}', headers=headers)
    assert response.status_code == 201


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_refused(*, chunked: bool, client: httpx.AsyncClient, api: Api) -> None:
    size = api.process.settings.body_limit + 1

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size // 65_536 + 1):
            yield b" " * 65_536

    response = await client.post("/v1/executions", content=pieces() if chunked else b" " * size, headers=JSON)
    assert response.status_code == 413
    assert response.json()["type"] == "urn:tailrace:problem:payload_too_large"
    (entry,) = (await client.get("/v1/audit")).json()["items"]
    assert (entry["action"], entry["status"]) == ("submit_execution", 413)


async def test_a_flood_of_errors_gets_a_short_answer(client: httpx.AsyncClient) -> None:
    codes = {"exit_codes": {str(number): "fail" for number in range(256, 20_256)}}
    body = json.dumps({f"unknown-{number}": 1 for number in range(20_000)} | {"x" * 100_000: 1} | codes)
    response = await client.post("/v1/executions", content=body, headers=JSON)
    assert response.status_code == 422
    assert len(response.content) < 20_000
    assert "40002 fields are wrong" in response.json()["detail"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("cursor=nonsense", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=" + "A" * 22 + "=", "cursor"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("status=done", "status[0]"),
        ("label=", "label"),
        ("label=a=%00", "label[0]"),
        ("colour=red", "colour"),
    ],
)
async def test_a_bad_query_is_named(query: str, field: str, client: httpx.AsyncClient) -> None:
    response = await client.get(f"/v1/executions?{query}")
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "inf", "soon"])
async def test_a_bad_wait_is_named(wait: str, client: httpx.AsyncClient, submit: Submit) -> None:
    response = await client.get(f"/v1/executions/{await submit()}?wait={wait}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "wait"


@pytest.mark.parametrize("path", ["", "/events", "/attempts", "/outputs", "/outputs/a", "/outputs.zip"])
async def test_a_bad_id_is_named(path: str, client: httpx.AsyncClient) -> None:
    response = await client.get(f"/v1/executions/nope{path}")
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == ["id"]


@pytest.mark.parametrize("body", ['{"force": "yes"}', '{"force": 1}', '{"gently": true}', "[]"])
async def test_a_bad_cancel_stops_nothing(body: str, client: httpx.AsyncClient, submit: Submit) -> None:
    execution = await submit()
    response = await client.post(f"/v1/executions/{execution}/cancel", content=body, headers=JSON)
    assert response.status_code == 422
    assert (await client.get(f"/v1/executions/{execution}")).json()["status"] == "queued"


async def test_nothing_refused_rings_a_bell(api: Api, process: Process, client: httpx.AsyncClient) -> None:
    await api.settle()
    async with process.listener.subscribe(process.channels.bell("default")) as bells:
        for request in ({"json": {}}, {"content": b"{", "headers": JSON}, {"content": b"{}"}):
            assert (await client.post("/v1/executions", **request)).is_client_error  # type: ignore[arg-type]
        await api.settle()
        assert await bells.get(0.1) is None


async def test_unknown_paths_and_methods_are_problems(client: httpx.AsyncClient) -> None:
    missing = await client.get("/v1/nothing")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:tailrace:problem:not_found")
    wrong = await client.delete("/v1/executions")
    assert (wrong.status_code, wrong.json()["type"]) == (405, "urn:tailrace:problem:method_not_allowed")
    assert wrong.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("GET", "/v1/executions?created_after=20261121", None, "created_after"),
        ("GET", "/v1/stats?to=1795231940.5", None, "to"),
        ("POST", "/v1/executions:cancel", {"created_before": 1795231940}, "created_before"),
        ("POST", "/v1/schedules:preview", {"rule": {"every": 60, "start": 20261121}}, "rule.start"),
        ("POST", "/v1/executions:cancel", {"has_warnings": 0.0}, "has_warnings"),
        ("POST", "/v1/executions:cancel", {"max_duration": True}, "max_duration"),
        ("GET", "/v1/audit?until=20261121", None, "until"),
        # No other time zone has it.
        ("GET", "/v1/audit?since=0001-01-01T00:00:00%2B23:00", None, "since"),
    ],
)
async def test_what_could_be_misread_is_refused(
    admin: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None, field: str
) -> None:
    response = await admin.request(method, path, json=body)
    assert response.status_code == 422, response.text
    assert [error["field"] for error in response.json()["errors"]] == [field]
