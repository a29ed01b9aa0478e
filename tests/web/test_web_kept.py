"""What is kept: uploaded files, how long all of it stays, and who sees that."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from support.browsing import PHONE, Watched, fits_a_phone_in_the_dark, logged_in, settled
from support.running import Running
from support.tokens import another_user

pytestmark = pytest.mark.browser


async def test_a_file_is_uploaded_used_taken_along_and_deleted(
    browser: Browser, watched: Watched, tailrace: Running, tmp_path: Path, shots: Path
) -> None:
    page = watched.page
    name = f"rows-{uuid4().hex[:8]}.csv"
    (tmp_path / name).write_text("a,b\n1,2\n")
    await page.goto("/files")
    await settled(page)
    await page.locator("input[type=file]").set_input_files(tmp_path / name)
    row = page.get_by_role("row").filter(has_text=name)
    await expect(row).to_contain_text("8 B")
    await page.get_by_role("textbox", name="The beginning of a name").fill(name[:10])
    await page.wait_for_url(f"**/files?name={name[:10]}")
    await expect(row).to_be_visible()
    async with page.expect_download() as coming:
        await row.get_by_role("link", name=name).click()
    assert (await (await coming.value).path()).read_text() == "a,b\n1,2\n"
    assert await watched.findings() == []
    await page.screenshot(path=shots / "files.png", full_page=True)
    await fits_a_phone_in_the_dark(browser, tailrace, "/files", shots)

    (kept,) = (await tailrace.get(f"/v1/files?name={name}"))["items"]
    execution = await tailrace.submit(
        "sh", "-c", "cat /tailrace/inputs/rows.csv; sleep 600", files={"rows.csv": {"id": kept["id"]}}
    )
    await tailrace.reaches(execution, "running")
    dialog = page.get_by_role("dialog")
    await row.get_by_role("button", name=f"Delete {name}").click()
    await dialog.get_by_role("button", name="Delete it").click()
    # The one refusal that there is: an execution that has not ended has it.
    await expect(page.get_by_role("alert").filter(has_text=execution)).to_be_visible()
    await tailrace.cancel(execution, force=True)
    await tailrace.ended(execution)
    assert "1,2" in await tailrace.log_text(execution)
    await row.get_by_role("button", name=f"Delete {name}").click()
    await dialog.get_by_role("button", name="Delete it").click()
    await expect(row).to_have_count(0)
    watched.complaints[:] = [said for said in watched.complaints if "409" not in said]


async def test_what_is_kept_how_long_is_for_administrators(
    browser: Browser, watched: Watched, tailrace: Running, shots: Path
) -> None:
    page = watched.page
    await page.goto("/")
    await page.get_by_role("link", name="Retention").click()
    policy = (await tailrace.get("/v1/retention"))["policy"]
    outputs = "for ever" if policy["outputs"] is None else f"{policy['outputs']} day"
    await expect(page.get_by_role("region", name="The policy")).to_contain_text(outputs)
    await page.get_by_label("Within days").fill("90")
    await page.wait_for_url("**/retention?days=90")
    due = (await tailrace.get("/v1/retention?days=90"))["records"]["within_days"]["count"]
    records = page.get_by_role("region", name="What goes").get_by_role("row").filter(has_text="Records")
    await expect(records).to_contain_text(f"{due:,}")
    assert await watched.findings() == []
    await page.screenshot(path=shots / "retention.png", full_page=True)
    await fits_a_phone_in_the_dark(browser, tailrace, "/retention", shots)

    theirs = await another_user(tailrace, f"ann-{uuid4().hex[:8]}")
    async with logged_in(browser, tailrace, token=theirs.token, viewport=PHONE, has_touch=True) as phone:
        await phone.page.goto("/")
        await phone.page.get_by_role("button", name="Navigation").click()
        pages = phone.page.get_by_role("navigation", name="Pages")
        await expect(pages.get_by_role("link", name="Audit log")).to_be_visible()
        await expect(pages.get_by_role("link", name="Retention")).to_have_count(0)
        assert await phone.findings() == []
        await phone.page.screenshot(path=shots / "navigation-phone.png")
        await phone.page.goto("/retention")
        await expect(phone.page.get_by_text("This is for administrators")).to_be_visible()
        assert phone.complaints == []


async def test_an_execution_is_taken_in_from_a_bundle(
    watched: Watched, tailrace: Running, tmp_path: Path, shots: Path
) -> None:
    page = watched.page
    execution = await tailrace.submit("echo", "taken along", name="far travelled")
    await tailrace.ended(execution)
    bundle = await tailrace.request("GET", f"/v1/executions/{execution}/bundle")
    (tmp_path / "bundle.zip").write_bytes(bundle.content)
    await page.goto("/archive")
    await settled(page)
    file = page.locator("input[type=file]")
    await file.set_input_files(tmp_path / "bundle.zip")
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("bundle.zip was not stored")).to_be_visible()
    await expect(dialog.get_by_text("here already")).to_be_visible()
    assert await watched.findings() == []
    await page.screenshot(path=shots / "import-refused.png")
    await dialog.get_by_role("alert").get_by_role("button").click()
    await tailrace.request("DELETE", f"/v1/executions/{execution}")
    await file.set_input_files(tmp_path / "bundle.zip")
    await page.wait_for_url(f"**/executions/{execution}")
    await expect(page.get_by_text("taken along")).to_be_visible()
    watched.complaints[:] = [said for said in watched.complaints if "409" not in said]
