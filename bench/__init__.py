"""Benchmarks: ratios to what people would use instead, measured beside each other in one run."""
