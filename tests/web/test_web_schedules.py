"""What is submitted later: by the clock, from the form for submitting, and when another system posts to a trigger."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from support.browsing import Watched, fits_a_phone_in_the_dark
from support.running import Running

pytestmark = pytest.mark.browser


async def test_what_the_form_has_is_submitted_by_the_clock(
    browser: Browser, watched: Watched, tailrace: Running, shots: Path
) -> None:
    page = watched.page
    name = f"morning-{uuid4().hex[:8]}"
    await filled(page, "echo report of $INPUT_PART for $TAILRACE_LOGICAL_TIME", name=name)
    await page.get_by_role("button", name="Schedule…").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Name")).to_have_value(name)
    await dialog.get_by_role("combobox", name="How often").click()
    await page.get_by_role("option", name="Monday to Friday at 06:00").click()
    await dialog.get_by_role("combobox", name="Time zone").click()
    await page.get_by_role("option", name="Europe/Berlin").click()
    await expect(dialog.get_by_text("Monday to Friday at 06:00, Europe/Berlin")).to_be_visible()
    times = dialog.get_by_role("list", name="Next firings").get_by_role("listitem")
    await expect(times).to_have_count(10)
    await expect(times.first).to_contain_text("06:00")
    assert await watched.findings() == []
    await page.screenshot(path=shots / "schedule-dialog.png")
    await dialog.get_by_label("Cron").fill("0 25 * * *")
    await expect(dialog.get_by_role("alert")).to_contain_text("rule.cron")
    await dialog.get_by_label("Cron").fill("30 6 * * MON-FRI")
    await expect(times.first).to_contain_text("06:30")
    await dialog.get_by_role("button", name="Make the schedule").click()

    await page.wait_for_url("**/schedules/*")
    schedule = page.url.rsplit("/", 1)[1]
    await page.get_by_role("button", name="Run now").click()
    made = page.get_by_role("region", name="History").get_by_role("link")
    await expect(made).to_have_count(1)
    execution = str(await made.get_attribute("href")).rsplit("/", 1)[1]
    record = await tailrace.ended(execution)
    assert (record["status"], record["source"]) == ("succeeded", "schedule")
    assert "report of two for 20" in await tailrace.log_text(execution)
    await page.screenshot(path=shots / "schedule.png", full_page=True)
    await fits_a_phone_in_the_dark(browser, tailrace, f"/schedules/{schedule}", shots)
    # What is no cron expression is a question that the API refuses, which the browser's console calls an error.
    watched.complaints[:] = [said for said in watched.complaints if "422" not in said]
    await tailrace.request("DELETE", f"/v1/schedules/{schedule}")


async def test_what_the_form_has_is_submitted_when_somebody_posts(
    browser: Browser, watched: Watched, tailrace: Running, shots: Path
) -> None:
    page = watched.page
    name = f"build-{uuid4().hex[:8]}"
    await filled(page, "echo building $INPUT_PART", name=name)
    await page.get_by_role("button", name="Trigger…").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Name")).to_have_value(name)
    assert await watched.findings() == []
    await page.screenshot(path=shots / "trigger-dialog.png")
    await dialog.get_by_role("button", name="Make the trigger").click()
    posting = await dialog.get_by_role("region", name="How to post").inner_text()
    assert await watched.findings() == []
    await page.screenshot(path=shots / "trigger-once.png")
    await dialog.get_by_role("button", name="I have it").click()
    await page.wait_for_url("**/triggers/*")
    address = page.url
    token = posting.partition("token=")[2].partition("'")[0]
    assert token.startswith("trg_")
    assert token not in await page.content()

    execution = (await posted(posting))["execution"]
    await expect(row_of(page, execution)).to_contain_text("Submitted")
    record = await tailrace.ended(execution)
    assert (record["status"], record["source"]) == ("succeeded", "trigger")
    assert "building two" in await tailrace.log_text(execution)
    await fits_a_phone_in_the_dark(browser, tailrace, "/schedules?show=triggers", shots)
    await page.goto(address)
    await page.get_by_role("switch").click()
    await expect(page.get_by_text("Paused")).to_be_visible()
    assert (await posted(posting))["status"] == 404
    await page.get_by_role("button", name="Delete").click()
    await dialog.get_by_role("button", name="Delete").click()
    await page.wait_for_url("**/schedules?show=triggers")
    await expect(page.get_by_role("link", name=name)).to_have_count(0)


@pytest.mark.parametrize(
    ("proof", "header"), [("GitHub, Gitea, Forgejo", "X-Hub-Signature-256"), ("Standard Webhooks", "webhook-signature")]
)
async def test_a_signed_trigger_is_made_changed_and_given_a_new_secret(
    proof: str, header: str, watched: Watched, tailrace: Running, shots: Path
) -> None:
    page = watched.page
    name = f"push-{uuid4().hex[:8]}"
    await page.goto("/schedules?show=triggers")
    await page.get_by_role("button", name="New trigger").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill(name)
    await dialog.get_by_role("combobox", name="Who posts is known by").click()
    await page.get_by_role("option", name=proof).click()
    target = {"execution": {"image": "busybox:local", "command": ["sh", "-c", 'echo "it is $INPUT_WHO"']}}
    await dialog.get_by_label("What it submits").fill("{")
    await expect(dialog.get_by_text("This is no JSON.")).to_be_visible()
    await dialog.get_by_label("What it submits").fill(json.dumps(target))
    await dialog.get_by_role("button", name="Make the trigger").click()
    posting = await dialog.get_by_role("region", name="How to post").inner_text()
    assert header in posting
    await page.screenshot(path=shots / f"trigger-{header}.png")
    await dialog.get_by_role("button", name="I have it").click()

    await page.wait_for_url("**/triggers/*")
    execution = (await posted(posting))["execution"]
    await expect(row_of(page, execution)).to_contain_text("Submitted")
    forged = posting.replace("-d ", "-d x")
    assert (await posted(forged))["status"] == 404

    await page.get_by_role("button", name="Change", exact=True).click()
    target["execution"]["inputs"] = {"who": "it's ann"}
    await dialog.get_by_label("What it submits").fill(json.dumps(target))
    await dialog.get_by_label("Note").fill("of the other system")
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("of the other system")).to_be_visible()
    await page.get_by_role("button", name="New secret").click()
    await dialog.get_by_role("button", name="Make it").click()
    renewed = await dialog.get_by_role("region", name="How to post").inner_text()
    assert renewed.splitlines()[0] != posting.splitlines()[0]
    await dialog.get_by_role("button", name="I have it").click()
    execution = (await posted(renewed))["execution"]
    await tailrace.ended(execution)
    assert "it is it's ann" in await tailrace.log_text(execution)
    # The one before is good for a day.
    assert "execution" in await posted(posting)
    assert await watched.findings() == []
    await page.screenshot(path=shots / "trigger.png", full_page=True)


@pytest.mark.parametrize("kind", ["schedule", "trigger"])
async def test_what_is_submitted_is_edited_in_the_form(
    kind: str, watched: Watched, tailrace: Running, shots: Path
) -> None:
    page = watched.page
    command = ["sh", "-c", "echo $PLACE has $INPUT_PART"]
    execution = {"image": "busybox:local", "command": command, "env": {"PLACE": "Bonn"}, "inputs": {"part": "one"}}
    rule = {"cron": "0 0 1 1 *"}
    body = {
        "schedule": {"rule": rule, "targets": [{"execution": execution}]},
        "trigger": {"target": {"execution": execution}},
    }
    response = await tailrace.request("POST", f"/v1/{kind}s", json={"name": f"edited-{uuid4().hex[:8]}", **body[kind]})
    assert response.status_code == 201, response.text
    made = response.json()
    await page.goto(f"/{kind}s/{made['id']}")
    await page.get_by_role("link", name="Edit").click()
    await page.wait_for_url(f"**/submit?{kind}={made['id']}*")
    await expect(page.get_by_text("PLACE is not shown: give it again, or take it away.")).to_be_visible()
    save = page.get_by_role("button", name="Save")
    await expect(save).to_be_disabled()
    await page.get_by_label("Value of PLACE").fill("Ulm")
    await page.get_by_role("textbox", name="Inputs").fill('{"part": "two"}')
    await expect(page.get_by_text("It would be accepted.")).to_be_visible()
    assert await watched.findings() == []
    await page.screenshot(path=shots / f"{kind}-edited.png", full_page=True)
    await save.click()
    await page.wait_for_url(f"**/{kind}s/{made['id']}")
    await expect(page.get_by_label("What it submits")).to_contain_text('"two"')
    if kind == "schedule":
        run = await tailrace.request("POST", f"/v1/schedules/{made['id']}/fire")
        fired = run.json()["made"][0]["execution"]
    else:
        fired = (await tailrace.request("POST", made["address"], json={})).json()["execution"]
    await tailrace.ended(fired)
    assert "Ulm has two" in await tailrace.log_text(fired)


async def filled(page: Page, command: str, *, name: str) -> None:
    """The form for any image, with a command for a shell, an input and a name."""
    await page.goto("/submit?by=image")
    await page.get_by_role("textbox", name="Image").fill("busybox:local")
    await page.get_by_role("textbox", name="Command").fill(command)
    await page.get_by_role("button", name="Run it in a shell").click()
    await page.get_by_role("textbox", name="Name", exact=True).fill(name)
    await page.get_by_role("textbox", name="Inputs").fill('{"part": "two"}')
    await expect(page.get_by_text("It would be accepted.")).to_be_visible()


def row_of(page: Page, execution: str) -> Locator:
    """The delivery of which that was made."""
    return page.get_by_role("row").filter(has=page.locator(f'a[href="/executions/{execution}"]'))


async def posted(commands: str) -> dict[str, str]:
    """What the API answers to the commands that a page shows, as somebody's shell runs them."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", commands.replace("curl ", "curl -s ", 1), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    answer: dict[str, str] = json.loads(said)
    return answer
