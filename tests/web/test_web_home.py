"""The home page: how many there are of each status, how fast they go, how old the queue is; true all day long."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from support.browsing import PHONE, Watched, logged_in
from support.own import StartOwn
from support.running import Running

pytestmark = pytest.mark.browser

# What moves while the page is loaded, as browsers count it: 0 is nothing, 1 all of it by its own height.
WATCH_SHIFTS = """
    window.shifted = 0;
    new PerformanceObserver(list => {
        for (const each of list.getEntries()) window.shifted += each.value;
    }).observe({type: "layout-shift", buffered: true})
"""


def figure(page: Page, panel: str, name: str) -> Locator:
    return page.get_by_role("region", name=panel).get_by_text(name, exact=True).locator("xpath=..")


def card(page: Page, status: str) -> Locator:
    return page.get_by_role("navigation", name="Executions by status").get_by_role("link", name=status)


async def a_pool_without_workers(tailrace: Running) -> str:
    pool = f"idle-{uuid4().hex[:8]}"
    made = await tailrace.request("POST", "/v1/pools", json={"name": pool})
    assert made.status_code == 201, made.text
    return pool


async def test_who_has_run_nothing_is_told_how_to_begin_and_then_sees_what_happens(
    browser: Browser, monitor: Path, own: StartOwn, shots: Path
) -> None:
    tailrace = await own()
    async with logged_in(browser, tailrace) as watched:
        page = watched.page
        await page.goto("/")
        await expect(page.get_by_role("heading", name="Nothing has been run yet")).to_be_visible()
        assert await watched.findings() == []
        await page.screenshot(path=shots / "home-unused.png")
        for name, address in {"Submit": "/submit", "Methods": "/methods", "API": "/docs"}.items():
            link = page.get_by_role("main").get_by_role("link", name=name, exact=True)
            await expect(link).to_have_attribute("href", address)
        await tailrace.ended(await tailrace.submit("sh", "-c", "exit 3"))
        await tailrace.ended(await tailrace.submit("true"))
        await expect(card(page, "Succeeded")).to_contain_text("1")
        await expect(page.get_by_role("img", name="2 executions ended in 25 steps")).to_be_visible()
        assert watched.complaints == []


async def test_what_waits_makes_the_queue_older_and_what_ends_is_counted_by_how(page: Page, tailrace: Running) -> None:
    pool = await a_pool_without_workers(tailrace)
    waiting = await tailrace.submit("true", pool=pool)
    await page.goto("/?span=hour")
    oldest = figure(page, "The queue", "Oldest waits")
    await expect(oldest).to_contain_text(re.compile(r"\d s"))
    before = await oldest.inner_text()
    # It goes on by itself.
    await expect(oldest).not_to_have_text(before)
    await expect(page.get_by_role("img", name=re.compile(r"The queue was at most \d.* old"))).to_be_visible()
    await tailrace.cancel(waiting)
    await tailrace.ended(waiting)
    await expect(oldest).to_contain_text("–")
    # How long that one waited stays on record.
    await expect(figure(page, "The queue", "Longest wait")).to_contain_text(re.compile(r"\d s"))
    ended = page.get_by_role("region", name="What ended")
    await ended.get_by_role("link", name="Canceled").click()
    await expect(page).to_have_url(re.compile(r"/executions\?status=canceled&finished_after=.*&sort=-finished"))


async def test_a_step_is_told_in_full_beside_the_pointer(page: Page, tailrace: Running, shots: Path) -> None:
    await tailrace.ended(await tailrace.submit("true"))
    await page.goto("/")
    await page.get_by_role("radiogroup", name="Since when").get_by_text("Hour").click()
    await expect(page).to_have_url(re.compile(r"\?span=hour$"))
    chart = page.get_by_role("img", name=re.compile(r"\d+ executions ended in 31 steps"))
    await expect(chart).to_be_visible()
    box: Any = await chart.locator("svg.recharts-surface").bounding_box()
    # The last step stands at the right end.
    await page.mouse.move(box["x"] + box["width"] - 6, box["y"] + box["height"] / 2)
    await expect(chart).to_contain_text("– now")
    await expect(chart).to_contain_text("Submitted")
    await page.screenshot(path=shots / "home-step.png")


async def test_time_passes_also_where_nothing_happens(watched: Watched) -> None:
    """Steps begin and what waits becomes older, without an event."""
    page = watched.page
    await page.clock.install()
    await page.goto("/")
    await expect(page.get_by_role("status")).to_have_text("Live")
    await expect(page.get_by_role("heading", name="What ended")).to_be_visible()
    since = []
    for _ in range(2):
        async with page.expect_response(re.compile(r"/v1/stats\?")) as answered:
            await page.clock.run_for(31_000)
        since.append(parse_qs(urlsplit((await answered.value).url).query)["from"])
    assert since[0] < since[1]


@pytest.mark.parametrize("screen", [{}, {"viewport": PHONE, "has_touch": True}], ids=["desktop", "phone"])
async def test_nothing_moves_while_it_loads_and_all_has_its_place(
    screen: dict[str, Any], browser: Browser, tailrace: Running, shots: Path
) -> None:
    await tailrace.ended(await tailrace.submit("true"))
    async with logged_in(browser, tailrace, **screen) as watched:
        page = watched.page
        await page.add_init_script(WATCH_SHIFTS)
        await page.goto("/")
        await expect(page.locator("svg.recharts-surface")).to_have_count(2)
        await expect(page.locator(".mantine-Skeleton-root[data-visible]")).to_have_count(0)
        assert await page.evaluate("window.shifted") < 0.02
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # The legend is wrapped below the chart, within its panel.
        panel = page.get_by_role("region", name="What ended")
        within: Any = await panel.bounding_box()
        for entry in await panel.get_by_role("listitem").all():
            box: Any = await entry.bounding_box()
            assert within["x"] < box["x"]
            assert box["x"] + box["width"] < within["x"] + within["width"]
        assert await watched.findings() == []
        await page.screenshot(path=shots / f"home-{'phone' if screen else 'desktop'}-loaded.png", full_page=True)
        assert watched.complaints == []
