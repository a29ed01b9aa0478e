"""The operators' pages: workers and pools, tokens, webhooks, usage. Each is driven once, by who may and who may not."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from support.browsing import PHONE, Watched, logged_in
from support.own import StartOwn
from support.receiver import receiving
from support.running import Running
from support.tokens import another_user

pytestmark = pytest.mark.browser


async def test_pools_and_workers_are_paused_and_go_on(watched: Watched, tailrace: Running, shots: Path) -> None:
    page = watched.page
    pool = f"pool-{uuid4().hex[:8]}"
    execution = await tailrace.submit("sh", "-c", "sleep 600", name="held here")
    await tailrace.reaches(execution, "running")
    try:
        await page.goto("/workers")
        worker = page.get_by_role("article").filter(has=page.get_by_role("link", name="held here"))
        await expect(worker.get_by_text("Takes work")).to_be_visible()
        assert await watched.findings() == []
        await page.screenshot(path=shots / "workers.png", full_page=True)
        for verb, word in (("Pause", "Paused"), ("Resume", "Takes work")):
            await worker.get_by_role("button", name="can be told").click()
            await page.get_by_role("menuitem", name=verb).click()
            await page.get_by_role("dialog").get_by_role("button", name=verb).click()
            await expect(worker.get_by_text(word)).to_be_visible()

        await page.get_by_role("button", name="New pool").click()
        await page.get_by_label("Name").fill(pool)
        await page.get_by_label("At most under way").fill("3")
        await page.get_by_role("button", name="Make it").click()
        panel = page.get_by_role("region", name=pool)
        await expect(panel.get_by_text("At most 3 at once")).to_be_visible()
        await panel.get_by_role("button", name="can be done").click()
        await page.get_by_role("menuitem", name="Pause").click()
        await page.get_by_role("dialog").get_by_role("button", name="Pause").click()
        await expect(panel.get_by_text("It is paused")).to_be_visible()
        assert (await tailrace.get(f"/v1/pools/{pool}"))["max_running"] == 0
    finally:
        await tailrace.cancel(execution, force=True)
        await tailrace.request("DELETE", f"/v1/pools/{pool}")


async def test_a_token_is_shown_once_and_revoked_with_what_was_made_with_it(
    watched: Watched, tailrace: Running, shots: Path
) -> None:
    page = watched.page
    name = f"nightly {uuid4().hex[:8]}"
    await page.goto("/tokens")
    await expect(page.get_by_text("In use here")).to_have_count(1)
    await page.get_by_role("button", name="New token").click()
    await page.get_by_label("What it is for").fill(name)
    await page.get_by_label("cancel").uncheck()
    await page.get_by_role("button", name="Make it").click()
    dialog = page.get_by_role("dialog")
    token = await dialog.locator("pre").inner_text()
    assert await watched.findings() == []
    as_program = {"Authorization": f"Bearer {token}"}
    child = await tailrace.request("POST", "/v1/tokens", headers=as_program, json={"name": "child", "scopes": ["read"]})
    assert child.status_code == 201, child.text
    await page.get_by_role("button", name="I have it").click()

    await page.reload()
    assert token not in await page.content()
    await page.screenshot(path=shots / "tokens.png", full_page=True)
    await page.get_by_role("button", name=f"Revoke {name}").click()
    await page.get_by_label("Also all that was made with it").check()
    await expect(dialog.get_by_text("child, of admin")).to_be_visible()
    await page.get_by_role("button", name="Revoke all of it").click()
    await expect(page.get_by_text("Ended or switched off: 2 tokens.")).to_be_visible()
    await expect(page.get_by_role("button", name=f"Revoke {name}")).to_have_count(0)
    assert (await tailrace.request("GET", "/v1/me", headers=as_program)).status_code == 401


async def test_a_webhook_is_made_tested_and_sent_again(
    browser: Browser, own: StartOwn, monitor: Path, shots: Path
) -> None:
    installation = await own(TAILRACE_OUTBOUND_ALLOW="127.0.0.1", TAILRACE_WEB=str(monitor))
    async with receiving() as receiver, logged_in(browser, installation) as watched:
        receiver.answer(503, "try later")
        page = watched.page
        await page.goto("/webhooks")
        await page.get_by_role("button", name="New webhook").click()
        await page.get_by_label("Address").fill("http://10.0.0.1/hook")
        await page.get_by_role("button", name="Make it").click()
        await expect(page.get_by_label("Address")).to_have_attribute("aria-invalid", "true")
        # The browser tells its console of every answer that is no success, and this is the one that there is.
        assert len(watched.complaints) == 1
        await page.get_by_label("Address").fill(receiver.url)
        await page.get_by_role("button", name="Make it").click()
        await expect(page.get_by_text("whsec_")).to_be_visible()
        await page.get_by_role("button", name="I have it").click()
        await page.wait_for_url("**/webhooks/*")

        await page.get_by_role("button", name="Send a test").click()
        delivery = page.get_by_role("button", name="webhook.ping")
        await expect(delivery).to_contain_text("Answered 503, again in")
        await delivery.click()
        await expect(page.get_by_role("region", name="The message")).to_contain_text("webhook.ping")
        await expect(page.get_by_role("cell", name="try later")).to_be_visible()
        assert await watched.findings() == []
        await page.screenshot(path=shots / "webhook.png", full_page=True)
        receiver.answer(204)
        await page.get_by_role("button", name="Send again").click()
        await expect(delivery.filter(has_text="Delivered").first).to_be_visible()
        assert len({each.headers["webhook-id"] for each in receiver.received}) == 1
        assert len(watched.complaints) == 1


async def test_limits_of_an_owner_are_given_and_felt(
    browser: Browser, watched: Watched, tailrace: Running, shots: Path
) -> None:
    owner = f"owner-{uuid4().hex[:8]}"
    page = watched.page
    await page.goto(f"/usage?owner={owner}")
    await page.get_by_role("button", name="Change the limits").click()
    await page.get_by_label("Under way at once").fill("4")
    await page.get_by_label("Storage that is kept").fill("2 GiB")
    await page.get_by_role("button", name="Save").click()
    shares = page.get_by_role("region", name=f"What {owner} uses")
    await expect(shares).to_contain_text("0 of 4")
    await expect(page.get_by_role("link", name=owner)).to_be_visible()
    assert await watched.findings() == []
    await page.screenshot(path=shots / "usage.png", full_page=True)

    theirs = await another_user(tailrace, owner)
    async with logged_in(browser, tailrace, token=theirs.token, viewport=PHONE, color_scheme="dark") as phone:
        await phone.page.goto("/usage")
        await expect(phone.page.get_by_role("region", name=f"What {owner} uses")).to_contain_text("0 B of 2 GiB")
        await expect(phone.page.get_by_role("button", name="Change the limits")).to_have_count(0)
        for path in ("/usage", "/workers", "/tokens", "/webhooks"):
            await phone.page.goto(path)
            await expect(phone.page.get_by_role("heading", level=1)).to_be_visible()
            await settled(phone.page)
            assert await phone.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
            assert await phone.findings() == []
            await phone.page.screenshot(path=shots / f"operators-phone{path.replace('/', '-')}.png", full_page=True)
        assert phone.complaints == []
    await tailrace.request("DELETE", f"/v1/quotas/{owner}")


async def settled(page: Page) -> None:
    """All that is to be shown has come."""
    await expect(page.locator(".mantine-Skeleton-root")).to_have_count(0)
