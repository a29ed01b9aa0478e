"""The monitor as it is served: a page for every address of its own, files for ever, and a word when it is not built."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from app.settings import Settings

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PAGE = (
    '<!doctype html><meta property="csp-nonce" nonce="__CSP_NONCE__"><script nonce="__CSP_NONCE__">go()</script>'
    '<script type="module" src="/assets/index-1a2b.js"></script>'
)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    return tmp_path / "dist"


@pytest.fixture
async def browser(settings: Settings, dist: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings.model_copy(update={"web": dist}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tailrace") as client:
        yield client


def build(dist: Path) -> None:
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text(PAGE)
    script = dist / "assets" / "index-1a2b.js"
    script.write_text("go();")
    script.with_suffix(".js.gz").write_bytes(gzip.compress(b"go();"))


async def test_every_address_that_nothing_else_answers_to_is_a_page_for_browsers(
    browser: httpx.AsyncClient, dist: Path
) -> None:
    build(dist)
    nonces = set()
    for path in ("/", "/executions", "/executions/019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44", "/v1x"):
        page = await browser.get(path, headers=HTML)
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
        (nonce,) = set(re.findall(r'nonce="([^"]+)"', page.text))
        policy = page.headers["content-security-policy"]
        assert f"style-src 'self' 'nonce-{nonce}'" in policy
        # Scripts are known by what is in them, so that whoever guesses a nonce has gained styles.
        assert re.search(r"script-src 'self' 'sha256-[^ ]+';", policy)
        assert not re.search(r"unsafe|http|\*", policy)
        nonces.add(nonce)
    assert len(nonces) == 4


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1", "/docs/nothing", "/assets/nothing.js", "/metrics/x", "/assets/..%2Findex.html"]
)
async def test_what_is_no_page_is_no_page_for_browsers_either(
    path: str, browser: httpx.AsyncClient, dist: Path
) -> None:
    build(dist)
    answer = await browser.get(path, headers=HTML)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_programs_get_json(browser: httpx.AsyncClient, client: httpx.AsyncClient, dist: Path) -> None:
    build(dist)
    assert (await browser.get("/")).json()["name"] == "Tailrace"
    assert (await browser.get("/executions")).status_code == 404
    assert (await client.post("/executions", headers=HTML)).status_code == 404


async def test_files_are_kept_for_ever_and_sent_packed(browser: httpx.AsyncClient, dist: Path) -> None:
    build(dist)
    packed = await browser.get("/assets/index-1a2b.js", headers={"Accept-Encoding": "gzip, deflate"})
    assert (packed.text, packed.headers["content-encoding"]) == ("go();", "gzip")
    assert packed.headers["content-type"].startswith("text/javascript")
    assert "immutable" in packed.headers["cache-control"]
    plain = await browser.get("/assets/index-1a2b.js", headers={"Accept-Encoding": "identity"})
    assert (plain.text, plain.headers.get("content-encoding")) == ("go();", None)
    assert plain.headers["vary"] == "Accept-Encoding"


async def test_one_that_is_not_built_says_how_it_is(browser: httpx.AsyncClient, dist: Path) -> None:
    page = await browser.get("/executions", headers=HTML)
    assert (page.status_code, "make web" in page.text) == (503, True)
    assert (await browser.get("/")).status_code == 200
    # And from then on it is there, without a restart.
    build(dist)
    assert (await browser.get("/executions", headers=HTML)).status_code == 200
