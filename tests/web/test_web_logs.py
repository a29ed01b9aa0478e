"""The log in a real browser: live and finished, long and fast, over restarts of the API, and how one finds a line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from support.browsing import PHONE, logged_in
from support.eventually import eventually
from support.fault_proxy import fault_proxy
from support.own import StartOwn
from support.running import Running

pytestmark = pytest.mark.browser

COLORS = r"printf '\033[1;32mINFO\033[0m of \033[38;5;208mtrain.py\033[0m\n'; printf '  0%%\r 50%%\r100%%\n'; "
# 3,000 lines with a needle in three of them, an error and what follows it.
HAYSTACK = COLORS + (
    'i=1; while [ $i -le 3000 ]; do case $i in 40|1500|2990) echo "line $i: a needle";; *) echo "line $i";; esac; '
    "i=$((i+1)); done; echo 'ERROR: no more hay' >&2; echo '  at barn.c:7' >&2"
)
TICKS = 'i=1; while [ $i -le %d ]; do echo "tick $i."; i=$((i+1)); [ $i -le 200 ] || sleep 0.02; done'
# Past those that were there at once.
TICKING = re.compile(r"tick (2[1-9]|[3-9]\d|\d{3,})\d\.")
FLOOD = "seq 1 3000; sleep 4; yes '%s' | head -%d"
# Counts the frames that are drawn, and how long the page was deaf in between.
LISTEN = """() => {
  let last = performance.now();
  window.deaf = {longest: 0, long: 0, whole: 0};
  const hear = (now) => {
    const took = now - last;
    last = now;
    window.deaf.longest = Math.max(window.deaf.longest, took);
    window.deaf.long += took > 500 ? took : 0;
    window.deaf.whole += took;
    requestAnimationFrame(hear);
  };
  requestAnimationFrame(hear);
}"""


def address(execution: str, lines: str = "") -> str:
    return f"/executions/{execution}/log{lines}"


def lines_of(page: Page) -> Locator:
    return page.get_by_role("log")


def connection_of(page: Page) -> Locator:
    return page.get_by_role("status", name="Connection of the log")


async def shown_numbers(page: Page) -> list[int]:
    """Of the rows that are in sight, from the top."""
    numbers: list[int] = await page.evaluate(
        """() => {
          const view = document.querySelector("[role=log]").getBoundingClientRect();
          return [...document.querySelectorAll("[role=log] [data-seq]")]
            .filter((row) => {
              const box = row.getBoundingClientRect();
              return box.bottom > view.top + 1 && box.top < view.bottom - 1;
            })
            .map((row) => Number(row.dataset.seq));
        }"""
    )
    return numbers


async def copied(page: Page) -> str:
    """All lines that the page holds."""
    await page.get_by_role("button", name="Download and copy").click()
    await page.get_by_role("menuitem", name="Copy all lines that are loaded").click()
    await expect(page.get_by_text(re.compile(r"lines copied$"))).to_be_visible()
    text: str = await page.evaluate("navigator.clipboard.readText()")
    return text


@pytest.fixture
async def reading(browser: Browser, tailrace: Running) -> AsyncIterator[Page]:
    """A page that may use the clipboard."""
    async with logged_in(browser, tailrace, permissions=["clipboard-read", "clipboard-write"]) as watched:
        yield watched.page
        # Browsers complain of whatever the API refuses.
        assert [said for said in watched.complaints if "status of 422" not in said] == []


async def test_lines_arrive_and_following_pauses_for_a_reader(reading: Page, tailrace: Running) -> None:
    page = reading
    execution = await tailrace.submit("sh", "-c", TICKS % 100_000)
    await page.goto(address(execution))
    await expect(connection_of(page)).to_have_text("Live")
    await expect(lines_of(page)).to_contain_text(TICKING)

    await lines_of(page).hover()
    await page.mouse.wheel(0, -1500)
    to_end = page.get_by_role("button", name="Jump to the end")
    await expect(to_end).to_be_visible()
    await eventually(lambda: stands_still(page))
    before = await shown_numbers(page)
    await expect(to_end).to_contain_text(re.compile(r"\d{2,} new lines"))
    assert await shown_numbers(page) == before

    await to_end.click()
    await expect(to_end).to_be_hidden()
    await eventually(lambda: moves(page))
    # The same by keys: to the beginning, and on with the end.
    await page.keyboard.press("g")
    await expect(lines_of(page)).to_contain_text("Queued by")
    await page.keyboard.press("f")
    await expect(to_end).to_be_hidden()
    await eventually(lambda: moves(page))
    await tailrace.cancel(execution)
    await expect(connection_of(page)).to_have_text("Complete")
    await expect(lines_of(page)).to_contain_text("Ended, canceled")


async def stands_still(page: Page) -> bool:
    """Over several drawings, while lines come."""
    before = await shown_numbers(page)
    await page.evaluate("new Promise(done => setTimeout(done, 300))")
    return before == await shown_numbers(page)


async def moves(page: Page) -> bool:
    return not await stands_still(page)


async def test_no_line_is_missing_or_doubled_over_a_restart_of_the_api(browser: Browser, own: StartOwn) -> None:
    tailrace = await own()
    async with logged_in(browser, tailrace, permissions=["clipboard-read", "clipboard-write"]) as watched:
        page = watched.page
        execution = await tailrace.submit("sh", "-c", TICKS % 600)
        await page.goto(address(execution))
        await expect(lines_of(page)).to_contain_text(TICKING)
        await tailrace.stop("api")
        await expect(connection_of(page)).to_have_text("Reconnecting")
        await tailrace.start("api", "app")
        await tailrace.until_ready()
        await expect(connection_of(page)).to_have_text(re.compile("Live|Complete"))
        await tailrace.ended(execution)
        await expect(connection_of(page)).to_have_text("Complete")
        assert await copied(page) == (await tailrace.log_text(execution, streams="stdout,stderr,system")).rstrip("\n")


async def test_a_machine_that_slept_goes_on_at_the_exact_line(browser: Browser, tailrace: Running) -> None:
    """Its connection is dead, and nobody has told it."""
    api = ("127.0.0.1", urlsplit(tailrace.url).port or 0)
    async with fault_proxy(("127.0.0.1", 0), api) as line:
        far = replace(tailrace, url=f"http://127.0.0.1:{line.port}")
        async with logged_in(browser, far, permissions=["clipboard-read", "clipboard-write"]) as watched:
            page = watched.page
            await page.clock.install()
            execution = await tailrace.submit("sh", "-c", TICKS % 100_000)
            await page.goto(address(execution))
            await expect(lines_of(page)).to_contain_text(TICKING)
            session = await page.context.new_cdp_session(page)
            await session.send("Page.setWebLifecycleState", {"state": "frozen"})
            await line.swallow()
            known = await written(tailrace, execution)
            await eventually(lambda: has_written(tailrace, execution, known + 100))
            await tailrace.cancel(execution)
            await tailrace.ended(execution)
            await line.heal()
            await session.send("Page.setWebLifecycleState", {"state": "active"})
            # That it hears nothing is no sign: programs may be silent.
            await expect(connection_of(page)).to_have_text("Live")
            await page.clock.fast_forward("01:00:00")
            await expect(connection_of(page)).to_have_text("Complete")
            whole = await tailrace.log_text(execution, streams="stdout,stderr,system")
            assert await copied(page) == whole.rstrip("\n")


async def written(tailrace: Running, execution: str) -> int:
    return int((await tailrace.execution(execution))["log"]["lines"])


async def has_written(tailrace: Running, execution: str, lines: int) -> bool:
    return await written(tailrace, execution) > lines


async def test_a_burst_leaves_the_page_to_its_reader(browser: Browser, reading: Page, tailrace: Running) -> None:
    page, count = reading, 200_000
    flood = FLOOD % ("a line like any other, of some eighty bytes together, so that it counts", count)
    execution = await tailrace.submit("sh", "-c", flood, limits={"log_bytes": "1GiB"})
    async with logged_in(browser, tailrace) as beside:
        # Somebody else reads what was there before.
        other = beside.page
        await other.goto(address(execution))
        await expect(lines_of(other)).to_contain_text("3000")
        await lines_of(other).hover()
        await other.mouse.wheel(0, -2_000)
        await expect(other.get_by_role("button", name="Jump to the end")).to_be_visible()
        await page.goto(address(execution))
        await expect(lines_of(page)).to_contain_text(re.compile("3000|a line like any other"))
        await page.evaluate(LISTEN)
        await eventually(lambda: stands_still(other))
        read = await shown_numbers(other)
        await expect(connection_of(page)).to_have_text("Complete", timeout=120_000)
        deaf: dict[str, float] = await page.evaluate("window.deaf")
        assert deaf["long"] < deaf["whole"] / 4, deaf
        assert deaf["longest"] < deaf["whole"] / 2, deaf
        await expect(connection_of(other)).to_have_text("Complete")
        assert await shown_numbers(other) == read
    await expect(lines_of(page)).to_contain_text("Ended, ok")
    held = (await copied(page)).count("\n") + 1
    assert 10_000 < held <= 50_000
    await page.keyboard.press("g")
    await expect(lines_of(page)).to_contain_text("Queued by")
    assert (await shown_numbers(page))[0] == 1


@pytest.fixture(scope="module")
async def haystack(tailrace: Running) -> str:
    """A log of several pages that has ended."""
    execution = await tailrace.submit("sh", "-c", HAYSTACK, name="haystack")
    await tailrace.ended(execution)
    return execution


async def test_the_server_searches_and_the_page_leads_to_what_it_found(
    reading: Page, haystack: str, tailrace: Running
) -> None:
    page = reading
    await page.goto(address(haystack))
    await expect(lines_of(page)).to_contain_text("line 3000")
    await page.keyboard.press("/")
    field = page.get_by_role("textbox", name="Search the log")
    await expect(field).to_be_focused()
    await page.keyboard.type("NEEDLE$")
    matches = page.get_by_role("status", name="Matches")
    await expect(matches).to_have_text("3 of 3")
    await expect(lines_of(page).locator("mark")).to_have_text("needle")
    await page.keyboard.press("Enter")
    await expect(matches).to_have_text("1 of 3")
    await expect(lines_of(page)).to_contain_text("line 40: a needle")
    await page.get_by_role("button", name="Next match (n)").click()
    await expect(matches).to_have_text("2 of 3")
    await expect(lines_of(page)).to_contain_text("line 1500: a needle")
    await page.get_by_role("button", name="Only lines that match").click()
    rows = lines_of(page).locator("[data-seq]")
    await expect(rows).to_have_count(3)
    await field.fill("a(b")
    await expect(page.get_by_role("alert")).to_contain_text("is no regular expression: missing )")
    await field.press("Escape")
    await expect(matches).to_be_hidden()
    await page.keyboard.press("G")
    await expect(lines_of(page)).to_contain_text("Ended, ok")

    await page.get_by_role("button", name="Streams and levels").click()
    await page.get_by_label("Level", exact=True).select_option("error")
    await expect(rows).to_have_text([re.compile("ERROR: no more hay"), re.compile("at barn.c:7")])
    await page.get_by_label("Level", exact=True).select_option("")
    await page.get_by_label("Output", exact=True).uncheck()
    await expect(rows).to_have_text(
        [re.compile(said) for said in ("Queued", "Attempt", "Started", "ERROR", "at", "Ended")]
    )


async def test_lines_have_addresses_and_can_be_taken_along(reading: Page, haystack: str, tailrace: Running) -> None:
    page = reading
    await page.goto(address(haystack, "#L1500-L1502"))
    chosen = lines_of(page).locator("[data-selected]")
    await expect(chosen).to_have_count(3)
    texts = (await tailrace.log_text(haystack, streams="stdout,stderr,system")).splitlines()
    await expect(chosen.first.locator("[data-text]")).to_have_text(texts[1499])
    await page.get_by_role("link", name="Line 1504").click(modifiers=["Shift"])
    await expect(chosen).to_have_count(5)
    assert page.url.endswith("#L1500-L1504")
    await page.get_by_role("button", name="Copy", exact=True).click()
    await expect(page.get_by_text("5 lines copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == "\n".join(texts[1499:1504])
    await page.get_by_role("button", name="Copy a link to it").click()
    await expect(page.get_by_text("Link copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == page.url
    # The same by keys: one line less, and from where it began on up.
    await page.keyboard.press("K")
    await expect(chosen).to_have_count(4)
    await page.keyboard.press("c")
    await expect(page.get_by_text("4 lines copied")).to_be_visible()
    await page.keyboard.press("j")
    await expect(page.get_by_role("status", name="Chosen lines")).to_have_text("Line 1504")
    for _ in range(60):
        await page.keyboard.press("k")
    await expect(page.get_by_role("status", name="Chosen lines")).to_have_text("Line 1444")
    await expect(chosen).to_be_in_viewport()
    await page.keyboard.press("Escape")
    await expect(chosen).to_have_count(0)

    await page.get_by_role("button", name="Jump to a time").click()
    await page.get_by_role("textbox", name="Jump to a time").fill("tomorrow")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("must be a time")).to_be_visible()
    await page.get_by_role("textbox", name="Jump to a time").fill("1d")
    await page.keyboard.press("Enter")
    await expect(lines_of(page)).to_contain_text("Queued by")

    await page.get_by_role("button", name="Download and copy").click()
    async with page.expect_download() as coming:
        await page.get_by_role("menuitem", name="The exact bytes").click()
    download = await coming.value
    assert download.suggested_filename == f"haystack-{haystack}.log"
    raw = await tailrace.request("GET", f"/v1/executions/{haystack}/logs", params={"format": "raw"})
    kept = await asyncio.to_thread(Path(await download.path()).read_bytes)
    assert kept == raw.content


@pytest.mark.parametrize("options", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": PHONE}])
async def test_it_can_be_read_by_everybody(
    options: dict[str, Any], browser: Browser, tailrace: Running, haystack: str, shots: Path
) -> None:
    async with logged_in(browser, tailrace, **options) as watched:
        page = watched.page
        await page.goto(address(haystack))
        await expect(lines_of(page)).to_contain_text("line 3000")
        await page.keyboard.press("g")
        await expect(lines_of(page)).to_contain_text("INFO of train.py")
        await expect(lines_of(page).locator("[data-text]", has_text="100%")).to_have_text("100%")
        await page.keyboard.press("/")
        await page.keyboard.type("line 1")
        await expect(page.get_by_role("status", name="Matches")).to_contain_text("of 1,111")
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await watched.findings() == []
        await page.screenshot(
            path=shots / f"log-{'-'.join(map(str, options))}-{options.get('color_scheme', 'phone')}.png"
        )
        assert watched.complaints == []
