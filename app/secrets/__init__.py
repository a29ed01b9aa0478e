"""Secrets of an execution: given once, kept encrypted, handed to the program and to nobody else."""
