"""The API as one ASGI application: lifespan, routers, middleware, error handlers. No logic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI

from app.artifacts.router import router as outputs_router
from app.audit.middleware import Audited
from app.audit.router import router as audit_router
from app.auth.links import CredentialLinks
from app.auth.router import browsers as browsers_router
from app.auth.router import one as token_router
from app.auth.router import one_share as share_router
from app.auth.router import router as tokens_router
from app.auth.router import sharing as shares_router
from app.auth.router import shown as shown_router
from app.auth.service import ensure_bootstrap_token
from app.background import Background
from app.batches.router import one as batch_router
from app.batches.router import router as batches_router
from app.bootstrap import open_process
from app.bundles.router import one as bundle_router
from app.bundles.router import router as imports_router
from app.code.router import router as code_router
from app.events.feed import Feed
from app.events.router import router as events_router
from app.executions.afterwards_router import one as afterwards_router
from app.executions.bulk_router import router as bulk_router
from app.executions.router import one as execution_router
from app.executions.router import router as executions_router
from app.files.router import one as file_router
from app.files.router import router as files_router
from app.heads import Heads
from app.logs.router import router as logs_router
from app.methods.router import files as method_files_router
from app.methods.router import one as method_router
from app.methods.router import router as methods_router
from app.methods.router import versions as method_versions_router
from app.middleware import BodyLimit, RequestContext
from app.monitor import add_monitor
from app.notifications.router import one as notification_router
from app.notifications.router import router as notifications_router
from app.observability.health import router as health_router
from app.observability.logging import configure_logging
from app.observability.metrics import ApiMetrics
from app.observability.requests import RequestMetrics
from app.observability.router import router as metrics_router
from app.openapi import add_documentation
from app.pages import BrowserHeaders, add_pages
from app.pools.router import one as pool_router
from app.pools.router import router as pools_router
from app.problems import add_handlers
from app.quotas.rates import Rates
from app.quotas.router import router as quotas_router
from app.retention.router import router as retention_router
from app.schedules.router import one as schedule_router
from app.schedules.router import previews as previews_router
from app.schedules.router import router as schedules_router
from app.secrets.router import router as secrets_router
from app.settings import Settings
from app.stats.router import router as stats_router
from app.triggers.router import one as trigger_router
from app.triggers.router import posting as posting_router
from app.triggers.router import router as triggers_router
from app.usage.router import router as usage_router
from app.version import VERSION
from app.webhooks.router import one as webhook_router
from app.webhooks.router import router as webhooks_router
from app.workers.router import one as worker_router
from app.workers.router import router as workers_router

log = structlog.get_logger(__name__)

FINISH_SECONDS = 1.0
# Where bodies are files.
UPLOADS = ("/v1/files", "/v1/imports")


ROUTERS = (
    executions_router, execution_router, outputs_router, logs_router, health_router, metrics_router,
    pools_router, pool_router, workers_router, worker_router, events_router,
    usage_router, afterwards_router, bulk_router, code_router, bundle_router, imports_router,
    retention_router,
    batches_router, batch_router,
    methods_router, method_files_router, method_router, method_versions_router,
    stats_router,
    files_router, file_router,
    schedules_router, schedule_router, previews_router,
    triggers_router, trigger_router, posting_router,
    quotas_router, audit_router, secrets_router, tokens_router, token_router, shares_router, share_router,
    shown_router, browsers_router,
    webhooks_router, webhook_router, notifications_router, notification_router,
)  # fmt: skip


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Without settings it is `uvicorn --factory` that calls: then they are the environment's."""
    if settings is None:
        settings = Settings()
        configure_logging(settings.log_format)
    app = FastAPI(
        title="Tailrace",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    app.state.is_closing = lambda: False  # `app.__main__` knows better
    app.state.metrics = ApiMetrics()
    app.add_middleware(Audited)
    app.add_middleware(BodyLimit, limit=settings.body_limit, larger=dict.fromkeys(UPLOADS, int(settings.file_limit)))
    app.add_middleware(RequestContext)
    app.add_middleware(RequestMetrics, metrics=app.state.metrics)
    app.add_middleware(BrowserHeaders)
    app.add_middleware(Heads)
    app.add_middleware(CredentialLinks)
    add_handlers(app)
    add_documentation(app)
    add_pages(app)
    for router in ROUTERS:
        app.include_router(router)
    add_monitor(app, settings.web)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    async with open_process(settings, role="api") as process:
        await ensure_bootstrap_token(process)
        if process.oidc is not None:
            process.oidc.keys.begin()  # what is wrong with it is in the log before somebody comes
        process.on_settled.append(app.state.metrics.moved)
        app.state.metrics.watch(process.policy)
        app.state.process = process
        app.state.background = Background()
        app.state.feed = Feed(process)
        app.state.rates = Rates(settings, process.channels, process.redis, app.state.metrics)
        following = asyncio.create_task(app.state.feed.run(), name="feed")
        holding = asyncio.create_task(
            process.holding.run(process.database, process.listener, process.channels.tokens), name="holding"
        )
        log.info("api.started", instance=str(process.instance), version=app.version)
        try:
            yield
        finally:
            following.cancel()
            holding.cancel()
            await app.state.background.finish(FINISH_SECONDS)
            log.info("api.stopped")
