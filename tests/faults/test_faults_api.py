"""The API dies while it is asked: what it accepted runs once, what it did not accept is not there."""

import signal

import pytest

from support.crashes import WITHIN
from support.eventually import eventually
from support.history import check_history
from support.own import StartOwn
from support.running import Running
from support.starts import Starts
from support.submitting import list_all, submit_while

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]


async def restart(installation: Running, number: signal.Signals) -> None:
    """Let it accept a few, then end it and start it again."""
    before = len(await list_all(installation))

    async def some_more() -> bool:
        return len(await list_all(installation)) > before + 5

    await eventually(some_more, within=WITHIN)
    await installation.stop("api", number)
    await installation.start("api", "app")
    await installation.until_ready()


async def test_what_a_client_submits_with_a_key_until_it_is_accepted_is_there_once(
    own: StartOwn, starts: Starts
) -> None:
    """F1: the API is killed at any moment, three times; the client asks again with the same key."""
    installation = await own()

    async def restarts() -> None:
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            await restart(installation, number)

    accepted = await submit_while(installation, restarts, "echo", "once")
    assert len(set(accepted)) == len(accepted)
    assert sorted(await list_all(installation)) == sorted(accepted)
    for execution in accepted:
        record = await check_history(installation, execution)
        assert (record["status"], record["attempt"]) == ("succeeded", 1)
        assert await starts.once_each(execution) == ["1"]
