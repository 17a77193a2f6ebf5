-- A message with other ways to the same person: one after the other, until one of them did what was wanted.
-- `owners`: the customers of the addresses that it went to; `legs`: each way, in order, with what became of it.
CREATE TABLE fallback (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    owners uuid[] NOT NULL,
    conversation_id uuid,
    conversations uuid[] NOT NULL,
    message_id uuid,
    request_id text NOT NULL,
    type text NOT NULL,
    request bytea NOT NULL,
    traceparent text,
    step integer NOT NULL,
    legs jsonb NOT NULL,
    due timestamptz,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    why text
);
CREATE INDEX fallback_owners ON fallback USING gin (owners) WHERE ended_at IS NULL;
CREATE INDEX fallback_open ON fallback (message_id) WHERE ended_at IS NULL;
CREATE INDEX fallback_conversations ON fallback USING gin (conversations);
ALTER TABLE sending ADD COLUMN plan_id uuid;
