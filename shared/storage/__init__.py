"""What is kept: PostgreSQL, and bytes too large for the bus."""
