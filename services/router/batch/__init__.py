"""The transaction around the fold, and the outbox after it."""
