-- What the provider bills the piece as, where that is known with its answer (shared.contract.deliveries.Cost).
ALTER TABLE piece ADD COLUMN cost jsonb;
