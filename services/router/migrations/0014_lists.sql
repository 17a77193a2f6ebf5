-- By what the desk lists conversations. None names a column that every message changes, so that most updates stay on their page.
CREATE INDEX conversation_listed ON conversation (listed_at DESC, id DESC);
CREATE INDEX conversation_channel ON conversation (channel, listed_at DESC, id DESC);
CREATE INDEX conversation_account ON conversation (channel, account, listed_at DESC, id DESC);
CREATE INDEX conversation_closed ON conversation (listed_at DESC, id DESC) WHERE status = 'closed';
CREATE INDEX conversation_waiting ON conversation (waiting_since, id) WHERE waiting_since IS NOT NULL;
CREATE INDEX conversation_unread ON conversation (listed_at DESC, id DESC) WHERE unread_from IS NOT NULL;
CREATE INDEX conversation_failed ON conversation (listed_at DESC, id DESC) WHERE failure IS NOT NULL;
CREATE INDEX conversation_assignee ON conversation (assignee, listed_at DESC, id DESC) WHERE assignee IS NOT NULL;
CREATE INDEX conversation_tags ON conversation USING gin (tags) WHERE tags IS NOT NULL;
-- Those in which a customer goes on, or may; under posts and in groups the newest.
CREATE INDEX conversation_lasting ON conversation (customer_id) WHERE (status = 'open' OR reopens) AND container IS NULL;
CREATE INDEX conversation_within ON conversation (customer_id, listed_at DESC) WHERE status = 'open' AND container IS NOT NULL;
DROP INDEX conversation_open;
DROP INDEX conversation_begun;
DROP INDEX conversation_recent;
