"""Benchmarks: ratios to what people would use instead, measured beside each other in one run.

They drive a whole Tailrace with the same support code as the tests.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
