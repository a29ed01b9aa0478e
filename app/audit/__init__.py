"""Who did what: one row per request that changes something, only ever added to."""
