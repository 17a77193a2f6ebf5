-- What is left of a person: an id. Whoever asks by it is told since when.
ALTER TABLE customer ADD COLUMN erased_at timestamptz;
-- Since when somebody else has this address, as far as we know: what came before names nobody.
ALTER TABLE identity ADD COLUMN erased_before timestamptz;

-- What is left of an address: a keyed hash. `generation`: how often it was erased, by which the id of whoever has it next differs;
-- `unwanted`: [purpose, channel] of what was not wanted at it.
CREATE TABLE tombstone (
    mark bytea PRIMARY KEY,
    erased_at timestamptz NOT NULL,
    generation int NOT NULL,
    unwanted jsonb NOT NULL
);

-- What is done behind the batch that erased them (services/router/erasing.py): by customer, of whom the addresses stand here until
-- it is done. `others`: whose events may name them.
CREATE TABLE erasure (
    customer_id uuid PRIMARY KEY,
    tenant text NOT NULL,
    erased_at timestamptz NOT NULL,
    addresses jsonb NOT NULL,
    others uuid[] NOT NULL,
    ordered_to uuid,
    ordered_at timestamptz,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at timestamptz
);
CREATE INDEX erasure_open ON erasure (noted_at) WHERE done_at IS NULL;

-- Files that they had: each is looked at, put aside where nobody uses it, and goes a day later.
CREATE TABLE erased_file (blob text PRIMARY KEY, tenant text NOT NULL);
