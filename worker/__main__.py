"""`python -m worker`: one worker process. `python -m worker verify` checks a live installation."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys

import structlog

from app.bootstrap import SchemaOutOfDate
from app.db.engine import is_outage
from app.observability.logging import configure_logging
from app.policy.file import BadPolicy
from app.secrets.vault import BadKey
from app.settings import CANNOT_START, read_settings
from worker import verify
from worker.engine.port import EngineError
from worker.main import Orders, run_worker

log = structlog.get_logger(__name__)


async def _main() -> int:
    settings = read_settings()
    configure_logging(settings.log_format)
    orders = Orders()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, orders.terminate, settings.on_sigterm)
    loop.add_signal_handler(signal.SIGINT, orders.stop.set)
    # Our modules stay; to look for garbage in them takes a tenth of a second, in which no line is taken in.
    gc.freeze()
    try:
        await run_worker(settings, orders)
    except Exception as error:
        # Once it is open, the worker waits for whatever is away.
        if not isinstance(error, SchemaOutOfDate | BadKey | BadPolicy | EngineError) and not is_outage(error):
            raise
        log.error("worker.cannot_start", error=str(error) or repr(error))  # noqa: TRY400
        return CANNOT_START
    return 0


if sys.argv[1:2] == ["verify"]:
    sys.exit(verify.main(sys.argv[2:]))
sys.exit(asyncio.run(_main()))
