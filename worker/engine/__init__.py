"""The container engine: a small port, and the Docker adapter behind it."""
