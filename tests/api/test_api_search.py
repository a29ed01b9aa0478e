"""Search: `q` over names, notes, labels and ids."""

import random
import string
from typing import Any
from uuid import UUID

import httpx
import pytest
from served import Api, Submit
from sqlalchemy import delete, func, insert, select, text
from uuid_utils.compat import uuid7

from app.db.engine import reading, transaction
from app.executions.tables import Execution, ExecutionWords
from app.logs.tables import LogHead

LIST = "/v1/executions"


async def found(client: httpx.AsyncClient, q: str, **more: Any) -> set[str]:
    response = await client.get(LIST, params={"q": q, "limit": 200, **more})
    assert response.status_code == 200, response.text
    return {item["name"] for item in response.json()["items"]}


@pytest.fixture(scope="module")
async def library(api: Api) -> httpx.AsyncClient:
    client = await api.client()
    for body in (
        {"name": "resnet-50.v2", "note": "On the *second* GPU", "labels": {"team": "Vision", "cost-centre": "4711"}},
        {"name": "nightly_backup", "note": "s3://bucket/path/to/file.tar.gz", "labels": {"env": "prod", "a=b": "c"}},
        {"name": "Größe messen", "note": "naïve café — 数据 处理", "labels": {"straße": "Hof 12"}},
        {"name": "O'Brien's \\ job", "note": "100% & | ! ( ) : * <-> 'quoted' \"twice\" $1 %s {x} --"},
        {"name": "resting", "note": "mail ann@example.com about 1.5e3 or 2026-11-21", "labels": {"a": "b=c"}},
    ):  # fmt: skip
        response = await client.post(LIST, json={"image": "busybox:local", **body})
        assert response.status_code == 201, response.text
    return client


RESNET, BACKUP, SIZE, BRIEN, RESTING = "resnet-50.v2", "nightly_backup", "Größe messen", "O'Brien's \\ job", "resting"


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("resnet", {RESNET}),
        ("res", {RESNET, RESTING}),
        ("RES", {RESNET, RESTING}),
        ("esnet", set()),
        ("50", {RESNET}),
        ("v2", {RESNET}),
        ("resnet-50", {RESNET}),
        ("resnet second", {RESNET}),
        ("second resnet", {RESNET}),
        ("resnet third", set()),
        ("gpu vision", {RESNET}),
        ("team:vision", {RESNET}),
        ("cost 47", {RESNET}),
        ("backup", {BACKUP}),
        ("bucket/path", {BACKUP}),
        ("tar gz", {BACKUP}),
        ("prod", {BACKUP}),
        ("größe", {SIZE}),
        ("GRÖ", {SIZE}),
        ("café", {SIZE}),
        ("数据", {SIZE}),
        ("straße hof", {SIZE}),
        ("o'brien", {BRIEN}),
        ("brien", {BRIEN}),
        ("quot twi", {BRIEN}),
        ("example.com", {RESTING}),
        ("ann@", {RESTING}),
        ("2026", {RESTING}),
        ("1.5e3", {RESTING}),
    ],
)
async def test_every_word_must_begin_a_word(library: httpx.AsyncClient, q: str, names: set[str]) -> None:
    assert await found(library, q) == names


@pytest.mark.parametrize(
    "q", ["'", "\\", "'; DROP TABLE executions; --", "a:*b", "& |", "!res", "%", "$1", "\\' OR 1", ":x"]
)
async def test_no_character_is_special(library: httpx.AsyncClient, q: str) -> None:
    response = await library.get(LIST, params={"q": q})
    assert response.status_code == 200
    for filters in ({"label": f"k={q}"}, {"label": f"{q or 'k'}".replace("=", "")}, {"image": q}, {"image": f"{q}*"}):
        response = await library.get(LIST, params=filters)
        assert response.status_code == 200, (filters, response.text)
        assert response.json()["items"] == []


async def test_any_text_is_answered_and_finds_itself(client: httpx.AsyncClient, submit: Submit) -> None:
    """Also what no list of examples has: random texts of all planes, as names, labels and filters."""
    dice = random.Random(7)  # noqa: S311
    alphabet = string.printable.strip() + " äßñ漢字🙂\u0301\u200b\u00a0ⅷ¾ﬁ\x01"
    for _ in range(60):
        some = "".join(dice.choices(alphabet, k=dice.randint(1, 24)))
        key = some.replace("\\", "\\\\").replace("=", "\\=")
        identifier = await submit(name=some, labels={some: some})
        for filters in ({"q": some}, {"label": f"{key}={some}"}, {"label": key}):
            response = await client.get(LIST, params=filters | {"limit": "200"})
            assert response.status_code == 200, (some, response.text)
            has_word = any(character.isalnum() and character.isascii() for character in some)
            if "label" in filters or has_word:
                assert identifier in [item["id"] for item in response.json()["items"]], (some, filters)


async def test_words_are_whole_runs_of_letters_and_digits(api: Api) -> None:
    """What the parser makes of them must not depend on what follows, or a beginning would not find the whole."""
    dice = random.Random(11)  # noqa: S311
    runs = ["".join(dice.choices(string.ascii_letters + string.digits, k=dice.randint(1, 12))) for _ in range(3000)]
    async with reading(api.process.database) as connection:
        statement = text("SELECT run, tsvector_to_array(words_of(run)) FROM unnest(CAST(:runs AS text[])) AS run")
        wrong = [row for row in await connection.execute(statement, {"runs": runs}) if row[1] != [row[0].lower()]]
    assert wrong == []


async def test_a_search_follows_what_is_changed(client: httpx.AsyncClient, submit: Submit, hand: Any) -> None:
    identifier = await submit(name="before", labels={"k": "old"})
    await hand.change(identifier, name="after", labels={"k": "new"})
    assert await found(client, "before") == await found(client, "old") == set()
    assert await found(client, "after new") == {"after"}
    response = await client.get(LIST, params={"label": "k=new"})
    assert [item["id"] for item in response.json()["items"]] == [identifier]


async def test_words_go_with_their_execution(api: Api, submit: Submit) -> None:
    identifier = UUID(await submit(name="gone"))
    kept = select(func.count()).where(ExecutionWords.execution_id == identifier)
    async with transaction(api.process.database) as connection:
        assert (await connection.execute(kept)).scalar_one() == 1
        await connection.execute(delete(Execution).where(Execution.id == identifier))
        assert (await connection.execute(kept)).scalar_one() == 0


async def test_what_is_frequent_rare_old_or_new_is_found_alike(
    api: Api, client: httpx.AsyncClient, submit: Submit
) -> None:
    """Whichever way it is looked for: one by one, or by the index."""
    owner = (await client.get(f"{LIST}/{await submit()}")).json()["owner"]
    row = {"owner": owner, "pool": "default", "limits": {}, "status": "queued", "spec": {"image": "i"}}
    names = {number: " ".join(_kinds(number)) for number in range(2500)}
    rows = [row | {"id": uuid7(), "name": f"{number} {names[number]}"} for number in names]
    async with transaction(api.process.database) as connection:
        await connection.execute(insert(Execution), rows)
        await connection.execute(insert(LogHead), [{"execution_id": each["id"], "epoch": 0} for each in rows])
    for kind in ("every", "tenth", "hundredth", "oldest", "newest", "early"):
        expected = [number for number in reversed(names) if kind in names[number]]
        seen: list[int] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await client.get(LIST, params={"q": kind, "limit": 20, **cursor})).json()
            seen += [int(item["name"].split()[0]) for item in page["items"]]
            if page["next"] is None or len(seen) >= 100:
                break
            cursor = {"cursor": page["next"]}
        assert seen == expected[:100], kind


def _kinds(number: int) -> list[str]:
    return [
        "every",
        *(["tenth"] if number % 10 == 0 else []),
        *(["hundredth"] if number % 100 == 7 else []),
        *(["oldest"] if number < 5 else []),
        *(["newest"] if number >= 2495 else []),
        *(["early"] if number < 2100 else []),
    ]


async def test_an_id_is_found_by_its_beginning(client: httpx.AsyncClient, submit: Submit) -> None:
    identifier = await submit(name="one")
    other = await submit(name=f"see {identifier}")
    for beginning in (identifier, identifier[:8], identifier[:13], identifier[:20], identifier.upper()):
        assert "one" in await found(client, beginning), beginning
    assert await found(client, identifier) == {"one", f"see {identifier}"}
    assert await found(client, other) == {f"see {identifier}"}
    assert await found(client, "0" * 8) == set()


async def test_searching_finds_what_is_archived_if_asked(client: httpx.AsyncClient, submit: Submit, hand: Any) -> None:
    identifier = await submit(name="shelved")
    await hand.start(identifier)
    await hand.end(identifier)
    await hand.change(identifier, archived_at=(await hand.row(identifier)).finished_at)
    assert await found(client, "shelved") == set()
    assert (
        await found(client, "shelved", archived="any") == await found(client, "shelved", archived="true") == {"shelved"}
    )


async def test_nobody_finds_what_is_somebody_elses(
    library: httpx.AsyncClient, stranger: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    assert await found(stranger, "resnet") == set()
    assert RESNET in await found(admin, "resnet")
