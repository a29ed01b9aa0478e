"""The frame of all pages: who gets in, where one can go, light and dark, on a phone; nothing leaves the host."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from support.browsing import PHONE, Watched, logged_in
from support.own import StartOwn
from support.running import Running

pytestmark = pytest.mark.browser


async def test_who_is_not_logged_in_comes_back_to_the_page_that_was_asked_for(
    browser: Browser, tailrace: Running
) -> None:
    context = await browser.new_context(base_url=tailrace.url)
    page = await context.new_page()
    try:
        await page.goto("/workers")
        await page.wait_for_url("**/login?next=*")
        await page.get_by_label("Token").fill(tailrace.token)
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_url("**/workers")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Workers and pools")
        await page.get_by_role("button", name="Account of admin").click()
        await page.get_by_role("menuitem", name="Log out").click()
        await page.wait_for_url("**/login")
    finally:
        await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_shell_is_live_and_says_so_to_everybody(
    scheme: str, browser: Browser, tailrace: Running, shots: Path
) -> None:
    async with logged_in(browser, tailrace, color_scheme=scheme) as watched:
        page = watched.page
        await page.goto("/nothing-of-that-name")
        await expect(page.get_by_role("status")).to_have_text("Live")
        await expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
        await expect(page).to_have_title("No such page · Tailrace")
        assert await watched.findings() == []
        await page.screenshot(path=shots / f"shell-{scheme}.png")
        assert watched.complaints == []
        assert watched.asked == {tailrace.url.partition("//")[2]}


async def test_it_can_be_used_by_keys_alone(watched: Watched) -> None:
    page = watched.page
    await page.goto("/")
    await expect(page.get_by_role("status")).to_have_text("Live")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("/")
    await page.keyboard.type("some words")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/executions?q=*")


async def test_a_phone_has_all_of_it_behind_a_button(browser: Browser, tailrace: Running, shots: Path) -> None:
    async with logged_in(browser, tailrace, viewport=PHONE, has_touch=True) as watched:
        page = watched.page
        await page.goto("/")
        links = page.get_by_role("navigation", name="Pages").get_by_role("link")
        await expect(links).to_have_count(0)
        await page.get_by_role("button", name="Navigation").click()
        await links.first.press("Escape")
        await expect(links).to_have_count(0)
        await expect(page.get_by_role("button", name="Navigation")).to_be_focused()
        await page.get_by_role("button", name="Navigation").click()
        await page.get_by_role("link", name="Workers and pools").click()
        await page.wait_for_url("**/workers")
        await expect(page.get_by_role("link", name="Workers and pools")).not_to_be_in_viewport()
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert await watched.findings() == []
        await page.screenshot(path=shots / "shell-phone.png")


async def test_the_focus_is_never_lost(watched: Watched) -> None:
    page = watched.page
    await page.goto("/tokens")
    opener = page.get_by_role("button", name="New token")
    await opener.press("Enter")
    await expect(page.get_by_label("What it is for")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(opener).to_be_focused()

    await page.goto("/workers")
    opener = page.get_by_role("button", name="can be done with the pool default")
    await opener.press("Enter")
    await page.get_by_role("menuitem", name="Change").press("Escape")
    await expect(page.get_by_role("menu")).to_have_count(0)
    await expect(opener).to_be_focused()
    await opener.press("Enter")
    await page.get_by_role("menuitem", name="Pause").press("Enter")
    dialog = page.get_by_role("dialog", name="Pause the pool default?")
    await dialog.get_by_role("button", name="No").press("Enter")
    await expect(dialog).to_have_count(0)
    await expect(opener).to_be_focused()

    await page.get_by_role("link", name="To the start").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    await page.get_by_role("main").get_by_role("link", name="Queued").first.press("Enter")
    await page.wait_for_url("**/executions?*")
    await expect(page.get_by_role("main")).to_be_focused()


async def test_what_was_typed_outlives_the_session(browser: Browser, tailrace: Running, shots: Path) -> None:
    async with logged_in(browser, tailrace) as watched:
        page = watched.page
        await page.goto("/submit?by=image")
        await page.get_by_role("textbox", name="Image").fill("busybox:local")
        await expect(page.get_by_text("It would be accepted.")).to_be_visible()
        await watched.page.context.clear_cookies()
        await page.get_by_label("Name", exact=True).fill("typed before")
        dialog = page.get_by_role("dialog", name="Your session has ended")
        await expect(dialog).to_be_visible()
        assert await watched.findings() == []
        await page.screenshot(path=shots / "session-ended.png")
        await dialog.get_by_label("Token").fill("trt_wrong")
        await dialog.get_by_role("button", name="Log in").click()
        await expect(dialog.get_by_role("alert")).to_be_visible()
        await dialog.get_by_label("Token").fill(tailrace.token)
        await dialog.get_by_role("button", name="Log in").click()
        await expect(dialog).to_have_count(0)
        await expect(page.get_by_text("It would be accepted.")).to_be_visible()
        await expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
        await page.get_by_role("button", name="Submit").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("typed before")


async def test_a_form_is_checked_again_once_the_api_is_back(browser: Browser, own: StartOwn, monitor: Path) -> None:
    installation = await own(TAILRACE_WEB=str(monitor))
    async with logged_in(browser, installation) as watched:
        page = watched.page
        await page.goto("/submit?by=image")
        await page.get_by_role("textbox", name="Image").fill("busybox:local")
        await expect(page.get_by_text("It would be accepted.")).to_be_visible()
        await installation.stop("api")
        name = page.get_by_label("Name", exact=True)
        await name.fill("typed meanwhile")
        await expect(page.get_by_text("It cannot be checked now.")).to_be_visible()
        await installation.start("api", "app")
        await installation.until_ready()
        await expect(page.get_by_text("It would be accepted.")).to_be_visible()
        await expect(name).to_have_value("typed meanwhile")


async def test_who_logs_out_leaves_in_every_tab(browser: Browser, tailrace: Running) -> None:
    async with logged_in(browser, tailrace) as watched:
        other = await watched.page.context.new_page()
        await other.goto("/tokens")
        await expect(other.get_by_role("heading", level=1)).to_have_text("Tokens")
        await watched.page.goto("/")
        await watched.page.get_by_role("button", name="Account of admin").click()
        await watched.page.get_by_role("menuitem", name="Log out").click()
        await other.wait_for_url("**/login?next=%2Ftokens")
