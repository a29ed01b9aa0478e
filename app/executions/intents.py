"""What is wanted of an execution, as columns of its record when nothing is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NO_STOP: Mapping[str, Any] = {
    "stop_reason": None,
    "stop_by": None,
    "stop_requested_at": None,
    "stop_deadline": None,
    "stop_force": False,
    "stop_final": False,
    "stop_clock": None,
    "stop_why": None,
}
NO_PAUSE: Mapping[str, Any] = {
    "pause_mode": None,
    "pause_by": None,
    "pause_requested_at": None,
    "pause_deadline": None,
    "resume_by": None,
}
