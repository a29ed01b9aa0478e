"""Numbers over all executions: how many there are, and how many came and went."""
