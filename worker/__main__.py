"""`python -m worker`: one worker process. `python -m worker verify` checks a live installation."""

from __future__ import annotations

import asyncio
import signal
import sys

from app.observability.logging import configure_logging
from app.settings import Settings
from worker import verify
from worker.main import Orders, run_worker


async def _main() -> None:
    settings = Settings()
    configure_logging(settings.log_format)
    orders = Orders()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, orders.terminate, settings.on_sigterm)
    loop.add_signal_handler(signal.SIGINT, orders.stop.set)
    await run_worker(settings, orders)


if sys.argv[1:2] == ["verify"]:
    sys.exit(verify.main(sys.argv[2:]))
asyncio.run(_main())
