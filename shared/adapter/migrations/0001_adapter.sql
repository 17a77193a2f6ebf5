-- Conversations with something to send. Who holds the lease sends; a lane without waiting messages is removed.
CREATE TABLE lane (
    conversation uuid PRIMARY KEY,
    channel text NOT NULL,
    account text NOT NULL,
    owner uuid,
    lease_until timestamptz,
    next_try timestamptz NOT NULL DEFAULT now(),
    tries int NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX lane_due ON lane (next_try);

-- Every message we were asked to send, once per attempt; `position` is its place in the lane. Done ones stay as long
-- as the outbound topic may be read again.
CREATE TABLE send (
    message_id uuid NOT NULL,
    attempt int NOT NULL,
    conversation uuid NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    body bytea NOT NULL,
    traceparent text,
    received_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz,
    PRIMARY KEY (message_id, attempt)
) WITH (fillfactor = 80);
CREATE INDEX send_waiting ON send (conversation, position) WHERE done_at IS NULL;
CREATE INDEX send_done ON send (done_at) WHERE done_at IS NOT NULL;

-- The ledger: one row per piece, all of a message stored before the first is sent, so that a new version of the code
-- cannot cut a half-sent message differently. status: queued, sending, sent, failed, unknown, expired, skipped.
CREATE TABLE piece (
    message_id uuid NOT NULL,
    attempt int NOT NULL,
    piece int NOT NULL,
    pieces int NOT NULL,
    part jsonb,
    status text NOT NULL DEFAULT 'queued',
    first_sent_at timestamptz,
    external_ids text[] NOT NULL DEFAULT '{}',
    join_key text,
    code text,
    detail text NOT NULL DEFAULT '',
    settled_at timestamptz,
    reported boolean NOT NULL DEFAULT false,
    PRIMARY KEY (message_id, attempt, piece),
    FOREIGN KEY (message_id, attempt) REFERENCES send ON DELETE CASCADE
) WITH (fillfactor = 70);
CREATE INDEX piece_unreported ON piece (settled_at) WHERE settled_at IS NOT NULL AND NOT reported;

-- Media at a provider, uploaded once per account.
CREATE TABLE handle (
    channel text NOT NULL,
    account text NOT NULL,
    blob text NOT NULL,
    value text NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (channel, account, blob)
);

-- Media to fetch from a provider: one row per media part of an inbound message.
CREATE TABLE media_job (
    message_id uuid NOT NULL,
    part int NOT NULL,
    tenant text NOT NULL,
    channel text NOT NULL,
    account text NOT NULL,
    peer text NOT NULL,
    record_key bytea NOT NULL,
    media jsonb NOT NULL,
    traceparent text,
    owner uuid,
    lease_until timestamptz,
    next_try timestamptz NOT NULL DEFAULT now(),
    tries int NOT NULL DEFAULT 0,
    received_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz,
    PRIMARY KEY (message_id, part)
) WITH (fillfactor = 70);
CREATE INDEX media_job_due ON media_job (next_try) WHERE done_at IS NULL;
CREATE INDEX media_job_done ON media_job (done_at) WHERE done_at IS NOT NULL;

-- What only one replica at a time may run. `epoch` fences: it grows with every new owner.
CREATE TABLE lease (
    name text PRIMARY KEY,
    owner uuid NOT NULL,
    epoch bigint NOT NULL DEFAULT 1,
    lease_until timestamptz NOT NULL
);

-- Where a poll or a socket goes on, moved only when what it read is durable.
CREATE TABLE cursor (
    channel text NOT NULL,
    account text NOT NULL,
    value jsonb NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel, account)
);
