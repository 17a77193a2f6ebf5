-- What the provider said last of whoever has this address, and which conversations under a post or in a group they began.
ALTER TABLE identity ADD COLUMN profile jsonb;
CREATE INDEX conversation_begun ON conversation (customer_id, last_at DESC) WHERE status = 'open' AND container IS NOT NULL;
