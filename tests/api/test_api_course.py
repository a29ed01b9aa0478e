"""What a submission may say of how its program runs: stages, exit codes, outputs."""

from typing import Any

import httpx
import pytest
from hand import Hand

COURSE: dict[str, Any] = {
    "setup": {"command": ["sh", "-c", "make"], "timeout": 60},
    "teardown": {"command": ["rm", "-r", "/scratch"], "timeout": 86_400},
    "exit_codes": {"2": "fail", "3": "success", "75": "retry", "77": "checkpoint", "99": "canceled"},
    "outputs": [
        {"path": "plots/**/*.png", "required": True, "media_type": "image/png", "title": "Plots"},
        {"path": "report.html", "required": False, "media_type": None, "title": None},
    ],
}
SHOWN = {"setup": "setup", "teardown": "teardown", "exit_codes": "exit_codes", "outputs": "declared_outputs"}


async def test_the_record_shows_it_and_a_rerun_takes_it_over(client: httpx.AsyncClient) -> None:
    body = {"image": "busybox", **COURSE}
    record = (await client.post("/v1/executions", json=body)).json()
    assert {name: record[shown] for name, shown in SHOWN.items()} == COURSE
    assert (await client.post(f"/v1/executions/{record['id']}/cancel")).status_code == 202
    again = await client.post(f"/v1/executions/{record['id']}/rerun", json={"exit_codes": {"3": None, "4": "success"}})
    assert again.status_code == 201, again.text
    wanted = {code: meaning for code, meaning in COURSE["exit_codes"].items() if code != "3"} | {"4": "success"}
    assert again.json()["exit_codes"] == wanted
    assert again.json()["declared_outputs"] == COURSE["outputs"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        *(({"exit_codes": {code: "success"}}, f"exit_codes.{code}") for code in ("0", "256", "-1", "03", "1.0", "x")),
        ({"exit_codes": {"3": "failure"}}, "exit_codes.3"),
        ({"exit_codes": {"3": None}}, "exit_codes.3"),
        ({"exit_codes": ["3"]}, "exit_codes"),
        ({"retry_on": [3], "exit_codes": {"3": "fail"}}, "exit_codes.3"),
        ({"setup": ["make"]}, "setup"),
        ({"setup": {}}, "setup.command"),
        ({"setup": {"command": "make all"}}, "setup.command"),
        ({"setup": {"command": []}}, "setup.command"),
        ({"setup": {"command": ["a\0"]}}, "setup.command[0]"),
        ({"setup": {"command": ["a"] * 257}}, "setup.command"),
        ({"teardown": {"command": ["a"], "env": {}}}, "teardown.env"),
        *(
            ({"teardown": {"command": ["a"], "timeout": timeout}}, "teardown.timeout")
            for timeout in (0, 86_401, "60", 1.5, None)
        ),
        ({"outputs": ["report.html"]}, "outputs[0]"),
        ({"outputs": [{"path": "a"}] * 65}, "outputs"),
        ({"outputs": [{"path": "a"}, {"path": "b"}, {"path": "a"}]}, "outputs[2]"),
        ({"outputs": [{}]}, "outputs[0].path"),
        *(
            ({"outputs": [{"path": path}]}, "outputs[0].path")
            for path in ("", "/a", "a/", "a//b", "../a", "a/./b", "a\nb", "a\0", "x" * 1025, "**/a/**/b/**", 1)
        ),
        ({"outputs": [{"path": "a", "required": "yes"}]}, "outputs[0].required"),
        *(
            ({"outputs": [{"path": "a", "media_type": kind}]}, "outputs[0].media_type")
            for kind in ("", "text", "text/", "Text/CSV", "text/csv; charset=utf-8", "text/csv\nx", "a/" + "b" * 127)
        ),
        ({"outputs": [{"path": "a", "title": "t" * 201}]}, "outputs[0].title"),
        ({"outputs": [{"path": "a", "size": 1}]}, "outputs[0].size"),
    ],
)
async def test_what_nobody_can_mean_is_refused_by_name(
    fields: dict[str, Any], field: str, client: httpx.AsyncClient
) -> None:
    response = await client.post("/v1/executions?dry_run=true", json={"image": "busybox", **fields})
    assert response.status_code == 422, response.text
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_a_code_may_be_named_in_both_places_where_they_agree(client: httpx.AsyncClient) -> None:
    body = {"image": "busybox", "retry_on": [3, 77], "exit_codes": {"3": "retry", "77": "checkpoint"}}
    assert (await client.post("/v1/executions?dry_run=true", json=body)).status_code == 200


async def test_who_names_a_code_for_checkpoints_can_be_paused_by_one(client: httpx.AsyncClient, hand: Hand) -> None:
    for meaning, status in ({"77": "checkpoint"}, 202), ({"77": "success"}, 409):
        body = {"image": "busybox", "exit_codes": meaning}
        execution = (await client.post("/v1/executions", json=body)).json()["id"]
        await hand.start(execution)
        answer = await client.post(f"/v1/executions/{execution}/pause", json={"mode": "checkpoint"})
        assert answer.status_code == status, answer.text


async def test_only_an_administrator_may_have_a_workspace_stay(
    client: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    body = {"image": "busybox", "keep_workspace": True}
    refused = await client.post("/v1/executions", json=body)
    assert (refused.status_code, "`keep_workspace`" in refused.json()["detail"]) == (403, True)
    accepted = await admin.post("/v1/executions", json=body)
    assert (accepted.status_code, accepted.json()["keep_workspace"]) == (201, True)


async def test_the_list_of_outputs_tells_beforehand_what_is_declared(client: httpx.AsyncClient) -> None:
    execution = (await client.post("/v1/executions", json={"image": "busybox", **COURSE})).json()["id"]
    outputs = (await client.get(f"/v1/executions/{execution}/outputs")).json()
    assert outputs["declared"] == [{**each, "files": 0} for each in COURSE["outputs"]]
