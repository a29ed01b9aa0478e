"""Executions: the record, its status machine, and what clients may do to it."""
