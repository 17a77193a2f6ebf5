-- Where each input stands. The compare-and-set of a batch is on (next_offset, epoch): a zombie's matches no row.
CREATE TABLE source_offset (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    epoch bigint NOT NULL,
    missing_from bigint,
    missing_to bigint,
    PRIMARY KEY (topic, partition)
);

-- Every message id ever taken in. It outlives messages, retention and erasure: it is the dedupe.
CREATE TABLE seen (id uuid PRIMARY KEY) PARTITION BY HASH (id);
DO $$ BEGIN
    FOR n IN 0..15 LOOP
        EXECUTE format('CREATE TABLE seen_%s PARTITION OF seen FOR VALUES WITH (MODULUS 16, REMAINDER %s)', n, n);
    END LOOP;
END $$;

CREATE TABLE customer (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    merged_into uuid,
    last_sequence bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

-- One row per address at a channel; `kind` is the channel's name.
CREATE TABLE identity (
    tenant text NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    customer_id uuid NOT NULL,
    name text,
    verified text,
    PRIMARY KEY (tenant, kind, value)
);
CREATE INDEX identity_customer ON identity (customer_id);

CREATE TABLE conversation (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    customer_id uuid NOT NULL,
    channel text NOT NULL,
    account text NOT NULL,
    peer text NOT NULL,
    container text,
    thread_key text,
    status text NOT NULL DEFAULT 'open',
    last_sequence bigint NOT NULL DEFAULT 0,
    name text,
    subject text,
    preview text,
    opened_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    last_inbound_at timestamptz,
    last_external_id text,
    "window" jsonb NOT NULL DEFAULT '{}',
    delivered_to timestamptz,
    read_to timestamptz,
    parked jsonb
) WITH (fillfactor = 70);
CREATE INDEX conversation_open ON conversation (customer_id) WHERE status = 'open' AND container IS NULL;
CREATE INDEX conversation_peer ON conversation (tenant, channel, account, peer);
CREATE INDEX conversation_recent ON conversation (last_at DESC);

-- What the provider calls things. Upserted before it is read, by whoever writes or mentions it; what comes ahead of its
-- message is parked here and applied right after it.
CREATE TABLE external_ref (
    tenant text NOT NULL,
    channel text NOT NULL,
    account text NOT NULL,
    kind text NOT NULL,
    external_id text NOT NULL,
    message_id uuid,
    conversation_id uuid,
    piece int NOT NULL DEFAULT 0,
    edited_at timestamptz,
    parked jsonb,
    PRIMARY KEY (tenant, channel, account, kind, external_id)
) WITH (fillfactor = 80);

-- One row per message; `body` is the value of the event that announced it (message.received or message.queued).
CREATE TABLE message (
    id uuid PRIMARY KEY,
    conversation_id uuid NOT NULL,
    sequence bigint NOT NULL,
    type text NOT NULL,
    tenant text NOT NULL,
    at timestamptz NOT NULL,
    traceparent text,
    body bytea NOT NULL
);
CREATE UNIQUE INDEX message_sequence ON message (conversation_id, sequence);

-- How far each message of ours is. `progress`: status, external ids and failure of each piece, by its number.
CREATE TABLE sending (
    message_id uuid PRIMARY KEY,
    conversation_id uuid NOT NULL,
    status text NOT NULL,
    attempt int NOT NULL DEFAULT 1,
    pieces int NOT NULL DEFAULT 1,
    progress jsonb NOT NULL DEFAULT '{}',
    request_id text NOT NULL,
    at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX sending_conversation ON sending (conversation_id, at DESC);

-- Every other event, as it was published.
CREATE TABLE event (
    conversation_id uuid NOT NULL,
    sequence bigint NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    tenant text NOT NULL,
    message_id uuid,
    at timestamptz NOT NULL,
    traceparent text,
    body bytea NOT NULL,
    PRIMARY KEY (conversation_id, sequence)
);
CREATE INDEX event_message ON event (message_id) WHERE message_id IS NOT NULL;

-- What Kafka has not acknowledged yet. Without `value`, the row stands for message or event (conversation, sequence).
CREATE TABLE outbox (
    conversation_id uuid NOT NULL,
    sequence bigint NOT NULL,
    topic text NOT NULL,
    id uuid,
    type text,
    tenant text,
    traceparent text,
    value bytea,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (conversation_id, sequence, topic)
);
CREATE INDEX outbox_age ON outbox (at);
