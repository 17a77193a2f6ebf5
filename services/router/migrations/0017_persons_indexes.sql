-- Who is one person with whom.
CREATE INDEX customer_members ON customer (merged_into) WHERE merged_into IS NOT NULL;
-- What somebody has stopped, by each of their addresses.
CREATE INDEX blocked_address ON blocked (tenant, address);
-- A person's conversations, newest first, and what they wrote in others'.
CREATE INDEX conversation_customer ON conversation (customer_id, listed_at DESC);
CREATE INDEX message_home ON message (home) WHERE home IS NOT NULL;
