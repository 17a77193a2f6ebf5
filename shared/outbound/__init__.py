"""The way out: from the bus to a provider, and what became of it."""
