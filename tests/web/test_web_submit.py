"""The form of a submission, made of a method's schema: what is refused stands at its field; what ended is run again."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from support.browsing import PHONE, Watched, logged_in
from support.running import Running

pytestmark = pytest.mark.browser

INPUTS = {
    "table": {"type": "string", "format": "file", "title": "The table"},
    "rows": {"type": "integer", "minimum": 1, "maximum": 100},
    "rate": {"type": "number", "default": 0.5},
    "word": {"type": "string", "pattern": "^[a-z]+$"},
    "mode": {"type": "string", "enum": ["fast", "exact"]},
    "parts": {"type": "array", "items": {"type": "string", "enum": ["title", "body"]}, "uniqueItems": True},
    "seeds": {"type": "array", "items": {"type": "integer"}},
    "sure": {"type": "boolean"},
    "until": {"type": "string", "format": "date"},
    "token": {"type": "string", "format": "secret"},
}
SCRIPT = 'cat "$1"; echo "the token has ${#INPUT_TOKEN} letters"'


@pytest.fixture
async def method(tailrace: Running) -> str:
    """A method with an input of each kind, published."""
    name = f"kinds-{uuid4().hex[:8]}"
    document = {
        "name": name,
        "version": "1.0.0",
        "image": "busybox:local",
        "command": ["sh", "-c", SCRIPT, "kinds", "{{table}}"],
        "inputs": {"type": "object", "properties": INPUTS, "required": ["table", "rows"]},
        "limits": {"timeout": 60, "memory": "64MiB"},
    }
    made = await tailrace.request("POST", "/v1/methods:import?publish=true", json=document)
    assert made.status_code == 201, made.text
    return name


async def test_a_method_is_submitted_by_its_form_and_run_again_with_other_inputs(
    watched: Watched, tailrace: Running, method: str, tmp_path: Path, shots: Path
) -> None:
    page = watched.page
    await page.goto(f"/submit?method={method}")
    await upload(page, tmp_path)
    await page.get_by_role("textbox", name="Rows").fill("500")
    await expect(page.get_by_text("Must be at most 100.")).to_be_visible()
    await expect(page.get_by_text("It would not be accepted.")).to_be_visible()
    await page.screenshot(path=shots / "submit-refused.png", full_page=True)

    await fill(page)
    await expect(page.get_by_text("It would be accepted.")).to_be_visible()
    assert await watched.findings() == []
    await page.get_by_role("button", name="Submit", exact=True).dblclick()
    await page.wait_for_url("**/executions/*")
    first = page.url.rsplit("/", 1)[1]
    record = await tailrace.ended(first)
    assert record["status"] == "succeeded", record
    assert record["inputs"] == {
        "table": "/tailrace/inputs/table/rows.csv", "rows": 50, "rate": 0.5, "word": "abc", "mode": "exact",
        "parts": ["body"], "seeds": [1, 2], "sure": False, "until": "2026-01-31",
    }  # fmt: skip
    assert "a,b\n1,2\n" in await tailrace.log_text(first)
    assert "the token has 9 letters" in await tailrace.log_text(first)
    twins = await tailrace.get(f"/v1/executions?method={method}")
    assert len(twins["items"]) == 1

    await page.goto(f"/submit?rerun={first}")
    await expect(page.get_by_text("rows.csv")).to_be_visible()
    await expect(page.get_by_role("textbox", name="Rows")).to_have_value("50")
    await page.get_by_role("textbox", name="Rows").fill("7")
    await expect(page.get_by_text("It would be accepted.")).to_be_visible()
    await page.get_by_role("button", name="Run again").click()
    await page.wait_for_url(lambda url: "/executions/" in url)
    again = page.url.rsplit("/", 1)[1]
    record = await tailrace.ended(again)
    assert record["lineage"]["rerun_of"] == first
    assert record["inputs"]["rows"] == 7
    assert "the token has 0 letters" in await tailrace.log_text(again)
    # A refusal is an answer like any other here, which the browser's console calls an error.
    watched.complaints[:] = [said for said in watched.complaints if "422" not in said]


TOLD = 'echo "$A-$B-$C"; pwd; cat /tailrace/inputs/rows.csv; echo "the token has ${#TOKEN} letters"'


async def test_what_has_ended_is_edited_with_all_that_it_was_made_of(
    watched: Watched, tailrace: Running, shots: Path
) -> None:
    """Also in the archive; one variable is changed, one added and one taken away, without any other being known."""
    page = watched.page
    first = await tailrace.submit(
        "sh", "-c", TOLD, env={"A": "1", "B": "2", "KEPT": "k"}, secrets={"TOKEN": "hush-hush"}, workdir="/etc",
        user="0", stop_signal="SIGINT", labels={"team": "a"}, files={"rows.csv": {"text": "a,b"}},
        limits={"timeout": 77, "notice": 1}, outputs=[{"path": "*.txt", "required": False}],
    )  # fmt: skip
    await tailrace.ended(first)
    await tailrace.request("POST", f"/v1/executions/{first}/archive")
    await page.goto(f"/submit?rerun={first}")
    await expect(page.get_by_text("One field is still needed.")).to_be_visible()
    for section in ("Container", "Limits", "Outputs, exit codes and more"):
        await page.get_by_role("heading", name=section).click()
    for name, value in {"Directory": "/etc", "User": "0", "Signal to stop": "SIGINT", "Run time": "77"}.items():
        await expect(page.get_by_role("textbox", name=name, exact=True)).to_have_value(value)
    await expect(page.get_by_label("Outputs that it has to leave")).to_have_value(re.compile(r"\*\.txt"))
    await page.get_by_label("Value of TOKEN").fill("another")
    await expect(page.get_by_text("It would be accepted.")).to_be_visible()
    assert await watched.findings() == []
    await page.screenshot(path=shots / "rerun-edited.png", full_page=True)

    await page.get_by_label("Value of B").fill("7")
    await page.get_by_role("button", name="Remove A").click()
    await page.get_by_role("button", name="Variable", exact=True).click()
    await page.get_by_label("NAME of variables").last.fill("C")
    await page.get_by_label("Value of C").fill("3")
    await page.get_by_role("textbox", name="Run time", exact=True).fill("78")
    await page.get_by_role("button", name="Run again").click()
    await page.wait_for_url(lambda url: "/executions/" in url)
    again = await tailrace.ended(page.url.rsplit("/", 1)[1])
    assert (again["env"], again["workdir"], again["stop_signal"]) == (["B", "C", "KEPT"], "/etc", "SIGINT")
    assert (again["limits"]["timeout"], again["limits"]["notice"]) == (78, 1)
    said = await tailrace.log_text(again["id"])
    assert said.splitlines()[:2] == ["-7-3", "/etc"]
    assert "a,bthe token has 7 letters" in said
    watched.complaints[:] = [said for said in watched.complaints if "422" not in said]


async def test_one_whose_method_was_switched_off_is_run_again_without_it(
    watched: Watched, tailrace: Running, method: str
) -> None:
    page = watched.page
    made = await tailrace.request(
        "POST", "/v1/executions", json={"method": method, "inputs": {"rows": 5, "table": {"text": "a,b\n"}}}
    )
    await tailrace.ended(made.json()["id"])
    await tailrace.request("POST", f"/v1/methods/{method}/disable", json={"reason": "It is being mended"})
    await page.goto(f"/submit?rerun={made.json()['id']}")
    await expect(page.get_by_text(re.compile("was disabled by admin: It is being mended")).first).to_be_visible()
    await page.get_by_role("switch", name=f"Without its method, {method}@1.0.0").check()
    await expect(page.get_by_role("textbox", name="Image")).to_have_value("busybox:local")
    await expect(page.get_by_text("It would be accepted.")).to_be_visible()
    await page.get_by_role("button", name="Run again").click()
    await page.wait_for_url(lambda url: "/executions/" in url)
    record = await tailrace.ended(page.url.rsplit("/", 1)[1])
    assert (record["status"], record["method"]) == ("succeeded", None)
    assert "a,b" in await tailrace.log_text(record["id"])
    watched.complaints[:] = [said for said in watched.complaints if "409" not in said]


async def test_a_sweep_becomes_a_batch_whose_page_follows_it(browser: Browser, tailrace: Running, shots: Path) -> None:
    async with logged_in(browser, tailrace, viewport=PHONE) as watched:
        page = watched.page
        await page.goto("/submit?by=image")
        await page.get_by_role("textbox", name="Image").fill("busybox:local")
        await page.get_by_role("textbox", name="Command").fill("echo $INPUT_RATE; exit 3")
        await page.get_by_role("button", name="Run it in a shell").click()
        await expect(page.get_by_label("Command, argument by argument").get_by_role("listitem")).to_have_text(
            ["sh", "-c", "echo $INPUT_RATE; exit 3"]
        )
        await page.get_by_role("heading", name="Many at once").click()
        await page.get_by_text("Combinations").click()
        await typed(page, "What varies", "rate")
        await typed(page, "Values of rate", "0.1", "0.01")
        await expect(page.get_by_text("It would be accepted.")).to_be_visible()
        assert await watched.findings() == []
        await page.get_by_role("button", name="Submit the batch").click()
        await page.wait_for_url("**/batches/*")
        await expect(page.get_by_text("2 of 2 have ended")).to_be_visible()
        await expect(page.get_by_role("button", name="Failed 2")).to_be_visible()
        assert await watched.findings() == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        await page.screenshot(path=shots / "batch-phone.png", full_page=True)
        await page.get_by_role("button", name="Rerun what did not succeed").click()
        batch = page.url
        await page.wait_for_url(lambda url: "/batches/" in url and url != batch)


async def test_who_needs_whom_is_drawn(watched: Watched, tailrace: Running, shots: Path) -> None:
    echo = {"image": "busybox:local", "command": ["true"]}
    items = [{"key": "fetch"}, {"key": "clean", "needs": ["fetch"]}, {"key": "report", "needs": ["fetch", "clean"]}]
    made = await tailrace.request("POST", "/v1/batches", json={"name": "steps", "defaults": echo, "items": items})
    page = watched.page
    await page.goto(f"/batches/{made.json()['id']}")
    drawing = page.get_by_label("Drawing of who needs whom")
    await expect(drawing.get_by_role("link", name="report: Succeeded")).to_be_visible()
    assert await drawing.locator("path").count() == 3
    assert await watched.findings() == []
    await page.screenshot(path=shots / "batch-needs.png")


@pytest.mark.parametrize(
    "path", ["/methods", "/methods/{method}", "/method-editor", "/batches", "/schedules", "/schedule-editor"]
)
async def test_pages_of_what_is_defined_are_for_everybody(
    path: str, browser: Browser, tailrace: Running, method: str, shots: Path
) -> None:
    async with logged_in(browser, tailrace, color_scheme="dark", viewport=PHONE) as watched:
        page = watched.page
        await page.goto(path.format(method=method))
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await page.wait_for_load_state("networkidle")
        assert await watched.findings() == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        await page.screenshot(path=shots / f"{path.split('/')[1]}-phone-dark.png", full_page=True)
        assert watched.complaints == []


async def test_what_is_wrong_with_a_document_stands_at_its_line(
    page: Page, watched: Watched, tailrace: Running
) -> None:
    name = f"edited-{uuid4().hex[:8]}"
    await page.goto("/method-editor")
    document = page.get_by_label("Document")
    await document.fill(f"name: {name}\nversion: 1.0.0\nimage: busybox:local\nlimits:\n  timeout: soon\n")
    await page.get_by_role("button", name="Keep as a draft").click()
    await expect(page.get_by_role("button", name="Line 5")).to_be_visible()
    await document.fill(f"name: {name}\nversion: 1.0.0\nimage: busybox:local\nlimits:\n  timeout: 60\n")
    await page.get_by_role("button", name="Keep as a draft").click()
    await page.wait_for_url(f"**/methods/{name}*")
    await page.get_by_role("button", name="More").click()
    await page.get_by_role("menuitem", name="Publish").click()
    await page.get_by_role("button", name="Publish").click()
    await expect(page.get_by_role("link", name="Run this")).to_be_visible()
    assert (await tailrace.get(f"/v1/methods/{name}"))["latest"] == "1.0.0"
    watched.complaints[:] = [said for said in watched.complaints if "422" not in said]


async def upload(page: Page, directory: Path) -> None:
    table = directory / "rows.csv"
    table.write_text("a,b\n1,2\n")
    await page.locator("input[type=file]").first.set_input_files(table)
    await expect(page.get_by_role("button", name="Take rows.csv away")).to_be_visible()


async def fill(page: Page) -> None:
    """An input of each kind, but for the file."""
    await page.get_by_role("textbox", name="Rows").fill("50")
    await page.get_by_role("textbox", name="Word", exact=True).fill("abc")
    await page.locator("[id='field-inputs.mode']").click()
    await page.get_by_role("option", name="exact").click()
    await page.get_by_role("checkbox", name="body").check()
    await typed(page, "Seeds", "1", "2")
    await page.get_by_role("radio", name="No").check()
    await page.get_by_label("Until", exact=True).fill("2026-01-31")
    await page.get_by_role("textbox", name="Token").fill("hush-hush")


async def typed(page: Page, name: str, *values: str) -> None:
    field = page.get_by_label(name, exact=True).locator("visible=true").first
    for value in values:
        await field.fill(value)
        await field.press("Enter")
