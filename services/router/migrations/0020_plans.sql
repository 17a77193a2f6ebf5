-- A request that waits: until it is due, or (a cancel ahead of its message) until all is read that came before it.
CREATE TABLE plan (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    conversation_id uuid,
    message_id uuid NOT NULL,
    request_id text NOT NULL,
    type text NOT NULL,
    request bytea NOT NULL,
    traceparent text,
    requested_at timestamptz NOT NULL,
    due timestamptz NOT NULL
);
CREATE INDEX plan_conversation ON plan (conversation_id) WHERE conversation_id IS NOT NULL;
