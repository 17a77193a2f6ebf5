"""`parley offsets`: where each consumer stands."""
