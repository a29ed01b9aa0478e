"""The Tailrace API and everything that both processes share: domain, records, logs, settings."""
