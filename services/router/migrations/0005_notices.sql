-- Who has stopped an account: a fact about the person at that address, until they write again.
CREATE TABLE blocked (
    tenant text NOT NULL,
    channel text NOT NULL,
    account text NOT NULL,
    address text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (tenant, channel, account, address)
);
-- The same in each of their open conversations; who else has the thread at the provider, and since when; how long programs
-- have answered each other.
ALTER TABLE conversation ADD COLUMN blocked_at timestamptz, ADD COLUMN responder text, ADD COLUMN responder_at timestamptz,
    ADD COLUMN brake jsonb;
