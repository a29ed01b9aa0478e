"""Quotas: how much each owner may have queued and running."""
