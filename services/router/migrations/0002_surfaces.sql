-- Where a conversation takes place, and of mail the Message-IDs that its answers name: the first and the newest.
ALTER TABLE conversation ADD COLUMN surface text NOT NULL DEFAULT 'direct', ADD COLUMN chain jsonb;
UPDATE conversation SET surface = 'group' WHERE container IS NOT NULL;
