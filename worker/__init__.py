"""The Tailrace worker: claims executions, runs their containers, writes their logs and their ends."""
