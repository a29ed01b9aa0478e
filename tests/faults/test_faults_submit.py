"""The answer to a submission is lost on its way: whoever sends it again with its key runs nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import orjson
import pytest

from support.faults import ForgetfulLine, forgetful_line
from support.history import check_history
from support.own import StartOwn
from support.running import Running
from support.starts import Starts

pytestmark = pytest.mark.faults

ROUNDS = 5


@dataclass
class Behind:
    """An installation whose API reaches Postgres over a line that can lose an answer."""

    installation: Running
    line: ForgetfulLine

    async def send(self, number: int) -> httpx.Response:
        return await self.installation.request("POST", "/v1/executions", json=body(number), headers=keyed(number))

    async def listed(self) -> list[str]:
        """Every execution there is, the oldest first."""
        return [item["id"] for item in (await self.installation.get("/v1/executions?limit=200"))["items"]][::-1]


def body(number: int) -> dict[str, object]:
    return {"image": "busybox:local", "command": ["echo", str(number)]}


def keyed(number: int) -> dict[str, str]:
    return {"Idempotency-Key": f"submission-{number}"}


@pytest.fixture
async def behind(own: StartOwn, tmp_path: Path) -> AsyncIterator[Behind]:
    installation = await own()
    async with forgetful_line(installation.database_url, tmp_path) as (url, line):
        await installation.stop("api")
        await installation.start("api", "app", TAILRACE_DATABASE_URL=url)
        await installation.until_ready()
        yield Behind(installation, line)


async def run_once_each(behind: Behind, starts: Starts, executions: list[str]) -> None:
    """These are all there are, each ran, and none of them twice."""
    assert await behind.listed() == executions
    for number, execution in enumerate(executions):
        assert (await check_history(behind.installation, execution))["status"] == "succeeded"
        assert await starts.once_each(execution) == ["1"]
        assert await behind.installation.log_text(execution, streams="stdout") == f"{number}\n"


async def test_the_answer_to_the_commit_is_lost(behind: Behind, starts: Starts) -> None:
    """F2: the client hears 503, and with its key gets the execution that there is."""
    executions = []
    for number in range(ROUNDS):
        behind.line.lose_next = True
        lost = await behind.send(number)
        assert (lost.status_code, lost.json()["type"]) == (503, "urn:tailrace:problem:unavailable")
        again = await behind.send(number)
        assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
        executions.append(again.json()["id"])
    assert behind.line.lost == ROUNDS
    await run_once_each(behind, starts, executions)


async def hang_up(installation: Running, number: int, *, after: int) -> None:
    """Send it, and be gone after so many bytes of the answer."""
    address = urlsplit(installation.url)
    content = orjson.dumps(body(number))
    headers = {**installation.headers, **keyed(number), "Host": address.netloc, "Content-Type": "application/json"}
    lines = ["POST /v1/executions HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write("\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content)
    await writer.drain()
    await reader.read(after)
    writer.transport.abort()


async def test_the_client_hangs_up_before_the_answer(behind: Behind, starts: Starts) -> None:
    """F2, one hop further: it cannot know whether it was heard, sends it twice more at once, and learns the one id."""
    executions = []
    for number in range(ROUNDS):
        await hang_up(behind.installation, number, after=number % 2)
        answers = await asyncio.gather(behind.send(number), behind.send(number))
        assert [answer.status_code for answer in answers] == [201, 201]
        (execution,) = {answer.json()["id"] for answer in answers}
        executions.append(execution)
    await run_once_each(behind, starts, executions)
