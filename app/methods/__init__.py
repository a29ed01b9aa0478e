"""Methods: named, versioned templates of executions, with typed inputs. A published version never changes."""
