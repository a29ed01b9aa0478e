"""`python -m app.secrets`: seal everything anew with the first key, and say what became of it."""

from __future__ import annotations

import asyncio
import sys

from app.audit.model import of_operator
from app.audit.service import write
from app.bootstrap import SchemaOutOfDate, open_process
from app.secrets.resealing import reseal
from app.secrets.vault import BadKey, NoKey
from app.settings import read_settings

LEFT, CANNOT = 1, 3


async def main() -> int:
    """0 if all is sealed with the first key, 1 if something cannot be opened with any."""
    try:
        async with open_process(read_settings(), role="secrets") as process:
            # Beforehand: whoever breaks it off has done some of it.
            await write(process, of_operator("reseal_secrets", status=200))
            tallies = await reseal(process)
    except NoKey:
        sys.stderr.write("There is no key: neither TAILRACE_SECRET_KEY nor TAILRACE_SECRET_KEY_FILE is set.\n")
        return CANNOT
    except (BadKey, SchemaOutOfDate) as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT
    for column, tally in tallies.items():
        sys.stdout.write(
            f"{column}: {tally.anew} sealed anew, {tally.already} were already, {tally.unopened} cannot be opened\n"
        )
    return LEFT if any(tally.unopened for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
