-- Since when a message is not to be begun any more.
ALTER TABLE send ADD COLUMN cancelled_at timestamptz;
