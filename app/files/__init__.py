"""Files that clients upload, to be the inputs of executions."""
