"""Every operation in every status: what the table of `operations.py` says is what a client gets."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hand import Hand
from served import Submit

from app.executions.operations import ANSWERS, Answer, Operation, Standing
from app.executions.states import Cause

# How each is asked for, and how it answers when it is done.
REQUESTS: Mapping[Operation, tuple[str, str, dict[str, Any] | None, set[int]]] = {
    Operation.CANCEL: ("POST", "/cancel", None, {202}),
    Operation.FORCE_CANCEL: ("POST", "/cancel", {"force": True}, {202}),
    Operation.FREEZE: ("POST", "/pause", {"mode": "freeze"}, {202}),
    Operation.CHECKPOINT: ("POST", "/pause", {"mode": "checkpoint"}, {202}),
    Operation.RESUME: ("POST", "/resume", None, {202}),
    Operation.HOLD: ("POST", "/hold", None, {200}),
    Operation.RELEASE: ("POST", "/release", None, {200}),
    Operation.RERUN: ("POST", "/rerun", None, {201}),
    Operation.ARCHIVE: ("POST", "/archive", None, {200}),
    Operation.RESTORE: ("POST", "/restore", None, {200}),
    Operation.DELETE: ("DELETE", "", None, {202, 204}),
    Operation.DESCRIBE: ("PATCH", "", {"name": "another"}, {200}),
    Operation.ADJUST: ("PATCH", "", {"limits": {"grace": 7}}, {200}),
}
ENDS = {
    Standing.SUCCEEDED: Cause.OK,
    Standing.FAILED: Cause.EXIT_NONZERO,
    Standing.TIMED_OUT: Cause.RUN_TIMEOUT,
    Standing.CANCELED: Cause.CANCELED_BY_USER,
    Standing.CRASHED: Cause.ENGINE_ERROR,
}


async def bring(hand: Hand, execution: str, standing: Standing) -> None:
    """Of a program that saves checkpoints, so that every pause can be asked for."""
    if standing is Standing.QUEUED:
        return
    await hand.claim(execution)
    if standing is Standing.PREPARING:
        return
    await hand.run(execution)
    match standing:
        case Standing.FROZEN:
            await hand.freeze(execution)
        case Standing.SAVED:
            await hand.save(execution)
        case Standing.STOPPING:
            await hand.time_out(execution)
        case _ if standing in ENDS:
            await hand.end(execution, ENDS[standing])


def unforeseen(record: dict[str, Any]) -> dict[str, Any]:
    """Without what only a look at one of the queue foretells."""
    return {name: value for name, value in record.items() if not name.startswith(("queue_position", "expected_"))}


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("standing", Standing)
async def test_the_answer_is_that_of_the_table(
    standing: Standing, operation: Operation, client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    execution = await submit()
    await bring(hand, execution, standing)
    own = f"/v1/executions/{execution}"
    before = (await client.get(own)).json()
    assert before["status"] == standing.partition(" ")[0]
    method, path, body, done = REQUESTS[operation]
    response = await client.request(method, f"{own}{path}", json=body)
    match ANSWERS[operation][standing]:
        case Answer.DONE:
            assert response.status_code in done, response.text
        case Answer.SAME:
            assert (response.status_code, unforeseen(response.json())) == (200, unforeseen(before))
        case Answer.REFUSED:
            assert response.status_code == 409, response.text
            assert before["status"] in response.json()["detail"]
            assert response.json()["hint"]
            assert (await client.get(own)).json() == before


@pytest.mark.parametrize("operation", Operation)
async def test_what_is_somebody_else_s_is_not_there(
    operation: Operation, stranger: httpx.AsyncClient, submit: Submit
) -> None:
    method, path, body, _ = REQUESTS[operation]
    response = await stranger.request(method, f"/v1/executions/{await submit()}{path}", json=body)
    assert response.status_code == 404, response.text
