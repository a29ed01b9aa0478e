"""Every table of the database, so that the metadata is whole for Alembic."""

from __future__ import annotations

from app.artifacts import tables as artifacts
from app.auth import tables as auth
from app.db.orm import Base
from app.events import tables as events
from app.executions import tables as executions
from app.idempotency import tables as idempotency
from app.logs import tables as logs
from app.pools import tables as pools
from app.secrets import tables as secrets
from app.workers import tables as workers

MODULES = (artifacts, auth, events, executions, idempotency, logs, pools, secrets, workers)

metadata = Base.metadata
