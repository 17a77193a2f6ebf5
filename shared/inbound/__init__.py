"""The way in: from a provider to the bus."""
