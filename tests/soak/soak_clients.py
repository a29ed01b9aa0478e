"""Users of an installation that breaks all the time: they repeat until they are heard, and remember what was said."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import uuid4

import httpx
from soak_programs import Program, draw

from support.logs import Follower
from support.running import TERMINAL, Json, Running

SUBMIT_EVERY = 0.6
MOST_AT_ONCE = 40
RETRY_AFTER = 0.3
SAVED = 85
# An API that is stopped answers nothing, and closes nothing.
PATIENCE = 8.0


@dataclass
class Order:
    """One execution as its user sees it. `canceled` is when the first request to cancel was accepted."""

    random: Random
    program: Program
    key: str
    execution: str = ""
    record: Json | None = None
    canceled: float | None = None
    follower: Follower | None = None
    cuts: int = 0
    resumes: str | None = None
    taken_over: int = 0


@dataclass
class Clients:
    """Everybody who uses the installation through any of its APIs."""

    apis: Sequence[Running]
    seed: str
    orders: list[Order] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    refused: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def at_work(self) -> list[Order]:
        """What has been accepted and was not seen to end."""
        return [order for order in self.orders if order.record is None]

    async def submit_until(self, over: asyncio.Event) -> None:
        """Submit at random moments, as long as it is not too much."""
        while not over.is_set():
            # Each has its own, so that it is the same with the same seed, whatever the others do.
            random = Random(f"{self.seed}, order {len(self.orders)}")  # noqa: S311 - a schedule, no secret
            if len(self.at_work) < MOST_AT_ONCE:
                order = Order(random, draw(random), f"soak-{uuid4()}")
                self.orders.append(order)
                self._begin(self._use(order))
            with suppress(TimeoutError):
                async with asyncio.timeout(random.expovariate(1 / SUBMIT_EVERY)):
                    await over.wait()

    async def until_served(self, *, within: float) -> None:
        """Wait until everybody has seen the end of everything. Whatever fails is noted as a violation."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self.violations += [f"{order.execution or order.key} did not end" for order in self.at_work]

    def _begin(self, story: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(story)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.violations.append(f"{task.get_coro()}: {error!r}")

    async def _use(self, order: Order) -> None:
        body = {**order.program.body, **({"resume_from": order.resumes} if order.resumes else {})}
        answer = await self._insist(order, "POST", "", json=body, headers={"Idempotency-Key": order.key})
        assert answer.status_code == 201, answer.text
        order.execution = answer.json()["id"]
        if order.random.random() < 0.35:
            self._begin(self._cancel(order, order.random.uniform(0, 8), force=order.random.random() < 0.3))
        if order.random.random() < 0.35:
            self._begin(self._follow(order))
        while order.record is None:
            record = (await self._insist(order, "GET", f"/{order.execution}", params={"wait": 5})).json()
            if record["status"] in TERMINAL:
                self._resume(order, record)
                order.record = record

    def _resume(self, order: Order, record: Json) -> None:
        """What saved a checkpoint before it was stopped goes on in another execution."""
        if record["status"] == "canceled" and record["exit_code"] == SAVED:
            more = Order(order.random, order.program, f"soak-{uuid4()}", resumes=order.execution)
            self.orders.append(more)
            self._begin(self._use(more))

    async def _cancel(self, order: Order, after: float, *, force: bool) -> None:
        await asyncio.sleep(after)
        for _ in range(order.random.choice([1, 1, 2])):
            answer = await self._insist(order, "POST", f"/{order.execution}/cancel", json={"force": force})
            assert answer.status_code in {200, 202, 409}, answer.text
            if answer.status_code != 409:
                order.canceled = order.canceled or asyncio.get_running_loop().time()

    async def _follow(self, order: Order) -> None:
        """Read the log live, cut off at random moments."""
        follower = order.follower = Follower(self.apis[0], order.execution)
        while follower.end is None:
            order.cuts += 1
            follower.installation = order.random.choice(self.apis)
            try:
                async with asyncio.timeout(order.random.uniform(0.5, 15)):
                    await follower.read_on()
            except TimeoutError:
                pass
            except AssertionError:
                # An API that is killed closes nothing; but what was read must be right.
                if follower.end is None:
                    raise
            await asyncio.sleep(RETRY_AFTER)

    async def _insist(self, order: Order, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask any of the APIs until one has an answer."""
        while True:
            api = order.random.choice(self.apis)
            with suppress(httpx.TransportError):
                async with httpx.AsyncClient(headers=api.headers, timeout=PATIENCE, verify=False) as client:  # noqa: S501
                    options_here = {**options, "headers": {**api.headers, **options.get("headers", {})}}
                    answer = await client.request(method, f"{api.url}/v1/executions{path}", **options_here)
                    if answer.status_code < 500:
                        return answer
                    assert answer.status_code == 503, answer.text
                    self.refused += 1
            await asyncio.sleep(RETRY_AFTER)
