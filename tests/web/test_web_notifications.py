"""Rules by which people are told: made, tried, changed, and what an execution that fails makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from support.browsing import fits_a_phone_in_the_dark, logged_in
from support.eventually import eventually
from support.mailbox import receiving_mail
from support.own import StartOwn

pytestmark = pytest.mark.browser


async def test_somebody_is_told_by_mail_that_it_failed(
    browser: Browser, own: StartOwn, monitor: Path, shots: Path
) -> None:
    installation = await own(TAILRACE_OUTBOUND_ALLOW="127.0.0.1", TAILRACE_WEB=str(monitor))
    async with receiving_mail() as mailbox, logged_in(browser, installation) as watched:
        page = watched.page
        await page.goto("/notifications")
        await page.get_by_role("button", name="New rule").click()
        dialog = page.get_by_role("dialog")
        to = dialog.get_by_role("textbox", name="To whom")
        await to.fill("json://127.0.0.1")
        await dialog.get_by_label("Description").fill("Wakes ann")
        await dialog.get_by_role("button", name="Make the rule").click()
        await expect(dialog.get_by_text("Must be a URL of Apprise for one of")).to_be_visible()
        # The browser tells its console of every answer that is no success, and this is the one that there is.
        assert len(watched.complaints) == 1
        await to.fill(mailbox.url)
        assert await watched.findings() == []
        await page.screenshot(path=shots / "notification-new.png")
        await dialog.get_by_role("button", name="Make the rule").click()
        await page.wait_for_url("**/notifications/*")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Wakes ann")
        assert mailbox.url not in await page.content()

        await page.get_by_role("button", name="Send a test").click()
        log = page.get_by_role("region", name="What was said")
        await expect(log.get_by_role("cell", name="Sent", exact=True)).to_be_visible()
        await expect(log.get_by_role("cell", name="A test", exact=True)).to_be_visible()
        await eventually(lambda: len(mailbox.mails) == 1)

        execution = await installation.submit("sh", "-c", "exit 3", name="nightly")
        await installation.ended(execution)
        await eventually(lambda: len(mailbox.mails) == 2)
        assert "nightly" in mailbox.subjects[1]
        row = log.get_by_role("row").filter(has=page.locator(f'a[href="/executions/{execution}"]'))
        await expect(row).to_contain_text("Sent")
        assert await watched.findings() == []
        await page.screenshot(path=shots / "notification.png", full_page=True)

        await page.get_by_role("button", name="More").click()
        await page.get_by_role("menuitem", name="Change").click()
        await dialog.get_by_text("Failures in a row").click()
        await dialog.get_by_label("How many in a row").fill("2")
        await dialog.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("2 failures in a row of the same name, and the recovery")).to_be_visible()
        for _ in range(2):
            await installation.ended(await installation.submit("sh", "-c", "exit 3", name="nightly"))
        await eventually(lambda: len(mailbox.mails) == 3)
        await expect(log.get_by_role("row").nth(1)).to_contain_text("Failures in a row")
        for path in ("/notifications", page.url.partition(installation.url)[2]):
            await fits_a_phone_in_the_dark(browser, installation, path, shots)

        await page.get_by_role("button", name="More").click()
        await page.get_by_role("menuitem", name="Delete").click()
        await dialog.get_by_role("button", name="Delete").click()
        await page.wait_for_url("**/notifications")
        await expect(page.get_by_role("heading", name="No rule yet")).to_be_visible()
        assert len(watched.complaints) == 1
