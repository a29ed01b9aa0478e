"""The API as one ASGI application: lifespan, routers, middleware, error handlers. No logic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from pydantic import BaseModel

from app.artifacts.router import router as outputs_router
from app.auth.service import ensure_bootstrap_token
from app.background import Background
from app.batches.router import one as batch_router
from app.batches.router import router as batches_router
from app.bootstrap import open_process
from app.events.feed import Feed
from app.events.router import router as events_router
from app.executions.afterwards_router import one as afterwards_router
from app.executions.bulk_router import router as bulk_router
from app.executions.router import one as execution_router
from app.executions.router import router as executions_router
from app.logs.router import router as logs_router
from app.middleware import BodyLimit, RequestContext
from app.observability.health import router as health_router
from app.observability.logging import configure_logging
from app.observability.metrics import ApiMetrics
from app.observability.requests import RequestMetrics
from app.observability.router import router as metrics_router
from app.openapi import add_documentation
from app.pools.router import one as pool_router
from app.pools.router import router as pools_router
from app.problems import add_handlers
from app.quotas.router import router as quotas_router
from app.retention.router import router as retention_router
from app.settings import Settings
from app.stats.router import router as stats_router
from app.usage.router import router as usage_router
from app.version import VERSION
from app.workers.router import one as worker_router
from app.workers.router import router as workers_router

log = structlog.get_logger(__name__)

FINISH_SECONDS = 1.0


class Welcome(BaseModel):
    """Where to go from here."""

    name: str
    version: str
    links: dict[str, str]


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
    app.add_middleware(BodyLimit, limit=settings.body_limit)
    app.add_middleware(RequestContext)
    app.add_middleware(RequestMetrics, metrics=app.state.metrics)
    add_handlers(app)
    add_documentation(app)
    for router in (executions_router, execution_router, outputs_router, logs_router, health_router, metrics_router):
        app.include_router(router)
    for router in (pools_router, pool_router, workers_router, worker_router, events_router):
        app.include_router(router)
    for router in (usage_router, afterwards_router, bulk_router):
        app.include_router(router)
    app.include_router(retention_router)
    for router in (batches_router, batch_router):
        app.include_router(router)
    app.include_router(stats_router)
    app.include_router(quotas_router)
    app.add_api_route("/", _welcome, include_in_schema=False)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    async with open_process(settings, role="api") as process:
        await ensure_bootstrap_token(process)
        app.state.process = process
        app.state.background = Background()
        app.state.feed = Feed(process)
        following = asyncio.create_task(app.state.feed.run(), name="feed")
        log.info("api.started", instance=str(process.instance), version=app.version)
        try:
            yield
        finally:
            following.cancel()
            await app.state.background.finish(FINISH_SECONDS)
            log.info("api.stopped")


async def _welcome() -> Welcome:
    links = {"docs": "/docs", "openapi": "/openapi.json", "executions": "/v1/executions", "health": "/readyz"}
    return Welcome(name="Tailrace", version=VERSION, links=links)
