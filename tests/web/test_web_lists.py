"""The lists of executions: true at every moment, narrowed by their address, and as long as one likes."""

from __future__ import annotations

import asyncio
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from support.browsing import PHONE, Watched, logged_in
from support.running import Running

pytestmark = pytest.mark.browser


@pytest.fixture
def mark() -> str:
    """A word that is in the names of this test's own executions alone."""
    return f"mark{uuid.uuid4().hex[:8]}"


def row(page: Page, name: str) -> Any:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


async def choose(page: Page, *names: str) -> None:
    for name in names:
        await page.get_by_role("checkbox", name=f"Choose {name}", exact=True).check()


async def test_what_happens_is_shown_without_being_asked_for(page: Page, tailrace: Running, mark: str) -> None:
    await page.goto(f"/executions?q={mark}")
    await expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    program = (
        'echo "{\\"progress\\": 40, \\"phase\\": \\"halfway\\"}" >> /tailrace/events; '
        "until [ -e /tailrace/stop ]; do sleep 0.1; done; exit 3"
    )
    execution = await tailrace.submit("sh", "-c", program, name=f"{mark}-one", labels={"team": mark})
    mine = row(page, f"{mark}-one")
    await expect(mine).to_contain_text("Running")
    await expect(mine).to_contain_text("40 %")
    await expect(mine).to_contain_text(f"team={mark}")
    # A list that has what runs alone loses it when it ends.
    await page.get_by_role("button", name=re.compile("^Running")).click()
    await expect(page).to_have_url(re.compile(rf"q={mark}&status=running$"))
    await expect(mine).to_be_visible()
    await tailrace.cancel(execution)
    await expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    await page.get_by_role("button", name=re.compile("^Running")).click()
    await expect(mine).to_contain_text("Canceled")
    await page.reload()
    await expect(mine).to_contain_text("Canceled by admin")


async def test_what_happens_while_a_list_is_fetched_stays(page: Page, tailrace: Running, mark: str) -> None:
    # More of the first page end than are fetched one by one, and not at its head: nothing but events tells of them.
    items = [{"name": f"{mark}-{number}", "labels": {"ends": str(50 <= number < 120)}} for number in range(250)]
    made = await tailrace.request(
        "POST", "/v1/batches", json={"defaults": {"image": "busybox:local", "hold": True}, "items": items}
    )
    assert made.status_code == 201, made.text
    batch = made.json()["id"]
    await page.goto(f"/executions?batch={batch}")
    await expect(page.get_by_text("200 shown, more below")).to_be_visible()
    answered, page_may_come, all_may_come = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        answer = await route.fetch()
        if "cursor" in route.request.url:
            answered.set()
            await page_may_come.wait()
        else:
            await all_may_come.wait()
        await route.fulfill(response=answer)

    await page.route(re.compile("/v1/executions[?/]"), late)
    await page.evaluate("""() => {
        const list = document.querySelector('section[aria-label="Executions"]');
        list.scrollTop = list.scrollHeight;
    }""")
    await answered.wait()
    body = {"batch": batch, "label": {"ends": "True"}}
    canceled = await tailrace.request("POST", "/v1/executions:cancel", json=body)
    assert len(canceled.json()["items"]) == 70, canceled.text
    await expect(row(page, f"{mark}-63")).to_contain_text("Canceled")
    page_may_come.set()
    await expect(page.get_by_text("250 shown")).to_be_visible()
    await expect(row(page, f"{mark}-63")).to_contain_text("Canceled")
    all_may_come.set()
    await page.unroute_all(behavior="wait")
    await expect(row(page, f"{mark}-63")).to_contain_text("Canceled")


async def test_what_is_chosen_is_archived_restored_and_deleted_and_comes_back_by_undo(
    page: Page, tailrace: Running, mark: str
) -> None:
    names = [f"{mark}-{letter}" for letter in "abc"]
    for name in names:
        await tailrace.ended(await tailrace.submit("true", name=name))
    await page.goto(f"/executions?q={mark}")
    await choose(page, *names[:2])
    await page.get_by_role("button", name="Archive", exact=True).click()
    await expect(page.get_by_text("2 executions archived")).to_be_visible()
    await expect(row(page, names[0])).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(row(page, names[0])).to_be_visible()
    await choose(page, names[0])
    await page.get_by_role("button", name="Archive", exact=True).click()
    await expect(row(page, names[0])).to_have_count(0)
    await page.goto(f"/archive?q={mark}")
    await choose(page, names[0])
    await page.get_by_role("button", name="Restore", exact=True).click()
    await expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    await page.goto(f"/executions?q={mark}")
    # Nothing is deleted while it can be called off.
    await choose(page, names[1])
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(row(page, names[1])).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(row(page, names[1])).to_be_visible()
    await choose(page, names[2])
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(page.get_by_text("1 execution deleted")).to_be_visible()
    listed = (await tailrace.get("/v1/executions", params={"q": mark}))["items"]
    assert [each["name"] for each in listed] == names[1::-1]


async def test_a_view_that_was_saved_is_there_again(page: Page, tailrace: Running, mark: str) -> None:
    await page.goto(f"/executions?q={mark}&status=failed&label=team%3Da&sort=-finished")
    await expect(page.get_by_text("Label: team=a")).to_be_visible()
    await page.get_by_role("button", name="Views").click()
    await page.get_by_label("Name of this view").fill("What failed of a")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.goto("/executions")
    await page.get_by_role("button", name="Views").click()
    await page.get_by_role("menuitem", name="What failed of a").click()
    await expect(page).to_have_url(re.compile(rf"q={mark}.*sort=-finished"))
    await page.get_by_role("button", name="Remove Label team=a").click()
    await expect(page).not_to_have_url(re.compile("label="))


async def test_rows_are_chosen_by_keys_and_as_a_range(page: Page, tailrace: Running, mark: str) -> None:
    names = [f"{mark}-{letter}" for letter in "dcba"]
    for name in reversed(names):
        await tailrace.submit("true", name=name, hold=True)
    await page.goto(f"/executions?q={mark}")
    boxes = [page.get_by_role("checkbox", name=f"Choose {name}", exact=True) for name in names]
    await boxes[0].check()
    await boxes[2].click(modifiers=["Shift"])
    await expect(page.get_by_text("3 chosen")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_text("chosen")).to_have_count(0)
    await boxes[0].focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("x")
    await page.keyboard.press("Shift+ArrowDown")
    await expect(boxes[2]).to_be_focused()
    assert [await box.is_checked() for box in boxes] == [False, True, True, False]
    await page.keyboard.press("k")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text(names[1])
    await page.go_back()
    await expect(boxes[1]).to_be_visible()


async def test_what_was_refused_is_told_by_name_and_back_leads_to_the_filter_before(
    watched: Watched, tailrace: Running, mark: str
) -> None:
    page = watched.page
    await tailrace.ended(await tailrace.submit("true", name=f"{mark}-done"))
    await tailrace.submit("true", name=f"{mark}-held", hold=True)
    await page.goto(f"/executions?q={mark}")
    await choose(page, f"{mark}-done", f"{mark}-held")
    await page.get_by_role("button", name="Archive", exact=True).click()
    await expect(page.get_by_text("1 execution archived, 1 not")).to_be_visible()
    await expect(page.get_by_role("listitem").filter(has_text=f"{mark}-held:")).to_be_visible()
    await page.get_by_role("button", name=re.compile("^Failed")).click()
    await expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    await page.go_back()
    await expect(row(page, f"{mark}-held")).to_be_visible()
    # A browser writes down each answer that is no success.
    (refusal,) = watched.complaints
    assert "409" in refusal
    watched.complaints.clear()


@pytest.mark.parametrize("path", ["/executions", "/"])
async def test_the_lists_are_for_everybody_and_every_screen(
    path: str, browser: Browser, tailrace: Running, shots: Path, mark: str
) -> None:
    for number, name in enumerate(("done", "broken")):
        await tailrace.ended(await tailrace.submit("sh", "-c", f"exit {number}", name=f"{mark}-{name}"))
    await tailrace.submit("true", name=f"{mark}-held", hold=True)
    name = path.strip("/") or "home"
    for scheme in ("light", "dark"):
        for screen, options in {"desktop": {}, "phone": {"viewport": PHONE, "has_touch": True}}.items():
            async with logged_in(browser, tailrace, color_scheme=scheme, **options) as watched:
                page = watched.page
                await page.goto(path)
                await expect(page.get_by_role("link", name=f"{mark}-broken").first).to_be_visible()
                if path == "/":
                    await expect(page.get_by_role("img", name=re.compile("executions ended"))).to_be_visible()
                assert await watched.findings() == []
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                await page.screenshot(path=shots / f"{name}-{screen}-{scheme}.png", full_page=True)
                assert watched.complaints == []
                assert watched.asked == {tailrace.url.partition("//")[2]}
