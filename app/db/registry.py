"""Every table of the database, so that the metadata is whole for Alembic."""

from __future__ import annotations

from app.artifacts import tables as artifacts
from app.audit import tables as audit
from app.auth import tables as auth
from app.batches import tables as batches
from app.bundles import tables as bundles
from app.db.orm import Base
from app.events import tables as events
from app.executions import tables as executions
from app.files import tables as files
from app.idempotency import tables as idempotency
from app.logs import tables as logs
from app.methods import tables as methods
from app.notifications import tables as notifications
from app.pools import tables as pools
from app.quotas import tables as quotas
from app.retention import tables as retention
from app.schedules import tables as schedules
from app.secrets import tables as secrets
from app.stats import tables as stats
from app.triggers import tables as triggers
from app.usage import tables as usage
from app.webhooks import tables as webhooks
from app.workers import tables as workers

MODULES = (
    artifacts,
    audit,
    auth,
    batches,
    bundles,
    events,
    executions,
    files,
    idempotency,
    logs,
    methods,
    notifications,
    pools,
    quotas,
    retention,
    schedules,
    secrets,
    stats,
    triggers,
    usage,
    webhooks,
    workers,
)

metadata = Base.metadata
