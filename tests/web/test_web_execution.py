"""The page of one execution: watched while it runs, changed, stopped, gone on with, put aside; what it has left."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from support.browsing import PHONE, Watched, logged_in
from support.programs import ANNOUNCE
from support.running import Running

pytestmark = pytest.mark.browser

# It says how far it is, saves what it has come to, and ends when it is asked to.
COUNT = (
    ANNOUNCE
    + """
read -r n < /tailrace/checkpoint/n || n=0
echo "begins at $n"
while [ "$n" -lt "$1" ]; do
    n=$((n + 1))
    echo "$n" > /tailrace/checkpoint/.n && mv /tailrace/checkpoint/.n /tailrace/checkpoint/n
    echo "{\\"progress\\": $((n * 100 / $1)), \\"phase\\": \\"step $n of $1\\"}" >> /tailrace/events
    [ -f /tailrace/stop ] && exit 85
    sleep 0.2
done
"""
)

LEAVE = r"""
cd /tailrace/outputs; mkdir -p plots tables
printf 'a note\033[31m in red\033[0m\n' > notes.md
printf 'epoch,loss\n1,0.5\n2,0.25\n' > tables/loss.csv
printf '{"accuracy": 0.93}' > summary.json
printf '{"data": [{"type": "bar", "x": ["a"], "y": [1]}], "layout": {"title": {"text": "Counts"}}}' > plots/bar.json
printf '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><circle r="20"/></svg>' > plots/box.svg
printf '<p id=p>before</p><script>p.textContent = "its script ran in " + origin</script>' > report.html
head -c 2000 /dev/urandom > model.bin
echo '{"result": {"accuracy": 0.93}}' >> /tailrace/events
echo '{"warning": "the rate was lowered"}' >> /tailrace/events
"""


async def choose(page: Page, menu: str, item: str) -> None:
    await page.get_by_role("button", name=menu).click()
    await page.get_by_role("menuitem", name=re.compile(f"^{re.escape(item)}")).click()


async def to_tab(page: Page, name: str) -> None:
    await page.get_by_role("tab", name=re.compile(f"^{name}")).click()


def badge(page: Page, word: str) -> Locator:
    return page.locator("main [data-status]", has_text=word).first


async def test_one_is_watched_given_more_time_stopped_at_its_checkpoint_and_gone_on_with(
    page: Page, watched: Watched, tailrace: Running, shots: Path
) -> None:
    execution = await tailrace.submit("sh", "-c", COUNT, "count", "100000", name="counting", limits={"grace": 30})
    await page.goto(f"/executions/{execution}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("counting")
    await expect(badge(page, "Running")).to_be_visible()
    await expect(page.get_by_text(re.compile(r"step \d+ of 100000"))).to_be_visible()
    await expect(page.get_by_text("begins at 0")).to_be_visible()
    await expect(page.get_by_role("img", name=re.compile("^Timeline: .*running"))).to_be_visible()
    assert await watched.findings() == []
    await page.screenshot(path=shots / "execution-running.png")

    await to_tab(page, "Limits")
    await page.get_by_label("Running time").fill("7200")
    await page.get_by_role("button", name="Change", exact=True).click()
    await expect(page.get_by_text(re.compile(r"for another 1 h 59 min"))).to_have_count(2)
    assert (await tailrace.execution(execution))["limits"]["timeout"] == 7200
    # What cannot be changed any more says so, and a wrong value is told beside it.
    await expect(page.get_by_label("Memory", exact=True)).not_to_be_editable()
    await page.get_by_label("Running time").fill("soon")
    await page.get_by_role("button", name="Change", exact=True).click()
    await expect(page.get_by_text(re.compile("must be a"))).to_be_visible()
    assert [said for said in watched.complaints if "422" not in said] == []
    watched.complaints.clear()

    await page.get_by_role("button", name="Stop", exact=True).click()
    await page.get_by_role("button", name="Stop it").click()
    await expect(page.get_by_text("Canceled by admin; it saved a checkpoint first.")).to_be_visible()
    await expect(page.get_by_role("button", name="Stop", exact=True)).to_have_attribute("aria-disabled", "true")
    reached = int((await tailrace.execution(execution))["progress"]["phase"].split()[1])

    await choose(page, "Run again", "Go on from its checkpoint")
    await page.wait_for_url(lambda url: execution not in url)
    await expect(badge(page, "Running")).to_be_visible()
    await expect(page.get_by_text(f"begins at {reached}")).to_be_visible()
    await to_tab(page, "Lineage")
    await page.get_by_role("link", name=f"…{execution[-8:]}").first.click()
    await expect(badge(page, "Canceled")).to_be_visible()
    await to_tab(page, "Lineage")
    await page.get_by_role("link", name=re.compile("^…")).first.click()
    await expect(badge(page, "Running")).to_be_visible()
    await page.get_by_role("button", name="Stop", exact=True).click()
    await page.get_by_label("Grace").fill("20")
    await page.get_by_role("button", name="Stop it").click()
    await expect(badge(page, "Canceled")).to_be_visible()


async def test_what_runs_is_frozen_and_what_waits_is_held(page: Page, tailrace: Running) -> None:
    held = await tailrace.submit("true", hold=True)
    await page.goto(f"/executions/{held}")
    await expect(page.get_by_role("region", name="How it stands")).to_contain_text("Held until it is released")
    await page.get_by_role("button", name="Release").click()
    await expect(badge(page, "Succeeded")).to_be_visible()

    execution = await tailrace.submit("sh", "-c", "trap 'exit 0' TERM; while true; do sleep 0.1; done")
    await page.goto(f"/executions/{execution}")
    await page.get_by_role("button", name="Pause").click()
    # What it cannot do is there, and says why.
    saving = page.get_by_role("menuitem", name="Save a checkpoint and stop")
    await expect(saving).to_have_attribute("aria-disabled", "true")
    await expect(saving).to_contain_text("has not said that it saves checkpoints")
    await page.get_by_role("menuitem", name="Freeze").click()
    await expect(badge(page, "Paused")).to_be_visible()
    await page.get_by_role("button", name="Resume").click()
    await expect(badge(page, "Running")).to_be_visible()
    await page.get_by_role("button", name="Stop", exact=True).click()
    await page.get_by_role("button", name="Stop it").click()
    await expect(page.get_by_text(re.compile("^Canceled by admin"))).to_be_visible()
    await page.get_by_role("button", name="As a table").click()
    await expect(page.get_by_role("row", name=re.compile("Attempt 1 Paused"))).to_be_visible()


async def test_two_people_who_change_the_same_are_told_of_each_other(
    page: Page, watched: Watched, tailrace: Running, shots: Path
) -> None:
    held = await tailrace.submit("true", hold=True, name="shared")

    async def elsewhere(**fields: object) -> None:
        assert (await tailrace.request("PATCH", f"/v1/executions/{held}", json=fields)).status_code == 200

    await page.goto(f"/executions/{held}?tab=limits")
    await page.get_by_label("Running time").fill("7200")
    await elsewhere(limits={"timeout": 5000, "grace": 33})
    await expect(page.get_by_text("Meanwhile somebody made it 5000")).to_be_visible()
    await expect(page.get_by_label("Grace")).to_have_value("33")
    await page.get_by_role("button", name="Change", exact=True).click()
    clash = page.get_by_role("table", name="What was changed meanwhile")
    await expect(clash.get_by_role("row", name="Running time 3600 5000 7200")).to_be_visible()
    assert (await tailrace.execution(held))["limits"]["timeout"] == 5000
    assert await watched.findings() == []
    await page.screenshot(path=shots / "execution-overtaken.png", full_page=True)
    await page.get_by_role("button", name="Take mine").click()
    await expect(page.get_by_text("The limits are changed.")).to_be_visible()
    await expect(clash).to_have_count(0)
    limits = (await tailrace.execution(held))["limits"]
    assert (limits["timeout"], limits["grace"]) == (7200, 33)

    # What was changed beside it stays, and nobody is asked.
    await choose(page, "More actions", "Name, note and labels…")
    await page.get_by_label("Note", exact=True).fill("mine")
    await elsewhere(name="theirs", labels={"team": "a"})
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("heading", level=1)).to_have_text("theirs")
    record = await tailrace.execution(held)
    assert (record["note"], record["labels"]) == ("mine", {"team": "a"})
    await tailrace.cancel(held)


@pytest.fixture(scope="module")
async def left(tailrace: Running) -> str:
    """One that has ended, and has left something of each kind."""
    execution = await tailrace.submit("sh", "-c", LEAVE, name="leaving", labels={"team": "a"}, inputs={"rate": 0.1})
    await tailrace.ended(execution)
    return execution


async def test_outputs_are_shown_by_what_they_are_and_come_as_a_zip(
    page: Page, left: str, shots: Path, tmp_path: Path
) -> None:
    await page.goto(f"/executions/{left}?tab=outputs")
    files = page.get_by_role("region", name="Files")

    async def shown(path: str) -> Locator:
        await files.get_by_role("button", name=path.rpartition("/")[2]).click()
        return page.get_by_role("region", name=f"Preview of {path}")

    await expect(await shown("notes.md")).to_contain_text("a note in red")
    await expect((await shown("tables/loss.csv")).get_by_role("cell", name="0.25")).to_be_visible()
    await expect(await shown("summary.json")).to_contain_text('"accuracy": 0.93')
    await expect((await shown("plots/box.svg")).get_by_role("img", name="plots/box.svg")).to_have_js_property(
        "naturalWidth", 40
    )
    await shown("report.html")
    # It runs, and is nobody here.
    await expect(page.frame_locator("iframe").locator("#p")).to_have_text("its script ran in null")
    await expect((await shown("plots/bar.json")).get_by_text("Counts")).to_be_visible()
    await page.screenshot(path=shots / "execution-figure.png", full_page=True)
    await expect(await shown("model.bin")).to_contain_text("Nothing of it can be shown")
    # The address is that of what is shown.
    await page.reload()
    await expect(page.get_by_role("region", name="Preview of model.bin")).to_be_visible()

    async def names(button: str) -> list[str]:
        async with page.expect_download() as begun:
            await page.get_by_text(button).click()
        await (await begun.value).save_as(tmp_path / "some.zip")
        return sorted(zipfile.ZipFile(tmp_path / "some.zip").namelist())

    assert len(await names("All as zip")) == 7
    await files.get_by_label("Choose plots/", exact=True).check()
    await files.get_by_label("Choose notes.md").check()
    assert await names("3 chosen files") == ["notes.md", "plots/bar.json", "plots/box.svg"]


async def test_one_that_has_ended_is_run_again_put_aside_taken_back_and_deleted(
    page: Page, watched: Watched, tailrace: Running, left: str
) -> None:
    await page.goto(f"/executions/{left}")
    await choose(page, "Run again", "As it was")
    await page.wait_for_url(lambda url: left not in url)
    await expect(badge(page, "Succeeded")).to_be_visible()
    execution = page.url.rpartition("/")[2]
    await choose(page, "More actions", "Name, note and labels…")
    await page.get_by_label("Name", exact=True).fill("once more")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("once more")

    await choose(page, "More actions", "Archive")
    await expect(page.get_by_text("Archived", exact=True)).to_be_visible()
    # Its address is the same in the archive.
    await page.reload()
    await expect(page.get_by_text("Archived", exact=True)).to_be_visible()
    assert (await tailrace.execution(execution))["archived_at"] is not None
    await choose(page, "More actions", "Restore")
    await expect(page.get_by_text("Archived", exact=True)).to_have_count(0)

    await choose(page, "Run again", "Edit and run again")
    await page.wait_for_url(f"**/submit?rerun={execution}")
    await page.go_back()
    await choose(page, "More actions", "Delete…")
    await expect(page.get_by_text("its outputs: 7 files")).to_be_visible()
    await page.get_by_role("button", name="Delete it").click()
    await page.wait_for_url("**/executions")
    assert (await tailrace.request("GET", f"/v1/executions/{execution}")).status_code == 404
    # Its address says so.
    await page.goto(f"/executions/{execution}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("No such execution")
    assert [said for said in watched.complaints if "404" not in said] == []
    watched.complaints.clear()
    await page.goto(f"/executions/{left}?tab=json")
    await expect(page.get_by_role("region", name="Record")).to_contain_text('"name": "leaving"')


TABS = ["Log", "Outputs", "Details", "Limits", "History", "Attempts", "Result", "Usage", "Code", "Lineage", "JSON"]


@pytest.mark.parametrize("looks", ["dark", "phone"])
async def test_every_part_of_it_can_be_read_by_everybody(
    looks: str, browser: Browser, tailrace: Running, left: str, shots: Path
) -> None:
    options = {"viewport": PHONE, "has_touch": True} if looks == "phone" else {"color_scheme": "dark"}
    async with logged_in(browser, tailrace, **options) as watched:
        page = watched.page
        await page.goto(f"/executions/{left}")
        for tab in TABS:
            await to_tab(page, tab)
            await expect(page.get_by_role("tabpanel")).to_be_visible()
            assert await watched.findings() == [], tab
            assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, tab
            await page.screenshot(path=shots / f"execution-{tab.lower()}-{looks}.png", full_page=True)
        assert watched.complaints == []
