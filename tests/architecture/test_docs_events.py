"""The page about events says what the code does."""

import re
from pathlib import Path

from app.events import feed
from app.events.protocol import FRAMES
from app.events.query import EventsQuery
from app.events.store import KEPT

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
CODE = re.compile(r"`([a-z_]+)`")


def rows(*header: str) -> list[list[str]]:
    """The rows of the table that begins with this header."""
    _, _, table = PAGE.partition("| " + " | ".join(header) + " |\n")
    lines = table.splitlines()[1:]
    end = next((index for index, line in enumerate(lines) if not line.startswith("|")), len(lines))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:end]]


def test_every_frame_is_described_with_its_fields() -> None:
    described = {kind.strip("`"): set(CODE.findall(fields)) for kind, fields, _ in rows("type", "fields", "when")}
    assert described == {kind: set(frame.__annotations__) - {"type"} for kind, frame in FRAMES.items()}


def test_every_parameter_is_described() -> None:
    assert {name.strip("`") for name, _ in rows("parameter", "meaning")} == EventsQuery.model_fields.keys()


def test_the_numbers_are_those_of_the_code() -> None:
    for number in (feed.RESYNC_BEYOND, feed.BACKLOG, KEPT):
        assert f"{number:,}" in PAGE
    assert f"every {feed.LOOK_ANYWAY_EVERY:.0f} s" in PAGE
