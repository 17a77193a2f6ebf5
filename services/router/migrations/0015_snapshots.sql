-- Whose snapshot Kafka does not have yet: written with the change, by the process that is to tell it, and deleted when that has
-- seen its own snapshot stand there and nothing changed since. `publisher` 0: whoever comes first (services/router/batch/snapshots.py).
CREATE TABLE untold (
    publisher uuid NOT NULL,
    kind text NOT NULL,
    entity uuid NOT NULL,
    version bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (publisher, kind, entity)
) WITH (fillfactor = 70);

-- Which of these processes live.
CREATE TABLE publisher (id uuid PRIMARY KEY, seen_at timestamptz NOT NULL) WITH (fillfactor = 50);
