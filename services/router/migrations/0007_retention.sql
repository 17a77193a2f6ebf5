-- What only one replica at a time may run. `epoch` fences: it grows with every new owner.
CREATE TABLE lease (
    name text PRIMARY KEY,
    owner uuid NOT NULL,
    epoch bigint NOT NULL DEFAULT 1,
    lease_until timestamptz NOT NULL
);

-- Where a walk through a whole table goes on, and when it last came to its end (shared/storage/walks.py).
CREATE TABLE walk (
    name text PRIMARY KEY,
    place text[] NOT NULL DEFAULT '{}',
    begun_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);

-- Up to which sequence a conversation's events are gone, and of when the oldest that stands is; null: nobody has looked.
ALTER TABLE conversation ADD COLUMN removed_to bigint NOT NULL DEFAULT 0, ADD COLUMN oldest_at timestamptz;

-- When a batch last said this name.
ALTER TABLE external_ref ADD COLUMN mentioned_at timestamptz NOT NULL DEFAULT now();

-- The files that an event's value names: quotes within a text of it are escaped, so nobody writes a name by writing one.
CREATE FUNCTION files_of(body bytea) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY(
        SELECT DISTINCT name[1] FROM regexp_matches(encode(body, 'escape'), '"(?:blob|raw)":"([^"]+)"', 'g') AS name
        WHERE length(name[1]) <= 300
    )
$$;
