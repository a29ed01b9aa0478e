"""`python -m worker`: one worker process."""

from __future__ import annotations

import asyncio
import signal

from app.observability.logging import configure_logging
from app.settings import Settings
from worker.main import run_worker


async def _main() -> None:
    settings = Settings()
    configure_logging(settings.log_format)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run_worker(settings, stop)


asyncio.run(_main())
