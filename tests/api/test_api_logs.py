"""The log over HTTP: any part of it, in any shape, of executions that run or have ended."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
from hand import Hand
from served import Api
from sqlalchemy import select

from app.bootstrap import Process
from app.db.engine import reading
from app.logs.tables import LogSegment
from support.eventually import eventually
from support.logbook import Log, Logbook, writing
from support.records import Records
from worker.engine.port import Stream
from worker.log_keeping import LogKeeper

TALK = [
    (Stream.STDERR, b"2026-11-21 03:32:20 INFO starting\n"),
    (Stream.STDOUT, b"one\n"),
    (Stream.STDERR, b"2026-11-21 03:32:21 ERROR it broke\n"),
    (Stream.STDERR, b'Traceback (most recent call last):\n  File "a.py", line 1\n'),
    (Stream.STDOUT, b"\x1b[32mtwo\x1b[0m\n"),
    (Stream.STDERR, b"2026-11-21 03:32:22 INFO going on\n"),
    (Stream.STDOUT, b"\r 10%\r 50%\r100%\n"),
    (Stream.STDOUT, b"three\r\n"),
    (Stream.STDOUT, b"bytes \xff\xfe\x00\n"),
]  # fmt: skip


@pytest.fixture
async def logbook(process: Process) -> AsyncIterator[Logbook]:
    async with writing(await Records.of(process)) as logbook:
        yield logbook


@pytest.fixture
async def ann(api: Api) -> httpx.AsyncClient:
    """Whose executions the logbook's are."""
    return await api.client("ann")


async def talk(logbook: Logbook, said: Sequence[tuple[Stream, bytes]] = TALK) -> Log:
    log = await logbook.begin()
    for stream, data in said:
        await log.write(data, stream)
        await log.sink.drain()
    return log


async def whole(logbook: Logbook, said: Sequence[tuple[Stream, bytes]] = TALK) -> str:
    """The id of an execution that said this, and has ended."""
    log = await talk(logbook, said)
    await logbook.finish(log)
    return str(log.execution)


async def get(client: httpx.AsyncClient, execution: object, **parameters: Any) -> httpx.Response:
    return await client.get(f"/v1/executions/{execution}/logs", params=parameters)


async def text(client: httpx.AsyncClient, execution: object, **parameters: Any) -> str:
    response = await get(client, execution, **parameters)
    assert response.status_code == 200, response.text
    return response.text


async def records(client: httpx.AsyncClient, execution: object, **parameters: Any) -> list[dict[str, Any]]:
    body = await text(client, execution, format="ndjson", **parameters)
    return [orjson.loads(line) for line in body.splitlines()]


async def seqs(client: httpx.AsyncClient, execution: object, **parameters: Any) -> list[int]:
    return [record["seq"] for record in await records(client, execution, **parameters) if "seq" in record]


PARTS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ({"after": 7}, [8, 9, 10]),
    ({"before": 3}, [1, 2]),
    ({"before": 8, "tail": 2}, [6, 7]),
    ({"before": 99, "tail": 2}, [9, 10]),
    ({"after": 2, "before": 5}, [3, 4]),
    ({"tail": 3}, [8, 9, 10]),
    ({"tail": 0}, []),
    ({"limit": 2, "after": 3}, [4, 5]),
    ({"streams": "stdout"}, [2, 6, 8, 9, 10]),
    ({"streams": "stdout", "tail": 2}, [9, 10]),
    ({"streams": "stderr", "tail": 2}, [5, 7]),
    ({"grep": "o", "tail": 2}, [6, 7]),
    ({"grep": "o", "tail": 2, "before": 7}, [4, 6]),
    ({"grep": "o", "tail": 3, "limit": 1}, [4]),
    ({"grep": "o", "tail": 9}, [2, 3, 4, 6, 7]),
    ({"grep": "o", "tail": 0}, []),
    ({"level": "error", "tail": 2}, [4, 5]),
    ({"until": "0s", "since": "1h", "tail": 1}, [10]),
    ({"grep": "o"}, [2, 3, 4, 6, 7]),
    ({"grep": "T", "ignore_case": True}, [1, 3, 4, 6, 9, 10]),
    ({"grep": "e", "invert": True, "streams": "stdout"}, [6, 8]),
    ({"grep": "^two$"}, [6]),
    ({"grep": "three$"}, [9]),
    ({"level": "error"}, [3, 4, 5]),
    ({"level": "error", "after": 3}, [4, 5]),
    ({"level": "WARNING", "grep": "File"}, [5]),
    ({"level": "debug", "streams": "stderr", "limit": 1}, [1]),
    ({"since": "1h"}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ({"until": "1h"}, []),
    ({"since": "2100-01-01T00:00:00Z"}, []),
    ({"after": "", "grep": "", "level": "", "since": ""}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
]


async def test_any_part_of_a_log(logbook: Logbook, ann: httpx.AsyncClient) -> None:
    said = [(stream, data) for stream, data in TALK if b"\x1b" not in data]
    said.insert(4, (Stream.STDOUT, b"two\n"))
    execution = await whole(logbook, said)
    for parameters, expected in PARTS:
        assert await seqs(ann, execution, **parameters) == expected, parameters


async def test_every_shape_is_the_same_when_a_log_was_put_away(
    logbook: Logbook, ann: httpx.AsyncClient, process: Process
) -> None:
    execution = await whole(logbook)
    questions: list[dict[str, Any]] = [
        {"format": shape, **more}
        for shape in ("text", "ndjson", "sse", "raw")
        for more in ({}, {"grep": "e"}, {"level": "error"}, {"after": 3}, {"tail": 4}, {"since": "1h"}, {"before": 6})
    ]
    before = [(await get(ann, execution, **question)).content for question in questions]
    await LogKeeper(process.database).sweep(days=None)
    async with reading(process.database) as connection:
        segments = select(LogSegment.first_seq).where(LogSegment.execution_id == UUID(execution))
        assert (await connection.execute(segments)).all()
    assert [(await get(ann, execution, **question)).content for question in questions] == before


async def test_plain_text_is_what_a_terminal_would_show(logbook: Logbook, ann: httpx.AsyncClient) -> None:
    execution = await whole(logbook)
    assert (await text(ann, execution, streams="stdout")).split("\n") == [
        "one", "\x1b[32mtwo\x1b[0m", "100%", "three", "bytes \ufffd\ufffd\x00", "",
    ]  # fmt: skip
    assert "\ntwo\n" in await text(ann, execution, streams="stdout", ansi="strip")
    stamped = (await text(ann, execution, timestamps=True)).splitlines()
    shown = await records(ann, execution)
    assert [line.split(" ", 1)[0] for line in stamped] == [record["at"] for record in shown]


async def test_what_was_written_stays_as_it_was(logbook: Logbook, ann: httpx.AsyncClient) -> None:
    execution = await whole(logbook)
    raw = await get(ann, execution, format="raw", streams="stdout")
    assert raw.content == b"".join(data for stream, data in TALK if stream is Stream.STDOUT)
    assert [record["text"] for record in await records(ann, execution, streams="stdout")][1:4] == [
        "\x1b[32mtwo\x1b[0m", "\r 10%\r 50%\r100%", "three\r",
    ]  # fmt: skip
    stripped = await records(ann, execution, streams="stdout", ansi="strip")
    assert stripped[1]["text"] == "two"
    found = await get(ann, execution, format="raw", grep="bytes")
    assert found.content == b"bytes \xff\xfe\x00\n"


async def test_pages_can_be_turned_in_both_directions(logbook: Logbook, ann: httpx.AsyncClient) -> None:
    execution = await whole(logbook, [(Stream.STDOUT, b"".join(b"%d\n" % number for number in range(1, 1_001)))])
    ahead: list[int] = []
    page = await records(ann, execution, limit=300, grep="1")
    while page[-1].get("type") == "more":
        ahead += [record["seq"] for record in page[:-1]]
        page = await records(ann, execution, limit=300, grep="1", after=page[-1]["after"])
    ahead += [record["seq"] for record in page]
    assert ahead == [number for number in range(1, 1_001) if "1" in str(number)]
    back: list[int] = []
    while rows := await seqs(ann, execution, before=back[0] if back else 2**40, tail=300):
        back = rows + back
    assert back == list(range(1, 1_001))


async def test_the_last_ones_are_the_last_that_match_however_far_back(
    logbook: Logbook, ann: httpx.AsyncClient, api: Api
) -> None:
    said = b"".join(b"needle\n" if number % 3_000 == 8 else b"straw\n" for number in range(1, 10_001))
    execution = await whole(logbook, [(Stream.STDOUT, said), (Stream.STDERR, b"straw\n" * 3_000)])
    found = {"grep": "needle", "streams": "stdout,stderr,system"}
    assert await seqs(ann, execution, **found, tail=2) == [6_008, 9_008]
    assert await seqs(ann, execution, **found, tail=1, before=9_008) == [6_008]
    assert await seqs(ann, execution, **found, tail=50) == [8, 3_008, 6_008, 9_008]
    assert await seqs(ann, execution, **found, tail=2, after=6_008) == [9_008]
    assert await text(ann, execution, **found, tail=3) == "needle\n" * 3
    assert await text(ann, execution, **found, tail=3, format="raw") == "needle\n" * 3
    assert (await text(ann, execution, **found, tail=3, format="sse")).count("needle") == 3
    assert await seqs(ann, execution, streams="stdout", tail=2) == [9_999, 10_000]
    # To find fewer than there are would be a wrong answer.
    hurried = api.process.settings.model_copy(update={"search_seconds": 1e-9})
    patient, api.app.state.process = api.process, replace(api.process, settings=hurried)
    try:
        refused = await get(ann, execution, **found, tail=2)
        assert refused.status_code == 422
        assert [(error["field"], error["code"]) for error in refused.json()["errors"]] == [("tail", "search_time")]
    finally:
        api.app.state.process = patient


@pytest.mark.parametrize("streams", ["stdout", "stdout,stderr,system"])
async def test_the_last_ones_are_found_beyond_a_gap(logbook: Logbook, ann: httpx.AsyncClient, streams: str) -> None:
    log = await logbook.begin(log_bytes=2**16)
    await log.write(b"line\n" * 60_000)
    await logbook.finish(log)
    kept = await seqs(ann, log.execution, streams=streams)
    behind = next(seq for seq, before in zip(kept[1:], kept, strict=False) if seq > before + 1)
    assert behind > 20_000
    count = len(kept) - kept.index(behind)
    assert await seqs(ann, log.execution, tail=count + 5, streams=streams) == kept[-count - 5 :]
    assert await seqs(ann, log.execution, tail=5, before=behind, streams=streams) == kept[-count - 5 : -count]
    assert await seqs(ann, log.execution, tail=5, before=behind - 9, streams=streams) == kept[-count - 5 : -count]


async def test_times_choose_lines_exactly(logbook: Logbook, ann: httpx.AsyncClient) -> None:
    log = await logbook.begin()
    for number in range(5):
        await log.write(b"%d\n" % number)
        await log.sink.drain()
        await asyncio.sleep(0.005)
    await logbook.finish(log)
    at = [datetime.fromisoformat(record["at"]) for record in await records(ann, log.execution)]
    for index, moment in enumerate(at, start=1):
        same = [seq for seq, other in enumerate(at, start=1) if other == moment]
        for form in (moment.isoformat(), moment.isoformat().replace("+00:00", "Z"), f"{moment.timestamp():.3f}"):
            assert await seqs(ann, log.execution, since=form) == list(range(same[0], 6))
            assert await seqs(ann, log.execution, until=form) == list(range(1, same[0]))
        assert same[0] <= index <= same[-1]
    # A plus sign that somebody forgot to escape is a space.
    unescaped = f"/v1/executions/{log.execution}/logs?format=ndjson&since={at[2].isoformat()}"
    assert orjson.loads((await ann.get(unescaped)).text.splitlines()[0])["seq"] == at.index(at[2]) + 1


async def test_a_follower_gets_what_matches_until_the_end(logbook: Logbook, ann: httpx.AsyncClient) -> None:
    log = await talk(logbook)
    reading_on = asyncio.create_task(text(ann, log.execution, follow=True, grep="ERROR|late"))
    await eventually(lambda: logbook.process.listener._channels)
    await log.write(b"early\nlate\n")
    await log.sink.drain()
    await logbook.finish(log)
    assert await reading_on == "2026-11-21 03:32:21 ERROR it broke\nlate\n"


async def test_a_follower_is_let_go_at_the_time_it_asked_for(logbook: Logbook, ann: httpx.AsyncClient) -> None:
    log = await talk(logbook)
    until = datetime.now(UTC) + timedelta(seconds=1)
    async with asyncio.timeout(30):
        assert "one" in await text(ann, log.execution, follow=True, until=until.isoformat())
        events = await text(ann, log.execution, follow=True, until=until.isoformat(), format="sse")
    assert '"reason":"until"' in events.split("event: end\n")[1]
    await logbook.finish(log)


async def test_server_sent_events_resume_with_a_filter(logbook: Logbook, ann: httpx.AsyncClient) -> None:
    execution = await whole(logbook)
    path = f"/v1/executions/{execution}/logs?format=sse&level=error"
    all_ = [event for event in (await ann.get(path)).text.split("\n\n") if '"type":"lines"' in event]
    assert "id: 5\n" in all_[-1]
    rest = (await ann.get(path, headers={"Last-Event-ID": "4"})).text
    hello, frame = (orjson.loads(part.split("\n")[0]) for part in rest.split("data: ")[1:3])
    assert (hello["type"], hello["status"], hello["after"]) == ("hello", "succeeded", 4)
    assert "id:" not in rest.split("\n\n")[0], "who comes back would have missed what came before"
    assert (frame["first"], len(frame["lines"])) == (5, 1)
    assert '"after":10' in rest.split("event: end\n")[1]


async def test_a_search_that_takes_too_long_says_how_far_it_came(
    logbook: Logbook, ann: httpx.AsyncClient, api: Api
) -> None:
    execution = await whole(logbook)
    hurried = api.process.settings.model_copy(update={"search_seconds": 1e-9})
    patient, api.app.state.process = api.process, replace(api.process, settings=hurried)
    try:
        seen = await records(ann, execution, grep="o")
        body = await text(ann, execution, grep="o")
        events = await text(ann, execution, grep="o", format="sse")
    finally:
        api.app.state.process = patient
    assert seen[-1]["type"] == "more"
    assert seen[-1]["reason"] == "search_time"
    assert f"[the search took too long: go on with after={seen[-1]['after']}]" in body
    assert "search_time" in events.split("event: end\n")[1]
    rest = await seqs(ann, execution, grep="o", after=seen[-1]["after"])
    assert [record["seq"] for record in seen[:-1]] + rest == await seqs(ann, execution, grep="o")


@pytest.mark.parametrize(
    ("parameters", "fields"),
    [
        ({"after": -1}, {"after"}),
        ({"after": 2**70, "tail": "x", "before": 0, "limit": 0}, {"after", "tail", "before", "limit"}),
        ({"streams": "stdout,none"}, {"streams"}),
        ({"streams": "", "nonsense": ""}, {"nonsense"}),
        ({"since": "yesterday", "until": "10 m"}, {"since", "until"}),
        ({"since": "99999999999999h"}, {"since"}),
        ({"since": "-5m"}, {"since"}),
        ({"until": "2026-13-01T00:00:00Z"}, {"until"}),
        ({"grep": "(a"}, {"grep"}),
        ({"grep": "a" * 60_000}, {"grep"}),
        ({"grep": r"(?<=a)b", "level": "loud", "ansi": "rainbow"}, {"grep", "level", "ansi"}),
        ({"ignore_case": "perhaps", "invert": 7}, {"ignore_case", "invert"}),
        ({"compress": "zip", "format": "pdf", "nonsense": 1}, {"compress", "format", "nonsense"}),
        ({"format": "raw", "ansi": "strip"}, {"ansi"}),
    ],
)
async def test_a_bad_question_names_every_field(
    ann: httpx.AsyncClient, parameters: dict[str, Any], fields: set[str]
) -> None:
    response = await get(ann, uuid4(), **parameters)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert {error["field"] for error in response.json()["errors"]} == fields
    assert all(f"`{field}`" in response.json()["detail"] for field in fields)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*$", "^(.*a){20}$", "\x00", "[\x00-\x1f]", "é|\U0001f600", "a{1000}"]
)
async def test_hostile_patterns_are_harmless(logbook: Logbook, ann: httpx.AsyncClient, pattern: str) -> None:
    hostile = b"a" * 60_000 + b"!\n"
    execution = await whole(logbook, [(Stream.STDOUT, hostile * 5), (Stream.STDOUT, b"nul \x00\n")])
    async with asyncio.timeout(60):
        found = await seqs(ann, execution, grep=pattern, invert=True)
        others = await seqs(ann, execution, grep=pattern)
    assert sorted(found + others) == await seqs(ann, execution)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        (None, "{id}.log"),
        ("train model/7", "train-model-7-{id}.log"),
        ("naïve: Übung", "na_ve-_bung-{id}.log"),
        ("../../etc/passwd", "etc-passwd-{id}.log"),
        ('"; rm -rf', "rm--rf-{id}.log"),
    ],
)
async def test_a_download_has_a_good_name(
    logbook: Logbook, ann: httpx.AsyncClient, hand: Hand, name: str | None, plain: str
) -> None:
    execution = await whole(logbook)
    await hand.change(execution, name=name)
    response = await get(ann, execution, download=True)
    assert response.headers["content-disposition"].startswith(
        f'attachment; filename="{plain.format(id=execution)}"; filename*='
    )
    packed = await get(ann, execution, download=True, compress="gzip", format="ndjson")
    assert packed.headers["content-disposition"].endswith(f"{execution}.ndjson.gz")


async def test_a_log_can_be_had_compressed(logbook: Logbook, ann: httpx.AsyncClient) -> None:
    execution = await whole(logbook, [(Stream.STDOUT, b"again and again\n" * 5_000)])
    plain = await get(ann, execution, format="raw")
    assert plain.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in plain.headers["vary"].lower()
    assert plain.content == b"again and again\n" * 5_000
    path = f"/v1/executions/{execution}/logs"
    for encoding in ("identity", "br", "gzip;q=0", ""):
        response = await ann.get(path, headers={"Accept-Encoding": encoding})
        assert "content-encoding" not in response.headers
        assert response.content == plain.content
    packed = await ann.get(path, params={"compress": "gzip"}, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in packed.headers
    assert len(packed.content) < len(plain.content) / 20
    assert gzip.decompress(packed.content) == plain.content


async def test_what_is_followed_is_not_held_back_by_compression(logbook: Logbook, ann: httpx.AsyncClient) -> None:
    log = await talk(logbook)
    path = f"/v1/executions/{log.execution}/logs"
    following = asyncio.create_task(ann.get(path, params={"follow": True, "compress": "gzip", "streams": "stdout"}))
    await eventually(lambda: logbook.process.listener._channels)
    await logbook.finish(log)
    packed = (await following).content
    assert gzip.decompress(packed).startswith(b"one\n")
    # Even its first part can be read by itself.
    assert zlib.decompressobj(wbits=31).decompress(packed[: len(packed) - 10]).startswith(b"one\n")


async def test_others_logs_do_not_exist(logbook: Logbook, stranger: httpx.AsyncClient) -> None:
    assert (await get(stranger, await whole(logbook), grep="x")).status_code == 404
