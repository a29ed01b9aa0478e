"""`not_before`: a time with its zone, at most a year ahead, until which nobody starts it."""

from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest

BODY = {"image": "busybox:local"}


async def test_it_waits_for_its_time_in_whatever_zone_that_is_given(client: httpx.AsyncClient) -> None:
    at = (datetime.now(UTC) + timedelta(days=300)).replace(microsecond=250_000)
    for zone in (UTC, timezone(timedelta(hours=5, minutes=45))):
        given = at.astimezone(zone).isoformat().replace("+00:00", "z")
        answer = await client.post("/v1/executions", json={**BODY, "not_before": given})
        assert answer.status_code == 201, answer.text
        assert datetime.fromisoformat(answer.json()["not_before"]) == at
        assert answer.json()["waiting_on"] == "not_before"


async def test_a_time_that_has_passed_means_at_once(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/executions", json={**BODY, "not_before": "2020-01-01T00:00:00Z"})
    assert answer.status_code == 201
    assert answer.json()["waiting_on"] != "not_before"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("2030-01-01T00:00:00", "not_a_time"),
        ("2030-01-01", "not_a_time"),
        ("tomorrow", "not_a_time"),
        ("1893456000", "not_a_time"),
        (1893456000, "not_a_time"),
        ("2030-13-01T00:00:00Z", "not_a_time"),
        ("0001-01-01T00:00:00+14:00", "not_a_time"),
        ("9999-12-31T23:59:59-12:00", "not_a_time"),
        ("9998-01-01T00:00:00Z", "too_late"),
    ],
)
async def test_what_is_no_time_to_start_at_is_refused(value: object, code: str, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/executions", json={**BODY, "not_before": value})
    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("not_before", code)]
