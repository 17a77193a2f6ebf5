-- When it was uploaded: what a provider keeps without an end is uploaded again now and then.
ALTER TABLE handle ADD COLUMN made_at timestamptz NOT NULL DEFAULT now();
