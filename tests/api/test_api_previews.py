"""What a monitor shows of outputs and files, without running or trusting them."""

import httpx
import orjson
from hand import Hand
from served import Submit

FIGURE = {"data": [{"type": "bar", "x": ["a"], "y": [1]}], "layout": {}}
OUTPUTS = {
    "log.txt": b"first\nsecond\n",
    "d/table.csv": b"epoch,loss\n1,0.5\n2,\n",
    "plot.json": orjson.dumps(FIGURE),
    "deep.json": b"[" * 400 + b"]" * 400,
    "page.html": b"<script>fetch('/v1/executions')</script>",
    "plot.png": b"\x89PNG\r\n",
    "model.bin": b"\0\1\2",
}


async def ended(hand: Hand, execution: str) -> str:
    await hand.start(execution)
    await hand.keep_outputs(execution, OUTPUTS)
    await hand.end(execution)
    return f"/v1/executions/{execution}/previews"


async def test_each_output_is_described(client: httpx.AsyncClient, submit: Submit, hand: Hand) -> None:
    own = await ended(hand, await submit())
    shown = {path: (await client.get(f"{own}/{path}")).json() for path in OUTPUTS}
    assert {path: each["kind"] for path, each in shown.items()} == {
        "log.txt": "text",
        "d/table.csv": "table",
        "plot.json": "plotly",
        "deep.json": "json",
        "page.html": "html",
        "plot.png": "image",
        "model.bin": "binary",
    }
    assert shown["log.txt"]["text"] == "first\nsecond\n"
    table = shown["d/table.csv"]
    assert table["columns"] == [{"name": "epoch", "type": "integer"}, {"name": "loss", "type": "number"}]
    assert table["rows"] == [[1, 0.5], [2, None]]
    assert (table["path"], table["bytes"], table["cut"]) == ("d/table.csv", len(OUTPUTS["d/table.csv"]), False)
    assert shown["plot.json"]["value"] == FIGURE
    assert "text" not in shown["model.bin"]


async def test_a_page_is_shown_in_a_sandbox_that_reaches_nothing(
    client: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    own = await ended(hand, await submit())
    page = await client.get(f"{own}/page.html", params={"as": "page"})
    assert (page.status_code, page.content) == (200, OUTPUTS["page.html"])
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts;")
    assert "default-src 'none'" in policy
    assert not {"allow-same-origin", "connect-src", "allow-top-navigation"} & {*policy.replace(";", " ").split()}
    assert page.headers["x-content-type-options"] == "nosniff"
    for path in ("log.txt", "plot.png", "plot.json"):
        refused = await client.get(f"{own}/{path}", params={"as": "page"})
        assert (refused.status_code, refused.headers["content-type"]) == (406, "application/problem+json")


async def test_a_known_preview_is_not_made_again_and_others_have_none(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, submit: Submit, hand: Hand
) -> None:
    own = await ended(hand, await submit())
    etag = (await client.get(f"{own}/log.txt")).headers["etag"]
    assert (await client.get(f"{own}/log.txt", headers={"If-None-Match": etag})).status_code == 304
    assert (await client.get(f"{own}/nope")).status_code == 404
    assert (await stranger.get(f"{own}/log.txt")).status_code == 404


async def test_a_file_has_a_preview_too(client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    file = (await client.post("/v1/files?name=rows.tsv", content=b"a\tb\n1\t2\n")).json()
    shown = (await client.get(f"/v1/files/{file['id']}/preview")).json()
    assert (shown["kind"], shown["rows"], shown["path"]) == ("table", [[1, 2]], "rows.tsv")
    assert (await stranger.get(f"/v1/files/{file['id']}/preview")).status_code == 404
