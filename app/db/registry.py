"""Every table of the database, so that the metadata is whole for Alembic."""

from __future__ import annotations

from app.artifacts import tables as artifacts
from app.auth import tables as auth
from app.batches import tables as batches
from app.db.orm import Base
from app.events import tables as events
from app.executions import tables as executions
from app.idempotency import tables as idempotency
from app.logs import tables as logs
from app.pools import tables as pools
from app.quotas import tables as quotas
from app.retention import tables as retention
from app.secrets import tables as secrets
from app.stats import tables as stats
from app.usage import tables as usage
from app.workers import tables as workers

MODULES = (
    artifacts,
    auth,
    batches,
    events,
    executions,
    idempotency,
    logs,
    pools,
    quotas,
    retention,
    secrets,
    stats,
    usage,
    workers,
)

metadata = Base.metadata
