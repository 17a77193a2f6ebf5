"""`parley recover`: after a database was restored from an older copy."""
