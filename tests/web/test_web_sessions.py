"""Who is logged in: as whom one logs in, the sessions that there are, and how one is ended from elsewhere."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from support.browsing import PHONE, Watched, logged_in
from support.running import Running

pytestmark = pytest.mark.browser


async def token_of(tailrace: Running, owner: str) -> str:
    wanted = {"name": f"token of {owner}", "owner": owner, "role": "operator"}
    made = await tailrace.request("POST", "/v1/tokens", headers=tailrace.headers, json=wanted)
    assert made.status_code == 201, made.text
    token: str = made.json()["token"]
    return token


async def test_who_logs_in_as_somebody_else_is_told_so(
    browser: Browser, tailrace: Running, watched: Watched, shots: Path
) -> None:
    ann = f"ann-{uuid4().hex[:6]}"
    headers = {"Authorization": f"Bearer {await token_of(tailrace, ann)}"}
    link = (await tailrace.request("POST", "/v1/session/tickets", headers=headers)).json()["links"]["login"]
    page = watched.page
    await page.goto(link)
    await expect(page.get_by_role("status")).to_contain_text("logged in as admin")
    await expect(page.get_by_label("Token")).not_to_be_visible()
    assert await watched.findings() == []
    await page.screenshot(path=shots / "login-as-another.png")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("status")).to_have_text(
        f"This browser is logged in as {ann} now, and no longer as admin."
    )
    await page.screenshot(path=shots / "login-changed.png")
    await page.get_by_role("link", name="Go on").click()
    await expect(page.get_by_role("button", name=f"Account of {ann}")).to_contain_text(ann)


async def test_a_session_is_told_from_a_token_and_ended_from_elsewhere(
    browser: Browser, tailrace: Running, shots: Path
) -> None:
    ben = f"ben-{uuid4().hex[:6]}"
    token = await token_of(tailrace, ben)
    async with (
        logged_in(browser, tailrace, token=token) as here,
        logged_in(browser, tailrace, token=token, viewport=PHONE) as there,
    ):
        await there.page.goto("/executions")
        await expect(there.page.get_by_role("button", name=f"Account of {ben}")).to_be_visible()
        page = here.page
        await page.goto("/tokens")
        rows = page.get_by_role("row").filter(has_text=f"by token of {ben}")
        await expect(rows).to_have_count(2)
        await expect(rows.filter(has_text="In use here")).to_have_count(1)
        await page.screenshot(path=shots / "tokens-kinds.png")
        await page.get_by_role("radiogroup", name="Kind").get_by_text("Sessions").click()
        await page.wait_for_url("**/tokens?kind=session")
        await expect(rows).to_have_count(2)
        await expect(page.get_by_text("Session", exact=True)).to_have_count(2)
        assert await here.findings() == []
        other = rows.filter(has_not_text="In use here")
        await other.get_by_role("button", name=f"End the session of {ben}").click()
        await page.get_by_role("button", name="End it").click()
        await expect(rows).to_have_count(1)
        await expect(there.page.get_by_role("dialog", name="Your session has ended")).to_be_visible()
        # With the token one logs in again: that stays.
        await page.get_by_role("radiogroup", name="Kind").get_by_text("Tokens").click()
        await expect(page.get_by_role("row").filter(has_text=f"token of {ben}")).to_have_count(1)
        assert here.complaints == []


async def test_sessions_are_listed_on_a_phone(browser: Browser, tailrace: Running, shots: Path) -> None:
    cat = f"cat-{uuid4().hex[:6]}"
    async with logged_in(browser, tailrace, token=await token_of(tailrace, cat), viewport=PHONE) as watched:
        await watched.page.goto("/tokens?kind=session")
        await expect(watched.page.get_by_text(f"by token of {cat}")).to_be_visible()
        assert await watched.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert await watched.findings() == []
        await watched.page.screenshot(path=shots / "tokens-phone.png")
