-- What GET /api/search finds messages by: their words as they stand (services/router/search/words.py), up to which of the
-- conversation's events. Filled behind the batch. Not a row of `message`: what is put in order by time is few.
CREATE TABLE indexed_message (
    message_id uuid PRIMARY KEY,
    tenant text NOT NULL,
    at timestamptz NOT NULL,
    told bigint NOT NULL,
    words tsvector NOT NULL
);
CREATE INDEX indexed_message_words ON indexed_message USING gin (words);
CREATE INDEX indexed_message_at ON indexed_message (at);

-- And conversations: name, address and subject, and each two or three letters beside each other in them.
CREATE TABLE indexed_conversation (conversation_id uuid PRIMARY KEY, named text NOT NULL, grams text[] NOT NULL);
CREATE INDEX indexed_conversation_grams ON indexed_conversation USING gin (grams);
