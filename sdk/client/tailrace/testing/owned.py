"""What belongs to somebody."""

from __future__ import annotations

ADMIN = "admin"


class Owned:
    """Belongs to somebody. Others do not get to see it, but for an administrator."""

    owner: str

    def is_seen_by(self, owner: str) -> bool:
        """Whether it is there for them."""
        return owner in {self.owner, ADMIN}
