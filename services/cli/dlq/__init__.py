"""`parley dlq`: dead letters, seen and given another chance."""
