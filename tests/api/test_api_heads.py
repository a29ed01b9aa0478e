"""HEAD wherever there is a GET: what that would say, without a body, and at once."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import httpx
import pytest
from access import RULES
from belongings import Belongings
from hand import Hand
from served import Api, Submit

# What differs from one moment to the next.
_OF_THE_MOMENT = {"x-request-id", "content-length"}
_GETS = [route.removeprefix("GET ") for route in RULES if route.startswith("GET ")]


def lasting(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in _OF_THE_MOMENT}


async def test_it_is_what_get_would_say(client: httpx.AsyncClient, admin: httpx.AsyncClient, hand: Hand) -> None:
    belongings = Belongings(client, admin, hand)
    for path in _GETS:
        noun = path.removeprefix("/v1/").partition("/")[0]
        own = await belongings.fill(path.replace("{id}", f"{{{noun}}}").replace("{name}", f"{{{noun}}}"))
        asked = f"{own}?{RULES[f'GET {path}'].query}"
        got, head = await client.get(asked), await client.head(asked)
        assert (head.status_code, lasting(head), head.content) == (got.status_code, lasting(got), b""), own


async def test_length_and_etag_are_those_of_the_whole(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, hand: Hand, submit: Submit
) -> None:
    execution = await submit()
    await hand.start(execution)
    await hand.keep_outputs(execution, {"a.txt": b"abcdef"})
    await hand.end(execution)
    own = f"/v1/executions/{execution}"
    for path in (own, f"{own}/outputs/a.txt"):
        head = await client.head(path, headers={"Range": "bytes=0-1"})
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) == len((await client.get(path)).content)
        same = await client.head(path, headers={"If-None-Match": head.headers["etag"]})
        assert same.status_code == HTTPStatus.NOT_MODIFIED
        assert (await stranger.head(path)).status_code == HTTPStatus.NOT_FOUND


async def test_it_neither_waits_nor_follows(client: httpx.AsyncClient, submit: Submit) -> None:
    own = f"/v1/executions/{await submit()}"
    async with asyncio.timeout(20):
        for path in (
            f"{own}?wait=60",
            f"{own}?%77ait=60",
            f"{own}/logs?follow=true",
            f"{own}/logs?follow=1&format=sse",
        ):
            answer = await client.head(path)
            assert (answer.status_code, answer.content) == (200, b""), path
    assert (await client.head(f"{own}/logs?follow=perhaps")).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


@pytest.mark.parametrize("path", ["/v1/executions", "/v1/executions/x", "/v1/me"])
async def test_who_may_not_get_may_not_ask(path: str, api: Api, anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.head(path)).status_code == HTTPStatus.UNAUTHORIZED
    assert (await (await api.client()).head("/v1/quotas")).status_code == HTTPStatus.FORBIDDEN
