"""What executions use while they run: sampled by their workers, told to their owners."""
