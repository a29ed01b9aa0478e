"""What the shell programs of the tests have in common, and waiting for what they say."""

from __future__ import annotations

from support.eventually import eventually
from support.running import Json, Running

# A program says so that it watches for the stop file; 85 and 86 mean something from then on.
ANNOUNCE = """echo '{"checkpoints": true}' >> /tailrace/events; """
UNTIL_STOP = "while [ ! -f /tailrace/stop ]; do sleep 0.1; done; "
# What a slow machine may need beside the time that is promised.
MARGIN = 20.0


async def until_it_says(installation: Running, execution: str, line: str) -> None:
    """Wait for a whole line of the program."""

    async def said() -> bool:
        return line in (await installation.log_text(execution)).splitlines()

    await eventually(said, within=90)


async def the_attempt(installation: Running, execution: str) -> Json:
    """The only attempt of an execution."""
    (attempt,) = (await installation.get(f"/v1/executions/{execution}/attempts"))["items"]
    found: Json = attempt
    return found
