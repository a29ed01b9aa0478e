"""The audit log as a page: narrowed by its address, one entry in full, all of it as a file."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from support.browsing import Watched, fits_a_phone_in_the_dark, logged_in, settled
from support.running import Running
from support.tokens import another_user

pytestmark = pytest.mark.browser


async def test_who_did_what_is_found_and_taken_along(
    browser: Browser, watched: Watched, tailrace: Running, shots: Path
) -> None:
    page = watched.page
    owner = f"ann-{uuid4().hex[:8]}"
    ann = await another_user(tailrace, owner)
    execution = await ann.submit("sleep", "600")
    await ann.reaches(execution, "running")
    await tailrace.cancel(execution, force=True)
    refused = await ann.request("POST", "/v1/pools", json={"name": "hers"})
    assert refused.status_code == 403

    await page.goto("/audit")
    await page.get_by_role("button", name="Filter").click()
    filters = page.get_by_role("form", name="Filters of the audit log")
    await filters.get_by_label("Of what").fill(f"executions/{execution}")
    assert await watched.findings() == []
    await page.screenshot(path=shots / "audit-filters.png")
    await filters.get_by_role("button", name="Show").click()
    await page.wait_for_url(f"**/audit?object=executions%2F{execution}")
    rows = page.get_by_role("region", name="Audit log").locator("tbody tr")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("admin")
    await expect(rows.last).to_contain_text(owner)
    await page.reload()
    await rows.first.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("127.0.0.1")
    await expect(dialog.get_by_role("link")).to_have_attribute("href", f"/executions/{execution}")
    assert await watched.findings() == []
    await page.screenshot(path=shots / "audit-entry.png")
    await dialog.press("Escape")

    await page.get_by_role("button", name="Remove Of what").click()
    await page.wait_for_url("**/audit")
    await page.goto(f"/audit?actor={owner}")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("Refused")
    await page.get_by_role("button", name="Export").click()
    async with page.expect_download() as coming:
        await page.get_by_role("menuitem", name="CSV").click()
    taken = (await (await coming.value).path()).read_text()
    assert [row["status"] for row in csv.DictReader(io.StringIO(taken))] == ["403", "201"]
    await page.screenshot(path=shots / "audit.png")
    await fits_a_phone_in_the_dark(browser, tailrace, f"/audit?owner={owner}", shots)


async def test_an_owner_sees_what_was_done_to_what_is_theirs(browser: Browser, tailrace: Running) -> None:
    owner = f"bob-{uuid4().hex[:8]}"
    bob = await another_user(tailrace, owner)
    execution = await bob.submit("true")
    await bob.ended(execution)
    await tailrace.request("DELETE", f"/v1/executions/{execution}")
    async with logged_in(browser, tailrace, token=bob.token) as watched:
        await watched.page.goto("/audit")
        await settled(watched.page)
        # The session is one, too.
        rows = watched.page.get_by_role("region", name="Audit log").locator("tbody tr")
        await expect(rows).to_have_count(3)
        await expect(rows.nth(1)).to_contain_text("Delete execution")
        await expect(rows.nth(1)).to_contain_text("admin")
        assert watched.complaints == []


async def test_older_entries_come_as_one_scrolls(watched: Watched, tailrace: Running) -> None:
    name = f"often-{uuid4().hex[:8]}"
    for count in range(130):
        put = await tailrace.request("PUT", f"/v1/secrets/{name}", json={"value": f"value {count}"})
        assert put.status_code in {200, 201}, put.text
    await watched.page.goto(f"/audit?object=secrets/{name}")
    log = watched.page.get_by_role("region", name="Audit log")
    table = log.locator("table")
    # The head is a row, too; so many entries are fetched at a time.
    await expect(table).to_have_attribute("aria-rowcount", "101")
    await log.evaluate("each => each.scrollTo(0, each.scrollHeight)")
    await expect(table).to_have_attribute("aria-rowcount", "131")
    await tailrace.request("DELETE", f"/v1/secrets/{name}")
