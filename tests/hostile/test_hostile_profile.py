"""The page that says what a container may do is compared with one that runs."""

import json
import re
from pathlib import Path
from typing import Any

from support.running import Json, Running
from support.witness import Witness

PAGE = Path(__file__).parents[2] / "docs" / "worker.md"
ROW = re.compile(r"^\| `([A-Z]\w+)` \| (nothing|`[^|]+`) \|", re.MULTILINE)
WRITABLE = {"/tailrace/outputs", "/tailrace/checkpoint", "/tailrace/events"}


def documented(limits: Json) -> dict[str, Any]:
    """What the table says of each field, for these limits."""

    def value_of(said: Any) -> Any:
        match said:
            case str() if said.startswith("limits."):
                value = limits[said.removeprefix("limits.")]
                return round(value * 1e9) if said == "limits.cpus" else value
            case list():
                return [value_of(each) for each in said]
            case dict():
                return {name: value_of(each) for name, each in said.items()}
            case _:
                return said

    table = PAGE.read_text().partition("## The container")[2].partition("\n## ")[0]
    said = {name: cell.strip("`") for name, cell in ROW.findall(table)}
    return {
        name: None if cell == "nothing" else value_of(cell if cell.startswith("limits.") else json.loads(cell))
        for name, cell in said.items()
    }


async def test_a_container_that_runs_has_what_the_page_says_and_no_more(tailrace: Running, witness: Witness) -> None:
    execution = await tailrace.submit("sleep", "600")
    limits = (await tailrace.reaches(execution, "running"))["limits"]
    container = (await witness.the_container(execution)).id
    found = await witness.runtime._http.json("GET", f"/containers/{container}/json")
    config, expected = found["HostConfig"], documented(limits)
    assert len(expected) > 20
    # Where the page says nothing, engines say it in several ways.
    seen = {name: (config[name] or None) if wanted is None else config[name] for name, wanted in expected.items()}
    assert seen == expected
    root = f"{tailrace.data}/work/{execution}/1/"
    for mount in found["Mounts"]:
        assert mount["Type"] == "bind"
        assert mount["Source"].startswith(root)
        assert mount["Propagation"] == "private"
        assert mount["RW"] is (mount["Destination"] in WRITABLE)
    assert {mount["Destination"] for mount in found["Mounts"]} > WRITABLE
    assert found["Config"]["Healthcheck"] == {"Test": ["NONE"]}
    await tailrace.cancel(execution, force=True)
    assert (await tailrace.ended(execution))["status"] == "canceled"
