"""Every call, written once."""
