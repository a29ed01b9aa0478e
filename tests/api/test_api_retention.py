"""The dry run of retention over HTTP; what it counts is tested in tests/records."""

import httpx


async def test_an_admin_may_ask_what_will_go(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    answer = await admin.get("/v1/retention", params={"days": 30})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["policy"] == dict.fromkeys(
        ("succeeded", "failed", "canceled", "outputs", "checkpoints", "logs", "files")
    )
    for part in ("records", "outputs", "checkpoints", "logs"):
        assert body[part]["now"].keys() == body[part]["within_days"].keys() == {"count", "bytes", "ids"}
    assert (await client.get("/v1/retention")).status_code == 403
    assert (await admin.get("/v1/retention", params={"days": -1})).status_code == 422
