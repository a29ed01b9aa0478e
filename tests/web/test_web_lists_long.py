"""Lists of ten thousand: what scrolling through them costs the page, also while hundreds of them change each second.

Told in processor time of the page's own thread: of what else the machine does, that knows nothing.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import CDPSession, Page, expect

from support.browsing import Watched
from support.running import Running

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

FEW, MANY, ENDING = 200, 10_000, 3_000
FRAMES = 60
# So far does a wheel that is spun take a list in a frame; that is all that is in sight.
STEP = 900

LOAD_ALL = """async () => {
    const list = document.querySelector('section[aria-label="Executions"]');
    const said = [...document.querySelectorAll('[role="status"]')];
    const shown = said.find(each => each.textContent.includes("shown"));
    while (!shown.textContent.startsWith("10,000 shown")) {
        list.scrollTop += 4000;
        await new Promise(requestAnimationFrame);
    }
    list.scrollTop = 0;
    await new Promise(requestAnimationFrame);
}"""
# Up and down again; how many rows were drawn at most, and how high it is.
SCROLL = """async ([frames, step]) => {
    const list = document.querySelector('section[aria-label="Executions"]');
    let drawn = 0;
    for (let frame = 0; frame < frames; frame++) {
        const before = list.scrollTop;
        list.scrollTop += step;
        if (list.scrollTop === before) {
            step = -step;
            list.scrollTop += step;
        }
        await new Promise(requestAnimationFrame);
        drawn = Math.max(drawn, list.querySelectorAll("tbody tr").length);
    }
    return {drawn, height: list.scrollHeight};
}"""
# The same elements in a list that does nothing but put as many new ones in sight: what the browser itself needs.
SCROLL_BARE = """async ([frames, step]) => {
    const list = document.querySelector('section[aria-label="Executions"]');
    const bare = list.cloneNode(true);
    list.replaceWith(bare);
    const body = bare.querySelector("tbody");
    const rows = [...body.querySelectorAll("tr[data-row]")].map(row => row.cloneNode(true));
    const count = Math.ceil(step / 38);
    for (let frame = 0; frame < frames; frame++) {
        bare.scrollTop = frame % 2 ? 0 : step;
        for (let each = 0; each < count; each++) {
            body.querySelector("tr[data-row]").remove();
            body.append(rows[(frame + each) % rows.length].cloneNode(true));
        }
        await new Promise(requestAnimationFrame);
    }
    bare.replaceWith(list);
}"""


class PageThread:
    """The thread on which all of a page happens."""

    def __init__(self, page: Page, session: CDPSession) -> None:
        self.page = page
        self._session = session

    @classmethod
    async def of(cls, page: Page) -> PageThread:
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        return cls(page, session)

    async def cost(self, script: str, frames: int = FRAMES) -> tuple[float, Any]:
        """Milliseconds of processor time for each frame of that script, and what it returns."""
        before = await self._worked()
        answer = await self.page.evaluate(script, [frames, STEP])
        return (await self._worked() - before) * 1000 / frames, answer

    async def least(self, script: str) -> tuple[float, Any]:
        """The least of three: what a page does besides, such as to collect garbage, only adds to it."""
        costs = [await self.cost(script) for _ in range(3)]
        return min(cost for cost, _ in costs), costs[-1][1]

    async def _worked(self) -> float:
        metrics = (await self._session.send("Performance.getMetrics"))["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


async def held(tailrace: Running, count: int) -> str:
    """A batch of so many that wait."""
    labels = {"team": "research", "night": "yes"}
    defaults = {"image": "busybox:local", "hold": True, "name": f"long-{uuid.uuid4().hex[:8]}", "labels": labels}
    made = await tailrace.request("POST", "/v1/batches", json={"defaults": defaults, "count": count})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def test_a_list_of_ten_thousand_is_scrolled_and_kept_true_like_a_short_one(
    watched: Watched, tailrace: Running, shots: Path
) -> None:
    page = watched.page
    few, many = await held(tailrace, FEW), await held(tailrace, MANY)
    thread = await PageThread.of(page)
    await page.goto(f"/executions?batch={few}")
    await expect(page.get_by_text(f"{FEW} shown")).to_be_visible()
    short, _ = await thread.least(SCROLL)
    bare, _ = await thread.cost(SCROLL_BARE)

    await page.goto(f"/executions?batch={many}")
    await expect(page.get_by_text("200 shown, more below")).to_be_visible()
    await page.evaluate(LOAD_ALL)
    long, seen = await thread.least(SCROLL)
    assert seen["drawn"] < 100
    # All of them have room, and none is drawn twice as high.
    assert seen["height"] / MANY == pytest.approx(38, abs=1)

    # Thousands of them end while one scrolls on.
    ending = asyncio.create_task(cancel(tailrace, many, ENDING))
    busy, frames = 0.0, 0
    while not ending.done():
        cost, _ = await thread.cost(SCROLL)
        busy, frames = busy + cost * FRAMES, frames + FRAMES
    await ending
    burst = busy / frames
    (shots / "long-list.json").write_text(json.dumps({"bare": bare, "short": short, "long": long, "burst": burst}))
    assert long < 2 * short
    assert long < 2.5 * bare
    assert burst < 3 * long

    await page.get_by_role("checkbox", name="Choose all that are loaded").check()
    await expect(page.get_by_text(f"{MANY:,} chosen")).to_be_visible()


async def cancel(tailrace: Running, batch: str, count: int) -> None:
    """So many of a batch, as fast as the API does it."""
    for _ in range(count // 500):
        body = {"batch": batch, "status": ["queued"], "limit": 500}
        answer = await tailrace.request("POST", "/v1/executions:cancel", json=body)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) == 500
