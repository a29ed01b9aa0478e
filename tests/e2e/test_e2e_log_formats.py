"""The log over plain HTTP: text, NDJSON, server-sent events, raw; whole or live."""

from collections.abc import AsyncIterator

import httpx
import orjson
import pytest

from support.history import check_history
from support.running import Json, Running, lines_of

SPOKEN = "for i in 1 2 3; do echo out $i; echo err $i >&2; sleep 0.3; done"


@pytest.fixture(scope="module")
async def finished(tailrace: Running) -> str:
    execution = await tailrace.submit("sh", "-c", SPOKEN)
    await check_history(tailrace, execution)
    return execution


async def sse(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """Server-sent events, as a browser reads them; comments are left out."""
    event: dict[str, str] = {}
    async for line in response.aiter_lines():
        if not line:
            if "data" in event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


async def events_of(tailrace: Running, execution: str, last: str | None = None, **parameters: object) -> list[Json]:
    """All events of one connection: `{"id": …, "event": …, "frame": …}`."""
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
    async with tailrace.client() as client:
        path = f"/v1/executions/{execution}/logs"
        async with client.stream("GET", path, params=parameters, headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            return [{**event, "frame": orjson.loads(event["data"])} async for event in sse(response)]


async def test_server_sent_events_follow_to_the_end(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", SPOKEN)
    events = await events_of(tailrace, execution, follow=True, streams="stdout,stderr,system")
    assert (events[-1]["event"], events[-1]["frame"]["status"]) == ("end", "succeeded")
    frames = [event["frame"] for event in events]
    assert frames[0] == {**frames[0], "type": "hello", "protocol": 1, "execution": execution, "after": 0}
    assert lines_of(frames) == lines_of(await tailrace.frames(execution))
    with_lines = [event for event in events if event["frame"]["type"] == "lines"]
    for event in with_lines:
        assert int(event["id"]) == event["frame"]["first"] + len(event["frame"]["lines"]) - 1
    assert all("id" not in event for event in events[:-1] if event not in with_lines)


async def test_a_browser_resumes_by_the_id_of_its_last_event(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", SPOKEN)
    everything = {"follow": True, "streams": "stdout,stderr,system"}
    whole = [event["frame"] for event in await events_of(tailrace, execution, **everything)]
    for last in ("1", "4", "7"):
        frames = [event["frame"] for event in await events_of(tailrace, execution, last, **everything)]
        assert lines_of(frames) == lines_of(whole)[int(last) :]


async def test_plain_text_is_what_the_program_wrote(tailrace: Running, finished: str) -> None:
    response = await tailrace.request("GET", f"/v1/executions/{finished}/logs")
    assert response.headers["content-type"].startswith("text/plain")
    assert sorted(response.text.splitlines()) == sorted([f"{s} {i}" for s in ("out", "err") for i in (1, 2, 3)])
    assert await tailrace.log_text(finished, streams="stderr") == "err 1\nerr 2\nerr 3\n"


async def test_plain_text_can_be_followed(tailrace: Running) -> None:
    execution = await tailrace.submit("sh", "-c", SPOKEN)
    assert await tailrace.log_text(execution, follow=True, streams="stdout") == "out 1\nout 2\nout 3\n"
    assert (await tailrace.execution(execution))["status"] == "succeeded"


async def test_a_line_of_json_per_record(tailrace: Running, finished: str) -> None:
    response = await tailrace.request("GET", f"/v1/executions/{finished}/logs", params={"format": "ndjson"})
    assert response.headers["content-type"].startswith("application/x-ndjson")
    lines = [orjson.loads(line) for line in response.content.splitlines()]
    assert all(line.keys() == {"seq", "at", "stream", "text"} for line in lines)
    known = {(seq, text) for seq, _, text in lines_of(await tailrace.frames(finished), "o", "e")}
    assert {(line["seq"], line["text"]) for line in lines} == known
    assert {line["stream"] for line in lines} == {"stdout", "stderr"}


async def test_the_media_type_can_be_asked_for_by_header(tailrace: Running, finished: str) -> None:
    for accept in ("text/plain", "application/x-ndjson", "text/event-stream", "application/octet-stream"):
        response = await tailrace.request("GET", f"/v1/executions/{finished}/logs", headers={"Accept": accept})
        assert response.headers["content-type"].split(";")[0] == accept
    refused = await tailrace.request("GET", f"/v1/executions/{finished}/logs", headers={"Accept": "image/png"})
    assert refused.status_code == 406


async def test_a_download_has_a_name(tailrace: Running, finished: str) -> None:
    response = await tailrace.request("GET", f"/v1/executions/{finished}/logs", params={"download": True})
    assert response.headers["content-disposition"].startswith(f'attachment; filename="{finished}.log"; ')


async def test_a_part_of_it(tailrace: Running, finished: str) -> None:
    whole = lines_of(await tailrace.frames(finished))
    for after in (0, 2, 5, 1000):
        expected = [text for seq, letter, text in whole if seq > after and letter == "o"]
        assert (await tailrace.log_text(finished, streams="stdout", after=after)).splitlines() == expected
    last = [text for _, letter, text in whole if letter in "oe"][-3:]
    assert (await tailrace.log_text(finished, tail=3)).splitlines() == last


@pytest.mark.parametrize(
    "parameters",
    [{"after": -1}, {"after": "x"}, {"tail": -1}, {"streams": "none"}, {"format": "pdf"}, {"nonsense": 1}],
)
async def test_a_bad_question_names_the_field(tailrace: Running, finished: str, parameters: Json) -> None:
    response = await tailrace.request("GET", f"/v1/executions/{finished}/logs", params=parameters)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert next(iter(parameters)) in response.text
