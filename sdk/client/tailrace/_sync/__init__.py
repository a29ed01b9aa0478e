"""The same for who has no event loop: one line for each call."""
