"""The reference at /docs in a real browser: what stands there can be sent as it stands, by a session or by a token."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from support.browsing import DESKTOP, PATIENCE, PHONE, Watched
from support.running import Running

pytestmark = pytest.mark.browser


async def execute(page: Page, tag: str, operation: str, *, file: Path | None = None) -> str:
    """Press *Execute* for an operation, with all as it stands there; the status of the answer."""
    block = page.locator(f"#operations-{tag}-{operation}")
    heading = page.locator(f"#operations-tag-{tag}")
    if await heading.get_attribute("data-is-open") != "true":
        await heading.click()
    await block.locator(".opblock-summary-control").click()
    await block.get_by_role("button", name="Try it out").click()
    if file:
        await block.locator("input[type=file]").set_input_files(file)
    await block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table .response-col_status").last
    return (await answer.inner_text()).split()[0]


async def open_reference(page: Page) -> None:
    await page.goto("/docs")
    await expect(page.get_by_role("heading", name="Tailrace")).to_be_visible()


async def test_examples_can_be_sent_by_whoever_is_logged_in(
    page: Page, tailrace: Running, shots: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("a,b\n1,2\n")
    await open_reference(page)
    assert await execute(page, "executions", "submit_execution") == "201"
    assert await execute(page, "executions", "list_executions") == "200"
    assert await execute(page, "files", "upload_file", file=rows) == "201"
    assert await execute(page, "pools", "list_pools") == "200"
    assert await execute(page, "schedules", "preview_rule") == "200"
    assert await execute(page, "secrets", "put_secret") in {"200", "201"}
    await page.screenshot(path=shots / "reference.png", full_page=True)
    newest = await anext(aiter(tailrace.api.list()))
    assert newest["name"] == "first"
    assert (await tailrace.ended(newest.id))["status"] == "succeeded"


async def test_a_token_is_good_for_all_of_it(browser: Browser, tailrace: Running, shots: Path) -> None:
    context = await browser.new_context(base_url=tailrace.url, viewport=DESKTOP)
    context.set_default_timeout(PATIENCE)
    try:
        watched = Watched(await context.new_page())
        page = watched.page
        await open_reference(page)
        await page.get_by_role("button", name="Authorize").click()
        dialog = page.locator(".dialog-ux")
        await page.screenshot(path=shots / "reference-authorize.png")
        # Not the session: that is a cookie, which no page can set.
        await expect(dialog.get_by_role("textbox")).to_have_count(1)
        await dialog.get_by_role("textbox").fill(tailrace.token)
        await dialog.get_by_role("button", name="Apply credentials").click()
        await dialog.get_by_role("button", name="Close").first.click()
        assert await execute(page, "quotas", "get_me") == "200"
        assert await execute(page, "executions", "submit_execution") == "201"
        assert watched.complaints == []
        assert watched.asked == {tailrace.url.partition("//")[2]}
    finally:
        await context.close()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_it_is_as_dark_as_the_system_or_the_monitor(page: Page, shots: Path, size: dict[str, int]) -> None:
    root = page.locator("html")
    await page.set_viewport_size({"width": size["width"], "height": size["height"]})
    await page.emulate_media(color_scheme="dark")
    await open_reference(page)
    await expect(root).to_have_class("dark-mode")
    await page.locator("#operations-tag-executions").click()
    await page.screenshot(path=shots / f"reference-dark-{size['width']}.png")
    await page.emulate_media(color_scheme="light")
    await expect(root).not_to_have_class("dark-mode")
    await page.evaluate("localStorage.setItem('mantine-color-scheme-value', 'dark')")
    await page.reload()
    await expect(root).to_have_class("dark-mode")
    await page.evaluate("localStorage.clear()")
