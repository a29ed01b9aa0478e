"""Code that submits what an execution was submitted with, in the languages that users write."""
