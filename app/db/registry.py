"""Imports every table, so that the metadata is whole for Alembic and for the schema check."""

from __future__ import annotations

import app.artifacts.tables
import app.auth.tables
import app.executions.tables
import app.logs.tables
from app.db.orm import Base

metadata = Base.metadata

__all__ = ["metadata"]
