"""Artifacts: the files an execution leaves behind, its outputs and its checkpoint snapshots."""
