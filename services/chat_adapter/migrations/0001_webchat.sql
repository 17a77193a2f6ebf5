-- One row per visitor. Whoever appends to the transcript holds this row's lock until its commit, so positions become
-- visible in their own order and without a gap: a reader that goes on from the highest one it saw misses nothing.
CREATE TABLE webchat_visitor (
    account text NOT NULL,
    peer text NOT NULL,
    last_position bigint NOT NULL DEFAULT 0,
    delivered_position bigint NOT NULL DEFAULT 0,
    read_position bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account, peer)
) WITH (fillfactor = 70);

-- What was said, both ways, as the visitor's window shows it: a projection of inbound records and sent pieces.
CREATE TABLE webchat_message (
    account text NOT NULL,
    peer text NOT NULL,
    position bigint NOT NULL,
    id text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    body jsonb NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (account, peer, position),
    UNIQUE (account, peer, id)
);
