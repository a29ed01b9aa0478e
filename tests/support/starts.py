"""A ledger of starts that no process of ours writes: what the container engine tells of itself while we listen."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from stack.engine import USUAL_HOST
from support.eventually import eventually
from worker.container import ATTEMPT_LABEL, EXECUTION_LABEL

ACTIONS = ("create", "start", "die", "destroy")


@dataclass
class Starts:
    """What happened to containers of executions since we listen, in order."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def of(self, execution: str, action: str = "start") -> list[str]:
        """The attempts of an execution to which this happened, once per time that it did."""
        return [
            event["Actor"]["Attributes"][ATTEMPT_LABEL]
            for event in self.events
            if event["Action"] == action and event["Actor"]["Attributes"].get(EXECUTION_LABEL) == execution
        ]

    async def once_each(self, execution: str, *, within: float = 20.0) -> list[str]:
        """The attempts whose program ran, none of them twice, once all of them have ended."""
        await eventually(lambda: 0 < len(self.of(execution)) == len(self.of(execution, "die")), within=within)
        self.check_never_twice()
        return self.of(execution)

    def check_never_twice(self) -> None:
        """No attempt of any execution was started twice, in one container or in several."""
        labels = [event["Actor"]["Attributes"] for event in self.events if event["Action"] == "start"]
        times = Counter((each[EXECUTION_LABEL], each[ATTEMPT_LABEL]) for each in labels)
        assert [attempt for attempt, count in times.items() if count > 1] == []


@asynccontextmanager
async def listening(docker_host: str = USUAL_HOST) -> AsyncIterator[Starts]:
    """Listen to an engine; it is heard from the beginning of the block on."""
    starts = Starts()
    heard = asyncio.Event()
    connector = aiohttp.UnixConnector(docker_host.removeprefix("unix://"))
    filters = orjson.dumps({"type": ["container"], "event": ACTIONS, "label": [EXECUTION_LABEL]}).decode()
    timeout = aiohttp.ClientTimeout(total=None)

    async def listen(session: aiohttp.ClientSession) -> None:
        async with session.get("http://engine/events", params={"filters": filters}) as answer:
            heard.set()
            async for line in answer.content:
                starts.events.append(orjson.loads(line))

    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        task = asyncio.create_task(listen(session))
        try:
            async with asyncio.timeout(30):
                await heard.wait()
            yield starts
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
