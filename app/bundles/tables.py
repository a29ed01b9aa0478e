"""Table of imports under way."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from app.db.orm import Base


class Import(Base):
    """An execution that somebody is taking in: until then nobody else does, since both would store the same.

    What lies below an execution that is not on record is its holder's, and to be cleared up after that time.
    """

    __tablename__ = "imports"

    execution_id: Mapped[UUID] = mapped_column(primary_key=True)
    holder: Mapped[UUID]
    until: Mapped[datetime]
