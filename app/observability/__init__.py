"""Our own log and health."""
