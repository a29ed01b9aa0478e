"""The link of a share: what whoever has it sees, that it is all they see, and how it ends. Two browsers each time."""

from __future__ import annotations

import re
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from support.browsing import DESKTOP, PATIENCE, PHONE, Watched, logged_in
from support.own import StartOwn
from support.running import Running

pytestmark = pytest.mark.browser

TICKS = 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo "tick $i"; sleep 0.1; done'
LEAVE = r"""
cd /tailrace/outputs; mkdir -p plots
printf '<p id=p>before</p><script>p.textContent = "its script ran in " + origin</script>' > report.html
printf '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><circle r="20"/></svg>' > plots/box.svg
printf 'epoch,loss\n1,0.5\n' > loss.csv
for i in $(seq 1 40); do echo "line $i"; done
echo '{"result": {"accuracy": 0.93}}' >> /tailrace/events
"""
TABS = ("Outputs", "Details", "History", "Attempts", "Result", "Usage", "JSON", "Log")


class Guest(Watched):
    """A page of somebody who is not logged in, and every address that it has asked for."""

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.addresses: list[str] = []
        page.on("request", lambda request: self.addresses.append(request.url))
        page.on("websocket", lambda socket: self.addresses.append(socket.url))


@asynccontextmanager
async def guest(browser: Browser, tailrace: Running, **options: Any) -> AsyncIterator[Guest]:
    context = await browser.new_context(**{"base_url": tailrace.url, "viewport": DESKTOP, **options})
    context.set_default_timeout(PATIENCE)
    try:
        yield Guest(await context.new_page())
    finally:
        await context.close()


async def downloaded(link: Locator) -> Path:
    async with link.page.expect_download() as coming:
        await link.click()
    return await (await coming.value).path()


async def shared(tailrace: Running, execution: str) -> dict[str, Any]:
    made = await tailrace.request("POST", f"/v1/executions/{execution}/shares", headers=tailrace.headers)
    assert made.status_code == 201, made.text
    share: dict[str, Any] = made.json()
    return share


async def revoke(tailrace: Running, execution: str, share: str) -> None:
    path = f"/v1/executions/{execution}/shares/{share}"
    assert (await tailrace.request("DELETE", path, headers=tailrace.headers)).status_code == 204


@pytest.fixture(scope="module")
async def left(tailrace: Running) -> str:
    """One that has ended, with outputs and a log."""
    execution = await tailrace.submit("sh", "-c", LEAVE, name="what was left", labels={"team": "a"})
    await tailrace.ended(execution)
    return execution


async def test_an_owner_copies_a_link_and_a_stranger_watches_until_it_is_taken_back(
    browser: Browser, page: Page, tailrace: Running, shots: Path
) -> None:
    execution = await tailrace.submit("sh", "-c", TICKS, name="watched by others")
    await page.goto(f"/executions/{execution}")
    await page.get_by_role("button", name="More").click()
    await page.get_by_role("menuitem", name=re.compile("^Share")).click()
    await page.get_by_role("button", name="Make a link").click()
    link = await page.get_by_label("Link", exact=True).input_value()
    await page.screenshot(path=shots / "share-dialog.png")
    address, _, token = link.partition("#")
    assert address == f"{tailrace.url}/shared/{execution}"

    async with guest(browser, tailrace) as stranger:
        other = stranger.page
        await other.goto(link)
        await expect(other.get_by_role("heading", level=1)).to_have_text("watched by others")
        await expect(other.get_by_role("complementary")).to_contain_text("Shared by admin")
        await expect(other.get_by_role("status", name="Live")).to_be_visible()
        await expect(other.get_by_text(re.compile(r"^tick \d+$")).last).to_be_visible()
        first = await other.get_by_text(re.compile(r"^tick \d+$")).last.text_content()
        await expect(other.get_by_text(re.compile(r"^tick \d+$")).last).not_to_have_text(first or "")
        assert await stranger.findings() == []
        await other.screenshot(path=shots / "share-running.png")

        # Nothing to do, and nowhere to go but to one's own page.
        await expect(other.get_by_role("button", name=re.compile("Stop|Pause|Run again|More"))).to_have_count(0)
        await expect(other.get_by_role("navigation")).to_have_count(0)
        links = await other.get_by_role("link").evaluate_all("all => all.map(each => each.getAttribute('href'))")
        assert {each for each in links if not each.startswith("#")} == {f"/executions/{execution}"}
        assert await tailrace.cancel(execution)
        await expect(other.get_by_role("region", name="How it stands")).to_contain_text("Canceled by admin")

        assert stranger.complaints == []
        await page.get_by_role("button", name="Show it there no longer").click()
        await expect(other.get_by_role("heading", name="It is shared no longer")).to_be_visible()
        await other.reload()
        await expect(other.get_by_text("It was revoked at")).to_be_visible()
        assert await stranger.findings() == []
        await other.screenshot(path=shots / "share-over.png")
        assert [each for each in stranger.addresses if token in each and "#" not in each] == []
        asked = [each for each in stranger.addresses if "/v1/" in each]
        assert [each for each in asked if f"/v1/executions/{execution}" not in each] == []
        assert token not in tailrace.log.read_text(errors="replace")


async def test_all_of_it_can_be_looked_at_and_downloaded_without_a_token_in_any_address(
    browser: Browser, tailrace: Running, left: str, shots: Path
) -> None:
    share = await shared(tailrace, left)
    async with guest(browser, tailrace) as stranger:
        page = stranger.page
        await page.goto(share["links"]["page"])
        for name in TABS:
            await page.get_by_role("tab", name=re.compile(f"^{name}")).click()
            assert await stranger.findings() == [], name
        await page.get_by_role("tab", name=re.compile("^Outputs")).click()
        await page.get_by_role("button", name="report.html").click()
        frame = page.frame_locator("iframe")
        await expect(frame.get_by_text("its script ran in null")).to_be_visible()
        await page.get_by_role("button", name="box.svg").click()
        await expect(page.get_by_role("img", name="plots/box.svg")).to_be_visible()
        await page.get_by_role("button", name="loss.csv").click()
        await expect(page.get_by_role("columnheader", name="epoch")).to_be_visible()
        await page.screenshot(path=shots / "share-outputs.png")
        file = await downloaded(page.get_by_role("link", name="Download", exact=True))
        assert file.read_text() == "epoch,loss\n1,0.5\n"
        with zipfile.ZipFile(await downloaded(page.get_by_role("link", name="All as zip"))) as archive:
            assert {"report.html", "loss.csv", "plots/box.svg"} <= set(archive.namelist())
        await page.get_by_role("tab", name=re.compile("^Log")).click()
        await page.get_by_role("button", name="Download and copy").click()
        log = await downloaded(page.get_by_role("menuitem", name="Output as text"))
        assert "line 40" in log.read_text()
        # The key stays in the address of the page, with the lines that are chosen, and is kept nowhere else.
        await page.get_by_role("link", name="Line 38").click()
        await expect(page).to_have_url(re.compile(rf"#{share['token']}/L38$"))
        await page.reload()
        await expect(page.locator("[data-seq='38'][data-selected]")).to_be_visible()
        await page.get_by_role("tab", name=re.compile("^History")).click()
        await expect(page).to_have_url(re.compile(rf"#{share['token']}$"))
        kept = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        assert share["token"] not in kept
        assert stranger.complaints == []
        sent = [each.partition("#")[0] for each in stranger.addresses]
        assert [each for each in sent if share["token"] in each] == []


LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE, "has_touch": True},
}


@pytest.mark.parametrize("look", LOOKS)
async def test_it_can_be_read_by_everybody(
    look: str, browser: Browser, tailrace: Running, left: str, shots: Path
) -> None:
    share = await shared(tailrace, left)
    async with guest(browser, tailrace, **LOOKS[look]) as stranger:
        await stranger.page.goto(share["links"]["page"])
        await expect(stranger.page.get_by_text("line 40")).to_be_visible()
        width = await stranger.page.evaluate("document.documentElement.scrollWidth")
        assert width <= LOOKS[look].get("viewport", DESKTOP)["width"]
        assert await stranger.findings() == []
        await stranger.page.screenshot(path=shots / f"share-{look}.png")


async def test_a_share_and_the_session_in_one_browser_are_kept_apart(
    browser: Browser, tailrace: Running, left: str
) -> None:
    token = (
        await tailrace.request(
            "POST",
            "/v1/tokens",
            headers=tailrace.headers,
            json={"name": "ann's", "owner": f"ann-{uuid4().hex[:6]}", "role": "operator"},
        )
    ).json()
    share = await shared(tailrace, left)
    async with logged_in(browser, tailrace, token=token["token"]) as watched:
        page = watched.page
        cookies = [each for each in await page.context.cookies() if each.get("name") == "tailrace_session"]
        await page.goto(share["links"]["page"])
        await expect(page.get_by_text("line 40")).to_be_visible()
        await expect(page.get_by_role("complementary")).to_contain_text("Shared by admin")
        assert watched.complaints == []
        # Who one is has not changed, here or in another tab, and one sees no more by oneself than before.
        beside = await page.context.new_page()
        await beside.goto("/usage")
        await expect(beside.get_by_role("button", name=f"Account of {token['owner']}")).to_be_visible()
        assert (await page.evaluate("fetch('/v1/me').then(answer => answer.json())"))["owner"] == token["owner"]
        after = [each for each in await page.context.cookies() if each.get("name") == "tailrace_session"]
        assert [each["value"] for each in after] == [each["value"] for each in cookies]
        paths = {each["path"] for each in await page.context.cookies(f"{tailrace.url}/v1/executions/{left}")}
        assert paths == {"/", f"/v1/executions/{left}"}
        await page.get_by_role("link", name="Open as yourself").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("No such execution")
        # And nothing that a share cannot see is seen by it, whatever the session may.
        await page.goto(share["links"]["page"])
        await expect(page.get_by_text("line 40")).to_be_visible()
        asked = f"fetch('/v1/executions?share={share['id']}').then(answer => answer.status)"
        assert await page.evaluate(asked) in {401, 403}


async def test_it_goes_on_over_a_restart_of_the_api(browser: Browser, monitor: Path, own: StartOwn) -> None:
    tailrace = await own()
    execution = await tailrace.submit("sh", "-c", TICKS)
    share = await shared(tailrace, execution)
    async with guest(browser, tailrace) as stranger:
        page = stranger.page
        await page.goto(share["links"]["page"])
        await expect(page.get_by_text(re.compile(r"^tick \d+$")).last).to_be_visible()
        await tailrace.stop("api")
        await expect(page.get_by_role("status", name="Reconnecting")).to_be_visible()
        await tailrace.start("api", "app")
        await tailrace.until_ready()
        await expect(page.get_by_role("status", name="Live")).to_be_visible()
        before = await page.get_by_text(re.compile(r"^tick \d+$")).last.text_content()
        await expect(page.get_by_text(re.compile(r"^tick \d+$")).last).not_to_have_text(before or "")
        await tailrace.cancel(execution)
        await expect(page.get_by_text(re.compile("^Canceled by admin"))).to_be_visible()
        # What it showed is deleted, while somebody looks.
        await tailrace.ended(execution)
        await tailrace.request("DELETE", f"/v1/executions/{execution}", headers=tailrace.headers)
        await expect(page.get_by_role("heading", name="It is shared no longer")).to_be_visible()
        await expect(page.get_by_text("may have been deleted")).to_be_visible()


async def test_a_link_that_shows_nothing_says_why(browser: Browser, tailrace: Running, left: str, shots: Path) -> None:
    share, other = await shared(tailrace, left), await tailrace.submit("true")
    address, _, token = share["links"]["page"].partition("#")
    async with guest(browser, tailrace) as stranger:
        page = stranger.page
        for link, said in (
            (address, "The link is not whole"),
            (f"{address}#{token[:-3]}", "It is cut or mistyped"),
            (f"{tailrace.url}/shared/{other}#{token}", "This link shows nothing"),
        ):
            await page.goto("about:blank")
            await page.goto(link)
            await expect(page.get_by_text(said)).to_be_visible()
            assert await stranger.findings() == []
        await page.screenshot(path=shots / "share-nothing.png")
        # The whole link, put into the same tab.
        await page.goto(address)
        await page.goto(share["links"]["page"])
        await expect(page.get_by_text("line 40")).to_be_visible()
