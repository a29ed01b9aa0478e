"""What the shell programs of the tests have in common, and waiting for what they say."""

from __future__ import annotations

import asyncio

from support.running import Json, Running

# A program says so that it watches for the stop file; 85 and 86 mean something from then on.
ANNOUNCE = """echo '{"checkpoints": true}' >> /tailrace/events; """
UNTIL_STOP = "while [ ! -f /tailrace/stop ]; do sleep 0.1; done; "
# What a slow machine may need beside the time that is promised.
MARGIN = 20.0


async def until_it_says(installation: Running, execution: str, line: str) -> None:
    """Wait for a whole line of the program."""
    begun: dict[str, str] = {}
    async with asyncio.timeout(90):
        async for piece in (await installation.api.get(execution)).logs(follow=True):
            said = begun.pop(piece.stream, "") + piece.text
            if said == line:
                return
            if piece.continues:
                begun[piece.stream] = said
    raise AssertionError(f"It ended without saying {line!r}: {await installation.log_text(execution)}")


async def the_attempt(installation: Running, execution: str) -> Json:
    """The only attempt of an execution."""
    (attempt,) = await installation.attempts(execution)
    return attempt
