"""Submitting twice what was meant once: keys that make a repeated request harmless."""
