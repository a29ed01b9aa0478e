"""The version of this client, as in its `pyproject.toml`."""

from __future__ import annotations

VERSION = "0.1.0"
