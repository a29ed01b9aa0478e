"""The log in a real browser under load: 1 GiB of it, and 50,000 lines a second.

The machine that runs this does much else, so nothing is held against a clock: only against the same on the same page.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from playwright.async_api import Browser, CDPSession, Locator, Page, expect

from support.browsing import logged_in
from support.eventually import eventually
from support.replaying import Replay
from support.running import Running

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

Record = Callable[[str, object], None]

GIB = 2**30
# Twice 512 MiB of lines of 1 KiB, and a needle between them.
HAYSTACK = (
    f"x=$(head -c 1023 /dev/zero | tr '\\0' x); yes $x | head -c {GIB // 2}; echo needle; yes $x | head -c {GIB // 2}"
)
RATE = 50_000
LINES = 250_000
FLOOD = (
    f"awk 'BEGIN {{ for (i = 1; i <= {LINES}; i++) "
    'printf "\\033[3%dmINFO\\033[0m step %d. loss 0.%d, and words so that it has some eighty bytes\\n", '
    "i % 7 + 1, i, i * 7 }'"
)
# When the last line was in the page, from the beginning of the navigation on.
WATCH = """new MutationObserver(() => {
  const log = document.querySelector("[role=log]");
  if (!window.openedAt && log?.textContent.includes("Ended, ok")) window.openedAt = performance.now();
}).observe(document, {childList: true, subtree: true, characterData: true});"""
TASK = "ThreadControllerImpl::RunTask"
PAUSE = "new Promise(done => setTimeout(done, 100))"
DRAWN = "new Promise(done => requestAnimationFrame(() => setTimeout(done)))"


def address(execution: str) -> str:
    return f"/executions/{execution}/log"


def lines_of(page: Page) -> Locator:
    return page.get_by_role("log")


def connection_of(page: Page) -> Locator:
    return page.get_by_role("status", name="Connection of the log")


async def first_of(page: Page) -> int:
    """The first row that is in the page; some are above those that are seen."""
    number: int = await page.evaluate("Number(document.querySelector('[role=log] [data-seq]')?.dataset.seq ?? 0)")
    return number


async def copied(page: Page) -> str:
    """All lines that the page holds."""
    await page.get_by_role("button", name="Download and copy").click()
    await page.get_by_role("menuitem", name="Copy all lines that are loaded").click()
    await expect(page.get_by_text(re.compile(r"lines copied$"))).to_be_visible()
    text: str = await page.evaluate("navigator.clipboard.readText()")
    return text


@asynccontextmanager
async def reading(browser: Browser, tailrace: Running) -> AsyncIterator[Page]:
    """A page that may use the clipboard."""
    async with logged_in(browser, tailrace, permissions=["clipboard-read", "clipboard-write"]) as watched:
        yield watched.page


async def test_a_gibibyte_opens_at_its_end_as_fast_as_a_short_log(
    browser: Browser, tailrace: Running, record_property: Record
) -> None:
    long = await tailrace.submit("sh", "-c", HAYSTACK, limits={"log_bytes": "2GiB"})
    short = await tailrace.submit("sh", "-c", "seq 100; echo needle")
    assert (await tailrace.ended(long, within=600))["log"]["bytes"] > GIB
    await tailrace.ended(short)
    async with reading(browser, tailrace) as page:
        await page.add_init_script(WATCH)
        took: dict[str, list[float]] = {long: [], short: []}
        for execution in (short, long) * 4:
            await page.goto(address(execution))
            await expect(lines_of(page)).to_contain_text("Ended, ok")
            took[execution].append(await page.evaluate("window.openedAt"))
        record_property("milliseconds to open 1 GiB", took[long])
        record_property("milliseconds to open 100 lines", took[short])
        assert min(took[long]) < 3 * min(took[short]), took
        await moves_about(page)
        await searches(page)


async def moves_about(page: Page) -> None:
    """To the middle, on from there over the edges of what was read, to the beginning, and to the end."""
    newest = 2**20
    box = await page.get_by_role("scrollbar", name="Whole log").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + 5, box["y"] + box["height"] / 4)

    async def is_there(number: int, within: float) -> bool:
        return abs(await first_of(page) - number) < within

    await eventually(lambda: is_there(newest // 4, newest / 20))
    begun = await first_of(page)
    await lines_of(page).hover()

    async def has_passed() -> bool:
        await page.mouse.wheel(0, 4_000)
        return await first_of(page) > begun + 2_500

    await eventually(has_passed)
    numbers: list[int] = await page.evaluate(
        "[...document.querySelectorAll('[role=log] [data-seq]')].map(row => Number(row.dataset.seq))"
    )
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    await page.keyboard.press("g")
    await expect(lines_of(page)).to_contain_text("Queued by")
    await page.keyboard.press("G")
    await expect(lines_of(page)).to_contain_text("Ended, ok")


async def searches(page: Page) -> None:
    """A search tells how far it is, and leaves the page to its reader; it can be given up, or waited for."""
    matches = page.get_by_role("status", name="Matches")
    field = page.get_by_role("textbox", name="Search the log")
    await field.fill("nowhere to be found")
    await expect(matches).to_have_text(re.compile(r"Searching… [1-9]\d? %"))
    await lines_of(page).focus()
    await page.keyboard.press("g")
    await expect(lines_of(page)).to_contain_text("Queued by")
    await expect(matches).to_contain_text("Searching…")
    await page.get_by_role("button", name="End the search").click()
    await expect(matches).to_be_hidden()
    await field.fill("^needle")
    await expect(lines_of(page).locator("mark")).to_have_text("needle", timeout=240_000)
    await expect(matches).to_have_text("1 of 1", timeout=240_000)
    for button in ("Next match (n)", "Previous match (p)"):
        await page.get_by_role("button", name=button).click()
        await expect(lines_of(page).locator("[data-current] mark")).to_have_text("needle")


class MainThread:
    """What a page takes of the processor, which does not depend on what else the machine does."""

    def __init__(self, page: Page, session: CDPSession) -> None:
        self._page = page
        self._session = session

    @classmethod
    async def of(cls, page: Page) -> MainThread:
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable")
        return cls(page, session)

    async def seconds(self) -> float:
        """Since the page was begun."""
        metrics = (await self._session.send("Performance.getMetrics"))["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "ThreadTime"))

    @asynccontextmanager
    async def longest(self) -> AsyncIterator[list[float]]:
        """What the longest of its tasks meanwhile took, in milliseconds."""
        longest: list[float] = []
        browser = self._page.context.browser
        assert browser is not None
        await browser.start_tracing(page=self._page, categories=["toplevel"])
        yield longest
        events: list[dict[str, Any]] = orjson.loads(await browser.stop_tracing())["traceEvents"]
        main = {
            (event["pid"], event["tid"])
            for event in events
            if event.get("name") == "thread_name" and event["args"]["name"] == "CrRendererMain"
        }
        longest.append(
            max(
                event.get("tdur", 0) / 1000
                for event in events
                if event.get("name") == TASK and (event["pid"], event["tid"]) in main
            )
        )


async def pressed(page: Page) -> float:
    """Seconds from a key to what is drawn of it: lines are wrapped, or not."""
    await page.evaluate(PAUSE)
    began = time.monotonic()
    await page.keyboard.press("w")
    await page.evaluate(DRAWN)
    return time.monotonic() - began


async def test_fifty_thousand_lines_a_second_leave_the_page_to_its_reader(
    browser: Browser, tailrace: Running, record_property: Record
) -> None:
    """As a program wrote them and the API sent them; told again, since here nobody knows how fast the worker is."""
    execution = await tailrace.submit("sh", "-c", FLOOD, limits={"log_bytes": "1GiB"})
    await tailrace.ended(execution)
    async with tailrace.tail(execution) as socket:
        frames = [str(frame) async for frame in socket]
    async with (
        Replay(tailrace.url, frames, RATE).listening() as replay,
        reading(browser, replace(tailrace, url=replay.url)) as page,
    ):
        main = await MainThread.of(page)
        async with main.longest() as opening:
            await page.goto(address(execution))
            await expect(connection_of(page)).to_have_text("Live")
        idle = [await pressed(page) for _ in range(20)]
        complete = connection_of(page).get_by_text("Complete")
        async with main.longest() as bursting:
            before = await main.seconds()
            replay.begin.set()
            presses = []
            while not await complete.count():
                presses.append(await pressed(page))
            busy = (await main.seconds() - before) / (LINES / RATE)
        said = {
            "lines a second": round(replay.rate),
            "share of the main thread": round(busy, 2),
            "longest task, and when it was opened (ms of the processor)": [*bursting, *opening],
            "median from key to picture, and of an idle page (ms)": [
                round(1000 * statistics.median(each)) for each in (presses, idle)
            ],
        }
        for name, value in said.items():
            record_property(name, value)
        assert busy < 0.75, said
        assert max(bursting) < 2 * max(opening), said
        assert statistics.median(presses) < 10 * statistics.median(idle), said
        steps = [int(step) for step in re.findall(r"step (\d+)\.", await copied(page))]
        assert steps == list(range(steps[0], LINES + 1))
        assert len(steps) > 10_000
        await expect(lines_of(page)).to_contain_text("Ended, ok")
