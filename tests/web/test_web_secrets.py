"""Secrets by name: kept, used by a real execution, replaced and deleted, and never seen again."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from support.browsing import Watched, fits_a_phone_in_the_dark, logged_in
from support.running import Running
from support.tokens import another_user

pytestmark = pytest.mark.browser

SCRIPT = 'cd /tailrace/secrets; echo "it has $(cat * | wc -c) bytes"; cat *'


async def test_a_secret_is_kept_used_replaced_and_deleted(
    browser: Browser, watched: Watched, tailrace: Running, tmp_path: Path, shots: Path
) -> None:
    page = watched.page
    name = f"key-{uuid4().hex[:8]}"
    first, second = f"first-{uuid4().hex}", f"second\n{uuid4().hex}\n"
    await page.goto("/secrets")
    await page.get_by_role("button", name="New secret").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("not a name")
    await expect(dialog.get_by_text("Letters, digits, dots")).to_be_visible()
    await dialog.get_by_label("Name").fill(name)
    await dialog.get_by_role("textbox", name="Value").fill(first)
    assert await watched.findings() == []
    await page.screenshot(path=shots / "secret-new.png")
    await dialog.get_by_role("button", name="Keep it").click()
    row = page.get_by_role("row").filter(has_text=name)
    await expect(row).to_contain_text("never")
    await page.reload()
    await expect(row).to_be_visible()
    assert first not in await page.content()

    execution = await submitted_with(page, name)
    assert (await tailrace.ended(execution))["status"] == "succeeded"
    log = await tailrace.log_text(execution)
    assert f"it has {len(first)} bytes" in log
    assert first not in log

    schedule = await scheduled_with(tailrace, name)
    await page.goto("/secrets")
    await expect(row).not_to_contain_text("never")
    await row.get_by_role("button", name="Replace the value").click()
    (tmp_path / "key.pem").write_text(second)
    await dialog.locator("input[type=file]").set_input_files(tmp_path / "key.pem")
    await expect(dialog.get_by_text("with a line break at its end")).to_be_visible()
    await dialog.get_by_role("button", name="Replace it").click()
    await expect(dialog).to_have_count(0)
    execution = await submitted_with(page, name)
    await tailrace.ended(execution)
    assert f"it has {len(second)} bytes" in await tailrace.log_text(execution)

    await fits_a_phone_in_the_dark(browser, tailrace, "/secrets", shots)
    await page.goto("/secrets")
    await row.get_by_role("button", name=f"Delete {name}").click()
    await expect(dialog.get_by_role("link", name=f"with {name}")).to_have_attribute("href", f"/schedules/{schedule}")
    assert await watched.findings() == []
    await page.screenshot(path=shots / "secret-delete.png")
    await dialog.get_by_role("button", name="Delete it").click()
    await expect(row).to_have_count(0)
    named = [each["name"] for each in (await tailrace.get("/v1/secrets"))["items"]]
    assert name not in named
    await tailrace.request("DELETE", f"/v1/schedules/{schedule}")


async def test_who_may_only_look_sees_names_and_no_buttons(browser: Browser, tailrace: Running) -> None:
    theirs = await another_user(tailrace, f"reader-{uuid4().hex[:8]}", ["read"])
    async with logged_in(browser, tailrace, token=theirs.token) as watched:
        await watched.page.goto("/secrets")
        await expect(watched.page.get_by_role("heading", name="No secret yet")).to_be_visible()
        await expect(watched.page.get_by_role("button", name="New secret")).to_have_count(0)
        assert watched.complaints == []


async def submitted_with(page: Page, secret: str) -> str:
    """An execution that was submitted by the form, with this secret as a file."""
    await page.goto("/submit?by=image")
    await page.get_by_role("textbox", name="Image").fill("busybox:local")
    await page.get_by_role("textbox", name="Command").fill(SCRIPT)
    await page.get_by_role("button", name="Run it in a shell").click()
    await page.get_by_role("heading", name="Variables and secrets").click()
    await page.get_by_role("button", name="Stored secret").click()
    await page.get_by_role("combobox", name="Name of the secret").click()
    await page.get_by_role("option", name=secret).click()
    await expect(page.get_by_text("It would be accepted.")).to_be_visible()
    await page.get_by_role("button", name="Submit", exact=True).click()
    await page.wait_for_url("**/executions/*")
    return page.url.rsplit("/", 1)[1]


async def scheduled_with(tailrace: Running, secret: str) -> str:
    """A schedule that submits with it, far from now."""
    target = {"image": "busybox:local", "named_secrets": {"KEY": {"name": secret}}}
    body = {"name": f"with {secret}", "rule": {"cron": "0 0 1 1 *"}, "targets": [{"execution": target}]}
    made = await tailrace.request("POST", "/v1/schedules", json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])
