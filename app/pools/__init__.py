"""Pools: named groups of workers, and how they are shared."""
