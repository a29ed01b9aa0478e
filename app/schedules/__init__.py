"""Schedules: rules by which executions and batches are submitted again and again."""
