"""Bundles: all of an execution that has ended as one archive, to be kept, handed on, or imported elsewhere."""
