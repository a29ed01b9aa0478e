"""Executions submitted together: one parent, many children, and what one of them means for the others."""
