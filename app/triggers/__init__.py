"""Triggers: addresses to which others post, and something is submitted."""
